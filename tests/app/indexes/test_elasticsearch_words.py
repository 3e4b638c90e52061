"""Elasticsearch's ranking by words: BM25 with a workspace's own counts, in Chinese and English."""

from collections import Counter
from collections.abc import Iterator
from math import log

import numpy as np
import pytest

from app.backends.elasticsearch import ElasticsearchIndex, keywords
from tests.app.contract.samples import ALL, FOREIGN, HERE, THERE, vector_of
from tests.app.indexes.elasticsearch_opening import ServerAddress, opened
from tests.app.indexes.samples import NOW_MS, entry

pytestmark = pytest.mark.xdist_group("elasticsearch")

LENGTH_ERROR = 0.06
"""Lengths within 10 % of each other's norm count as one, by the middle."""


@pytest.fixture
def index(elasticsearch_server: ServerAddress) -> Iterator[ElasticsearchIndex]:
    """An empty index of three shards, over which words are counted together."""
    with opened(elasticsearch_server, number_of_shards=3) as made:
        yield made


def match(index: ElasticsearchIndex, text: str, *, limit: int = 50) -> list[int]:
    """The numbers of the memories that share words with a text, best first."""
    return [one.number for one in index.matching(HERE, text, ALL, limit=limit, now_ms=NOW_MS)]


def test_the_scores_are_bm25_over_the_workspace(index: ElasticsearchIndex) -> None:
    random = np.random.default_rng(4)
    words = [f"word{place}" for place in range(30)]
    texts = {number: list(random.choice(words, random.integers(2, 60), replace=True)) for number in range(1, 81)}
    index.apply([entry(number, " ".join(text)) for number, text in texts.items()])
    counts = Counter(word for text in texts.values() for word in set(text))
    mean = sum(map(len, texts.values())) / len(texts)
    query = words[:4]
    expected = {
        number: sum(log(1 + (80 - counts[word] + 0.5) / (counts[word] + 0.5)) for word in query if word in text)
        * 2.2
        / (1 + 1.2 * (0.25 + 0.75 * len(text) / mean))
        for number, text in texts.items()
        if set(query) & set(text)
    }
    found = {one.number: one.score for one in index.matching(HERE, " ".join(query), ALL, limit=80, now_ms=NOW_MS)}
    assert found.keys() == expected.keys()
    for number, score in found.items():
        assert score == pytest.approx(expected[number], rel=LENGTH_ERROR)
    assert len({round(score, 3) for score in found.values()}) > 30


def test_one_workspace_does_not_weigh_on_another(index: ElasticsearchIndex) -> None:
    index.apply([entry(1, "green tea"), entry(2, "black coffee with milk")])
    before = index.matching(HERE, "tea coffee", ALL, limit=5, now_ms=NOW_MS)
    for first, scope in ((100, THERE), (200, FOREIGN)):
        index.apply([entry(first + place, f"tea {place}", scope=scope) for place in range(40)])
    assert index.matching(HERE, "tea coffee", ALL, limit=5, now_ms=NOW_MS) == before


def test_a_text_that_says_it_shorter_comes_first(index: ElasticsearchIndex) -> None:
    index.apply([entry(1, "tea " + "filler " * 40), entry(2, "tea"), entry(3, "tea " + "filler " * 200)])
    assert match(index, "tea") == [2, 1, 3]


CHINESE = {
    1: "我喜欢喝咖啡",
    2: "他爱喝绿茶",
    3: "下周二在上海开会，讨论部署计划",
    4: "天上有云，海水很蓝",
    5: "用Python写的部署脚本",
    6: "𠮷野家在东京",
    7: "서울에서 만나요",
    8: "The kettle boils; she drinks tea",
}


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("咖啡", [1]),
        ("茶", [2]),
        ("云", [4]),
        ("上海", [3]),
        ("上海开会", [3]),
        ("部署脚本", [5, 3]),
        ("ＰＹＴＨＯＮ", [5]),
        ("𠮷", [6]),
        ("서울", [7]),
        ("drinking kettles", [8]),
        ("the she", [8]),
        ("咖啡 tea", [1, 8]),
    ],
)
def test_words_of_any_script_and_length_are_found(index: ElasticsearchIndex, query: str, first: list[int]) -> None:
    index.apply([entry(number, text) for number, text in CHINESE.items()])
    assert match(index, query) == first


def test_both_legs_of_a_hybrid_search_find_a_chinese_memory(index: ElasticsearchIndex) -> None:
    index.apply([entry(number, text) for number, text in CHINESE.items()])
    assert match(index, "绿茶")[0] == 2
    assert index.nearest(HERE, vector_of(CHINESE[2]), ALL, limit=3, now_ms=NOW_MS)[0].number == 2


def test_a_query_as_long_as_a_memory_may_be_is_answered(index: ElasticsearchIndex) -> None:
    long = " ".join(f"word{place}" for place in range(4_000))
    index.apply([entry(1, "word7 tea"), entry(2, long), entry(3, "茶" * 30_000)])
    assert set(match(index, f"tea {long}")) == {1, 2}
    assert match(index, "茶" * 30_000) == [3]
    assert len(keywords.list_terms(long)) == keywords.COUNTED


def test_lengths_are_looked_up_in_growing_steps() -> None:
    for mean in (1.0, 3.7, 80.0, 20_000.0):
        (*steps, rest) = keywords.list_norms(mean)
        bounds = [step["filter"]["range"]["length"]["lt"] for step in steps]
        weights = [step["weight"] for step in steps] + [rest["weight"]]
        assert bounds == sorted(set(bounds))
        assert weights == sorted(weights, reverse=True)
        assert len(steps) < 40

"""Words, of the indexes that rank by them."""

import pytest

from app.domain.query import Comparison, Condition, MemoryFilter
from app.ports import VectorIndex
from tests.app.contract.samples import ALL, HERE, NOWHERE, THERE, where
from tests.app.indexes.backends import KEYWORDS, list_params
from tests.app.indexes.samples import DAY_MS, NOW_MS, entry, gone, numbers

pytestmark = pytest.mark.parametrize("open_index", list_params(KEYWORDS), indirect=True)


def match(
    index: VectorIndex, text: str, wanted: MemoryFilter = ALL, *, limit: int = 50, as_of_ms: int | None = None
) -> list[int]:
    """The numbers of the memories that share words with a text, best first."""
    found = index.matching(HERE, text, wanted, limit=limit, now_ms=NOW_MS, as_of_ms=as_of_ms)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert all(one.score > 0 for one in found)
    return [one.number for one in found]


def test_shared_words_are_found_and_the_rarest_weigh_most(index: VectorIndex) -> None:
    texts = [f"the meeting about topic{number} was long" for number in range(1, 21)]
    index.apply([entry(number, text) for number, text in enumerate(texts, start=1)])
    index.apply([entry(21, "the meeting about zeppelins was long"), entry(22, "nothing of it")])
    assert match(index, "meeting zeppelins")[0] == 21
    assert set(match(index, "meeting")) == set(range(1, 22))
    assert match(index, "ZEPPELINS!") == [21]
    assert len(match(index, "meeting", limit=3)) == 3


def test_when_to_use_and_content_are_both_searched(index: VectorIndex) -> None:
    index.apply([entry(1, "press the lever", when_to_use="the crane is stuck")])
    assert match(index, "lever") == match(index, "crane") == [1]


CHINESE = {1: "我喜欢喝咖啡", 2: "他爱喝绿茶", 3: "下周二在上海开会", 4: "用Python写的部署脚本", 5: "こんにちは世界"}


@pytest.mark.parametrize(
    ("query", "number"),
    [("咖啡", 1), ("茶", 2), ("绿茶", 2), ("上海", 3), ("上海开会", 3), ("python", 4), ("部署 脚本", 4), ("世界", 5)],
)
def test_chinese_words_of_any_length_are_found(index: VectorIndex, query: str, number: int) -> None:
    index.apply([entry(key, text) for key, text in CHINESE.items()])
    assert match(index, query)[0] == number


def test_filters_moments_and_workspaces_hold_for_words_too(index: VectorIndex) -> None:
    index.apply(
        [
            entry(1, "green tea", tags=("a",), metadata={"x": 1}),
            entry(2, "black tea", valid_to_ms=NOW_MS, superseded=True),
            entry(3, "tea", scope=THERE),
            entry(4, "tea of tomorrow", valid_from_ms=NOW_MS + DAY_MS),
            entry(5, "tea that goes"),
        ]
    )
    index.apply([gone(5)])
    assert match(index, "tea") == [1]
    assert set(match(index, "tea", as_of_ms=NOW_MS - 1)) == {1, 2}
    assert match(index, "tea", MemoryFilter(tags=("a",))) == [1]
    assert match(index, "tea", MemoryFilter(tags=("b",))) == []
    assert match(index, "tea", where(Condition(key="x", comparison=Comparison.GT, values=(0.5,)))) == [1]
    assert numbers(index.matching(THERE, "tea", ALL, limit=5, now_ms=NOW_MS)) == {3}
    assert index.matching(NOWHERE, "tea", ALL, limit=5, now_ms=NOW_MS) == []


@pytest.mark.parametrize(
    "query",
    [
        *('"', '"tea', "tea*", "*", "tea AND", "AND OR NOT", "content:tea", "-tea", "(tea", "{tea}", "", "   "),
        *("。，！", "🍵", "tea " * 2000, "tea\x00tea", "\U000f0000"),
    ],
)
def test_a_query_is_words_and_no_language(index: VectorIndex, query: str) -> None:
    index.apply([entry(1, "green tea")])
    found = match(index, query)
    assert set(found) <= {1}
    if "tea" in query.split():
        assert found == [1]

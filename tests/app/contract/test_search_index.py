"""The search index: vectors, words, and what both must not find."""

import numpy as np
import pytest

from app.domain.change import Add, Delete
from app.domain.memory import MemoryKind
from app.domain.query import MemoryFilter
from tests.app.contract.backends import Backend, searched
from tests.app.contract.samples import (
    ALL,
    COSINE_ERROR,
    FOREIGN,
    HERE,
    NOWHERE,
    THERE,
    add,
    adding,
    change,
    commit,
    draft,
    found_texts,
    match,
    near,
    updating,
    vector_of,
)

pytestmark = searched


def test_exact_search_agrees_with_numpy(backend: Backend) -> None:
    names = [f"note {number}" for number in range(300)]
    commit(backend, *(adding(name) for name in names))
    commit(backend, *(adding(name) for name in names[:50]), scope=THERE)
    matrix = np.stack([vector_of(name) for name in names])
    for query in ("alpha", "beta", "gamma", "note 7"):
        cosines = dict(zip(names, (matrix @ vector_of(query)).tolist(), strict=True))
        candidates = backend.index.nearest(HERE, vector_of(query), ALL, limit=10, exact=True)
        found = found_texts(backend, candidates)
        assert len(set(found)) == 10
        for candidate, name in zip(candidates, found, strict=True):
            assert candidate.score == pytest.approx(cosines[name], abs=COSINE_ERROR)
        scores = [candidate.score for candidate in candidates]
        assert scores == sorted(scores, reverse=True)
        missed = max(cosine for name, cosine in cosines.items() if name not in found)
        assert min(scores) >= missed - COSINE_ERROR


def test_the_quick_search_finds_what_is_there(backend: Backend) -> None:
    names = [f"note {number}" for number in range(300)]
    commit(backend, *(adding(name) for name in names))
    for name in names[::29]:
        candidates = backend.index.nearest(HERE, vector_of(name), ALL, limit=5)
        assert found_texts(backend, candidates)[0] == name
        assert candidates[0].score == pytest.approx(1.0, abs=COSINE_ERROR)
        assert len(candidates) == 5


def test_a_filter_does_not_starve_the_quick_search(backend: Backend) -> None:
    commit(backend, *(adding(f"note {number}", tags=("rare",) if number % 50 == 0 else ()) for number in range(400)))
    candidates = backend.index.nearest(HERE, vector_of("query"), MemoryFilter(tags=("rare",)), limit=10)
    assert len(candidates) == 8


def test_vectors_come_back_at_unit_length(backend: Backend) -> None:
    add(backend, "one")
    change(backend, Add(draft=draft("two"), vector=None))
    numbers = [candidate.number for candidate in backend.index.matching(HERE, "one two", ALL, limit=5)]
    assert len(numbers) == 2
    ((number, vector),) = backend.index.vectors(HERE, numbers).items()
    assert backend.index.fetch(HERE, [number])[number].content == "one"
    assert (str(vector.dtype), vector.shape) == ("float32", (8,))
    assert float(vector @ vector_of("one")) == pytest.approx(1.0, abs=COSINE_ERROR)
    assert float(np.linalg.norm(vector)) == pytest.approx(1.0, abs=COSINE_ERROR)


def test_the_store_keeps_its_own_copy_of_a_vector(backend: Backend) -> None:
    vector = vector_of("one")
    change(backend, Add(draft=draft("one"), vector=vector))
    vector[:] = 0
    (candidate,) = backend.index.nearest(HERE, vector_of("one"), ALL, limit=5, exact=True)
    assert candidate.score == pytest.approx(1.0, abs=COSINE_ERROR)


def test_a_memory_without_a_vector_is_found_by_its_words(backend: Backend) -> None:
    change(backend, Add(draft=draft("green tea"), vector=None))
    assert near(backend, "green tea") == []
    assert match(backend, "tea") == ["green tea"]


def test_the_limit_is_kept(backend: Backend) -> None:
    for number in range(10):
        add(backend, f"tea {number}")
    for limit in (1, 3, 10):
        assert len(near(backend, "query", limit=limit)) == limit
        assert len(match(backend, "tea", limit=limit)) == limit
    assert len(near(backend, "query", limit=50)) == 10


def test_nothing_is_found_where_nothing_is(backend: Backend) -> None:
    add(backend, "green tea")
    assert backend.index.nearest(NOWHERE, vector_of("tea"), ALL, limit=5) == []
    assert backend.index.matching(NOWHERE, "tea", ALL, limit=5) == []
    assert backend.index.fetch(NOWHERE, [1, 2, 3]) == {}
    assert backend.index.vectors(NOWHERE, [1, 2, 3]) == {}
    assert backend.index.fetch(HERE, []) == {}
    assert backend.index.fetch(HERE, [10**9]) == {}


def test_a_write_is_found_at_once(backend: Backend) -> None:
    for number in range(20):
        memory = add(backend, f"word{number} tea")
        assert match(backend, f"word{number}") == [f"word{number} tea"]
        assert near(backend, f"word{number} tea", limit=1) == [f"word{number} tea"]
        change(backend, updating(memory, content=f"other{number} tea"))
        assert match(backend, f"word{number}") == []
        assert near(backend, f"other{number} tea", limit=1) == [f"other{number} tea"]
        if number % 2:
            change(backend, Delete(memory_id=memory.id))
            assert match(backend, f"other{number}") == []


def test_words_are_found_whatever_their_case_and_width(backend: Backend) -> None:
    add(backend, "Deploys with PYTHON on Fridays; naïve café")
    add(backend, "Writes Rust")
    for query in ("python", "Python", "ＰＹＴＨＯＮ", "on fridays", "CAFÉ", "python!", "why python?"):
        assert match(backend, query) == ["Deploys with PYTHON on Fridays; naïve café"], query


def test_the_rarest_words_weigh_most(backend: Backend) -> None:
    for number in range(20):
        add(backend, f"the meeting about topic{number} was long")
    add(backend, "the meeting about zeppelins was long")
    found = match(backend, "meeting zeppelins")
    assert found[0] == "the meeting about zeppelins was long"
    candidates = backend.index.matching(HERE, "meeting zeppelins", ALL, limit=50)
    scores = [candidate.score for candidate in candidates]
    assert scores == sorted(scores, reverse=True)
    assert all(score > 0 for score in scores)
    assert scores[0] > scores[1]


def test_more_shared_words_are_better(backend: Backend) -> None:
    for text in ("zebra", "zebra yak", "zebra yak walrus", "nothing of it"):
        add(backend, f"{text} {'filler ' * (4 - len(text.split()))}")
    found = [text.split(" filler")[0].strip() for text in match(backend, "walrus yak zebra")]
    assert found[0] == "zebra yak walrus"
    assert set(found) == {"zebra", "zebra yak", "zebra yak walrus"}


def test_when_to_use_and_content_are_both_searched(backend: Backend) -> None:
    add(backend, "press the lever", when_to_use="the crane is stuck", kind=MemoryKind.TASK)
    assert match(backend, "lever") == match(backend, "crane") == ["press the lever"]
    assert near(backend, "the crane is stuck", limit=1) == ["press the lever"]


CHINESE = (
    "我喜欢喝咖啡",
    "他爱喝绿茶",
    "下周二在上海开会",
    "用Python写的部署脚本",
    "こんにちは世界",
    "서울에서 만나요",
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("咖啡", "我喜欢喝咖啡"),
        ("茶", "他爱喝绿茶"),
        ("绿茶", "他爱喝绿茶"),
        ("会", "下周二在上海开会"),
        ("上海", "下周二在上海开会"),
        ("上海开会", "下周二在上海开会"),
        ("python", "用Python写的部署脚本"),
        ("脚本", "用Python写的部署脚本"),
        ("部署 脚本", "用Python写的部署脚本"),
        ("世界", "こんにちは世界"),
        ("서울", "서울에서 만나요"),
        ("咖啡。", "我喜欢喝咖啡"),
    ],
)
def test_chinese_words_of_any_length_are_found(backend: Backend, query: str, expected: str) -> None:
    for text in CHINESE:
        add(backend, text)
    assert match(backend, query) == [expected]


def test_a_chinese_word_beats_its_scattered_characters(backend: Backend) -> None:
    add(backend, "天上有云，海水很蓝")
    add(backend, "我住在上海")
    assert match(backend, "上海")[0] == "我住在上海"


@pytest.mark.parametrize(
    "query",
    [
        '"',
        '"tea',
        "tea*",
        "*",
        "tea AND",
        "AND OR NOT",
        "NEAR(tea, 2)",
        "content:tea",
        "-tea",
        "^tea",
        "(tea",
        "tea)",
        "'; DROP TABLE memories; --",
        "{tea}",
        "tea\x00tea",
        "",
        "   ",
        "。，！",
        "🍵",
        "tea " * 2000,
        "\U000f0000\U000f0001",
    ],
)
def test_a_query_is_words_and_no_language(backend: Backend, query: str) -> None:
    add(backend, "green tea")
    found = match(backend, query)
    assert set(found) <= {"green tea"}
    if "tea" in query.split():
        assert found == ["green tea"]


def test_one_workspace_does_not_weigh_on_another(backend: Backend) -> None:
    for text in ("green tea", "black coffee"):
        add(backend, text)
    before = backend.index.matching(HERE, "tea coffee", ALL, limit=5)
    for scope in (THERE, FOREIGN):
        commit(backend, *(adding(f"tea {number}") for number in range(30)), scope=scope)
    after = backend.index.matching(HERE, "tea coffee", ALL, limit=5)
    assert [candidate.number for candidate in after] == [candidate.number for candidate in before]
    assert [candidate.score for candidate in after] == pytest.approx([candidate.score for candidate in before])
    assert set(near(backend, "query")) == {"green tea", "black coffee"}

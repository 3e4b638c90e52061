"""What an index holds: told, told twice, told to take out; by workspace; nearest first."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from app.domain.memory import Scope
from app.domain.query import Comparison, Condition, MemoryFilter
from app.ports import VectorIndex
from tests.app.contract.samples import ALL, COSINE_ERROR, FOREIGN, HERE, IDENTITY, NOWHERE, THERE, vector_of, where
from tests.app.indexes.samples import MANY, NOW_MS, ask, entry, gone, memory, numbers, rank


def test_what_it_is_told_is_found_at_once(index: VectorIndex) -> None:
    for number in range(1, 6):
        index.apply([entry(number, f"note {number}")])
        (best, *_) = ask(index, f"note {number}")
        assert best.number == number
        assert best.score == pytest.approx(1.0, abs=COSINE_ERROR)
    assert index.count() == 5


def test_the_closest_come_first_with_their_cosines(index: VectorIndex) -> None:
    entries = [entry(number, f"note {number}") for number in range(1, 101)]
    index.apply(entries)
    vectors = {one.number: one.vector for one in entries}
    for text in ("alpha", "beta", "note 7"):
        found = ask(index, text)
        assert [one.number for one in found][:20] == rank(entries, text)[:20]
        assert len(found) == 100
        for one in found:
            vector = vectors[one.number]
            assert vector is not None
            assert one.score == pytest.approx(float(vector @ vector_of(text)), abs=COSINE_ERROR)


def test_the_search_that_is_not_exact_finds_what_is_there(index: VectorIndex) -> None:
    index.apply([entry(number, f"note {number}") for number in range(1, 201)])
    for number in range(1, 201, 23):
        found = index.nearest(HERE, vector_of(f"note {number}"), ALL, limit=5, now_ms=NOW_MS)
        assert found[0].number == number
        assert len(found) == 5


def test_told_twice_it_holds_once(index: VectorIndex) -> None:
    entries = [entry(number, f"note {number}") for number in range(1, 4)]
    index.apply(entries)
    index.apply(entries)
    index.apply([entries[0], entries[0]])
    assert index.count() == 3
    assert sorted(one.number for one in ask(index)) == [1, 2, 3]


def test_told_again_it_holds_what_it_was_told_last(index: VectorIndex) -> None:
    index.apply([entry(1, "tea", tags=("old",), metadata={"a": 1, "b": "x"}, user_id="ann")])
    index.apply([entry(1, "tea", tags=("new",), metadata={"b": 2}, claim=2)])
    assert numbers(ask(index, wanted=MemoryFilter(tags=("new",)))) == {1}
    assert ask(index, wanted=MemoryFilter(tags=("old",))) == []
    assert ask(index, wanted=MemoryFilter(user_ids=("ann",))) == []
    assert ask(index, wanted=where(Condition(key="a", comparison=Comparison.EXISTS, values=(True,)))) == []
    assert numbers(ask(index, wanted=where(Condition(key="b", comparison=Comparison.EQ, values=(2,))))) == {1}
    index.apply([replace(entry(1, "tea", claim=3), vector=vector_of("coffee"))])
    assert ask(index, "coffee")[0].score == pytest.approx(1.0, abs=COSINE_ERROR)


def test_the_last_word_of_a_batch_counts(index: VectorIndex) -> None:
    index.apply(
        [entry(1, "tea", user_id="ann"), gone(1), entry(2, "milk"), entry(1, "tea", user_id="bob", claim=3), gone(2)]
    )
    assert numbers(ask(index)) == {1}
    assert numbers(ask(index, wanted=MemoryFilter(user_ids=("bob",)))) == {1}


def test_what_is_taken_out_is_not_found(index: VectorIndex) -> None:
    index.apply([entry(number, f"note {number}") for number in range(1, 5)])
    deleted = replace(memory("note 2"), deleted_ms=NOW_MS)
    index.apply([gone(1), replace(entry(2, "note 2"), memory=deleted), replace(entry(3, "note 3"), vector=None)])
    assert numbers(ask(index)) == {4}
    assert index.count() == 1
    index.apply([gone(1), gone(77)])
    assert index.count() == 1
    index.apply([entry(1, "note 1", claim=3)])
    assert numbers(ask(index)) == {1, 4}


def test_nothing_to_tell_is_no_failure(index: VectorIndex) -> None:
    index.apply([])
    assert index.count() == 0
    assert ask(index) == []


@pytest.mark.slow
def test_more_than_a_batch_is_held(index: VectorIndex) -> None:
    index.apply([entry(number, f"note {number}") for number in range(1, 2501)])
    assert index.count() == 2500
    index.apply([gone(number) for number in range(1, 2301)])
    assert index.count() == 200
    assert numbers(ask(index)) == set(range(2301, 2501))


def test_workspaces_and_tenants_are_apart(index: VectorIndex) -> None:
    alike = [
        HERE,
        THERE,
        FOREIGN,
        Scope(tenant_id="acme:project-1", workspace_id="x"),
        Scope(tenant_id="acme", workspace_id="project-1:x"),
        Scope(tenant_id="ACME", workspace_id="project-1"),
        Scope(tenant_id="acme", workspace_id="project"),
    ]
    index.apply([entry(number, "green tea", scope=scope) for number, scope in enumerate(alike, start=1)])
    for number, scope in enumerate(alike, start=1):
        assert numbers(ask(index, "green tea", scope=scope)) == {number}, scope
    assert ask(index, scope=NOWHERE) == []


@pytest.mark.slow
@pytest.mark.parametrize("limit", [0, 1, 3, 20, MANY])
def test_the_limit_is_kept(index: VectorIndex, limit: int) -> None:
    entries = [entry(number, f"note {number}") for number in range(1, 21)]
    index.apply(entries)
    found = ask(index, "tea", limit=limit)
    assert [one.number for one in found] == rank(entries, "tea")[:limit]


@pytest.mark.slow
def test_a_limit_of_thousands_is_kept(index: VectorIndex) -> None:
    index.apply([entry(number, f"note {number}") for number in range(1, 1301)])
    assert len(ask(index, limit=1200)) == 1200


def test_of_equals_the_smaller_number_comes_first(index: VectorIndex) -> None:
    order = [7, 3, 11, 1, 9]
    index.apply([entry(number, "tea") for number in order])
    index.apply([entry(5, "tea"), entry(2, "coffee")])
    assert [one.number for one in ask(index, "tea")][:6] == [1, 3, 5, 7, 9, 11]


def test_numbers_may_be_large(index: VectorIndex) -> None:
    index.apply([entry(2**53 - 1, "green tea"), entry(2**40, "milk")])
    assert [one.number for one in ask(index, "green tea")] == [2**53 - 1, 2**40]
    index.apply([gone(2**53 - 1)])
    assert numbers(ask(index)) == {2**40}


AWKWARD = (
    "我喜欢喝咖啡",
    "naïve café ﬁle",
    "👩‍👩‍👧‍👦 tea",
    "quote \" and \\ backslash ' and ; --",
    "line\nbreak\tand tab",
    "a" * 32_768,
    "\U000f0000 private use",
    "السلام عليكم",
)


def test_texts_and_ids_of_any_script_are_held(index: VectorIndex) -> None:
    entries = [
        entry(number, text, user_id=text[:60], author=text[:60], tags=(text[:60],), metadata={text[:60]: text[:60]})
        for number, text in enumerate(AWKWARD, start=1)
    ]
    index.apply(entries)
    for number, text in enumerate(AWKWARD, start=1):
        name = text[:60]
        assert ask(index, text)[0].number == number
        for wanted in (
            MemoryFilter(user_ids=(name,)),
            MemoryFilter(authors=(name,)),
            MemoryFilter(tags=(name,)),
            where(Condition(key=name, comparison=Comparison.EQ, values=(name,))),
        ):
            assert numbers(ask(index, wanted=wanted)) == {number}, (name, wanted)


def test_details_that_nobody_searches_for_do_no_harm(index: VectorIndex) -> None:
    index.apply([entry(1, "tea", details={"calls": [{"ok": True, "seconds": 1.5}], "nested": {"x": [None, "y"]}})])
    assert numbers(ask(index)) == {1}


def test_another_client_sees_the_same(index: VectorIndex, open_index: Callable[[], VectorIndex]) -> None:
    index.apply([entry(1, "tea")])
    other = open_index()
    other.prepare(IDENTITY)
    assert numbers(ask(other)) == {1}
    other.apply([gone(1), entry(2, "milk")])
    assert numbers(ask(index)) == {2}

"""An index and `app.domain.filters` agree on which memories pass a filter and hold at a moment."""

from collections.abc import Callable, Sequence
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.indexing import IndexEntry
from app.domain.memory import Layer, MemoryKind, Scope
from app.domain.query import Comparison, Condition, MemoryFilter
from app.ports import VectorIndex
from tests.app.contract.samples import HERE, IDENTITY, THERE, where
from tests.app.indexes.samples import DAY_MS, NOW_MS, ask, entry, expect, gone, numbers, rank

CLAIMS = count(1)
"""As a store gives them: never the same twice, nor a smaller one later."""
KEYS = ("x", "y.z", "钥匙", "$eq", "a b")
VALUES: tuple[object, ...] = (
    None,
    True,
    False,
    0,
    1,
    -2,
    1.0,
    0.5,
    -1.5,
    10,
    2**53 + 1,
    2**53,
    2**63 - 1,
    1e300,
    "",
    "1",
    "tea",
    "Tea",
    "tea ",
    "茶",
    "2026-11-22",
    "true",
    [],
    ["tea", 1],
    [1, 2, 10],
    [True, "x"],
    [None],
    [["tea"]],
    {"tea": 1},
    [{"a": 1}],
)
"""What metadata may hold: every sort of JSON, and pairs that a store may take for one another."""
ASKED = (*(value for value in VALUES if isinstance(value, str | int | float)), "missing", 3, 0.1, "2026-01-01")


def _populate() -> list[IndexEntry]:
    entries: list[IndexEntry] = []
    kinds, layers = list(MemoryKind), list(Layer)
    for place, value in enumerate(VALUES):
        for key in (KEYS[place % len(KEYS)], "x"):
            number = len(entries) + 1
            entries.append(
                entry(
                    number,
                    f"note {number}",
                    scope=HERE if number % 7 else THERE,
                    kind=kinds[number % 4],
                    layer=layers[number % 2],
                    user_id=("", "ann", "bob", "安")[number % 4],
                    author=("", "assistant", "Ann")[number % 3],
                    tags=((), ("a",), ("a", "b"), ("茶", "a b", "c,d"), ("b",))[number % 5],
                    metadata={key: value, "n": number} if number % 6 else {},
                    created_ms=NOW_MS - number * DAY_MS,
                    valid_from_ms=NOW_MS - number * DAY_MS,
                )
            )
    return entries


ENTRIES = _populate()


@pytest.fixture
def filled(index: VectorIndex) -> VectorIndex:
    """An index that holds `ENTRIES`."""
    index.apply(ENTRIES)
    return index


CONDITIONS = st.builds(
    Condition,
    key=st.sampled_from([*KEYS, "n", "absent"]),
    comparison=st.sampled_from([one for one in Comparison if one not in (Comparison.EXISTS, Comparison.IN)]),
    values=st.sampled_from(ASKED).map(lambda value: (value,)),
) | st.one_of(
    st.builds(
        Condition,
        key=st.sampled_from([*KEYS, "absent"]),
        comparison=st.just(Comparison.EXISTS),
        values=st.booleans().map(lambda value: (value,)),
    ),
    st.builds(
        Condition,
        key=st.sampled_from([*KEYS, "n"]),
        comparison=st.just(Comparison.IN),
        values=st.lists(st.sampled_from(ASKED), min_size=1, max_size=4).map(tuple),
    ),
)
MOMENTS = st.none() | st.integers(0, 70).map(lambda days: NOW_MS - days * DAY_MS)
FILTERS = st.builds(
    MemoryFilter,
    kinds=st.lists(st.sampled_from(MemoryKind), max_size=2, unique=True).map(tuple),
    layers=st.sampled_from([(), (), (Layer.RAW,), (Layer.RAW, Layer.DISTILLED)]),
    authors=st.sampled_from([(), (), ("assistant",), ("", "Ann"), ("ann",)]),
    user_ids=st.sampled_from([(), (), ("ann",), ("", "安"), ("nobody",)]),
    tags=st.sampled_from([(), (), ("a",), ("a", "b"), ("茶",), ("a b", "c,d"), ("missing",), ("A",)]),
    created_from_ms=MOMENTS,
    created_to_ms=MOMENTS,
    conditions=st.lists(CONDITIONS, max_size=2).map(tuple),
)
ON_A_FIXTURE = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.mark.slow
@ON_A_FIXTURE
@given(wanted=FILTERS, scope=st.sampled_from([HERE, HERE, THERE]))
def test_what_passes_is_found_and_nothing_else(filled: VectorIndex, wanted: MemoryFilter, scope: Scope) -> None:
    assert numbers(ask(filled, scope=scope, wanted=wanted)) == expect(ENTRIES, scope=scope, wanted=wanted)


@pytest.mark.slow
@pytest.mark.parametrize("comparison", [one for one in Comparison if one is not Comparison.EXISTS])
def test_every_comparison_with_every_value(filled: VectorIndex, comparison: Comparison) -> None:
    wrong = []
    for value in ASKED:
        wanted = where(Condition(key="x", comparison=comparison, values=(value,)))
        if numbers(ask(filled, wanted=wanted)) != expect(ENTRIES, wanted=wanted):
            wrong.append(value)
    assert not wrong


@pytest.mark.parametrize("present", [True, False])
def test_existence(filled: VectorIndex, present: bool) -> None:
    for key in (*KEYS, "n", "absent"):
        wanted = where(Condition(key=key, comparison=Comparison.EXISTS, values=(present,)))
        assert numbers(ask(filled, wanted=wanted)) == expect(ENTRIES, wanted=wanted), key


@pytest.mark.slow
@ON_A_FIXTURE
@given(wanted=FILTERS, limit=st.integers(1, 12))
def test_the_closest_of_those_that_pass_are_found(filled: VectorIndex, wanted: MemoryFilter, limit: int) -> None:
    passing = expect(ENTRIES, wanted=wanted)
    closest = [number for number in rank(ENTRIES, "query") if number in passing]
    assert [one.number for one in ask(filled, wanted=wanted, limit=limit)] == closest[:limit]


CHANGES = st.lists(
    st.tuples(
        st.integers(1, 8),
        st.none() | st.sampled_from([("a",), ("b",), ()]),
        st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(VALUES), max_size=2),
    ),
    min_size=1,
    max_size=20,
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(changes=CHANGES, wanted=FILTERS)
def test_any_row_of_changes_leaves_what_was_told_last(
    open_index: Callable[[], VectorIndex],
    changes: Sequence[tuple[int, tuple[str, ...] | None, dict[str, object]]],
    wanted: MemoryFilter,
) -> None:
    index = open_index()
    index.prepare(IDENTITY)
    index.apply([gone(number, claim=next(CLAIMS)) for number in range(1, 9)])
    last: dict[int, IndexEntry] = {}
    for number, tags, metadata in changes:
        claim = next(CLAIMS)
        told = gone(number, claim=claim)
        if tags is not None:
            told = entry(number, f"note {number}", tags=tags, metadata=metadata, claim=claim)
        index.apply([told])
        last[number] = told
    entries = list(last.values())
    assert numbers(ask(index)) == expect(entries)
    assert numbers(ask(index, wanted=wanted)) == expect(entries, wanted=wanted)
    assert index.count() == len(expect(entries))

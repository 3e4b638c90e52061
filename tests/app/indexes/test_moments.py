"""What holds now, and what held at a moment: planned, ended and superseded memories."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.indexing import IndexEntry
from app.domain.query import MemoryFilter
from app.ports import VectorIndex
from tests.app.indexes.samples import DAY_MS, NOW_MS, ask, entry, expect, numbers

DAYS = (-3, -2, -1, 0, 1, 2, 3)
ENDS: tuple[int | None, ...] = (None, *DAYS)


def _populate() -> list[IndexEntry]:
    """Every way in which a statement begins, ends, is planned and is superseded, by days from now."""
    entries: list[IndexEntry] = []
    for start in DAYS:
        for end in ENDS:
            for created in (-2, 0, 2):
                number = len(entries) + 1
                entries.append(
                    entry(
                        number,
                        f"note {number}",
                        valid_from_ms=NOW_MS + start * DAY_MS,
                        valid_to_ms=None if end is None else NOW_MS + end * DAY_MS,
                        created_ms=NOW_MS + created * DAY_MS,
                        superseded=number % 5 == 0,
                        revision_of="f" * 32 if number % 10 == 0 else "",
                    )
                )
    return entries


ENTRIES = _populate()


@pytest.fixture
def filled(index: VectorIndex) -> VectorIndex:
    """An index that holds `ENTRIES`."""
    index.apply(ENTRIES)
    return index


def test_the_samples_are_told_apart() -> None:
    assert 0 < len(expect(ENTRIES)) < len(expect(ENTRIES, as_of_ms=NOW_MS)) < len(ENTRIES)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    now=st.integers(-4, 4),
    as_of=st.none() | st.integers(-4, 4),
    edge_ms=st.sampled_from([-1, 0, 1]),
    created_from=st.none() | st.integers(-2, 2),
)
def test_what_holds_is_found_and_nothing_else(
    filled: VectorIndex, now: int, as_of: int | None, edge_ms: int, created_from: int | None
) -> None:
    now_ms = NOW_MS + now * DAY_MS + edge_ms
    as_of_ms = None if as_of is None else NOW_MS + as_of * DAY_MS + edge_ms
    wanted = MemoryFilter(created_from_ms=None if created_from is None else NOW_MS + created_from * DAY_MS)
    found = ask(filled, wanted=wanted, now_ms=now_ms, as_of_ms=as_of_ms)
    assert numbers(found) == expect(ENTRIES, wanted=wanted, now_ms=now_ms, as_of_ms=as_of_ms)


def test_a_planned_memory_is_found_when_its_time_comes(index: VectorIndex) -> None:
    index.apply([entry(1, "moves to Oslo", valid_from_ms=NOW_MS + 1000, created_ms=NOW_MS)])
    assert ask(index, now_ms=NOW_MS + 999) == []
    assert numbers(ask(index, now_ms=NOW_MS + 1000)) == {1}


def test_moments_long_ago_and_far_ahead(index: VectorIndex) -> None:
    far_ms = 253_402_300_799_999  # the last millisecond of the year 9999
    index.apply([entry(1, "tea", valid_from_ms=0, valid_to_ms=far_ms, created_ms=0)])
    assert numbers(ask(index)) == {1}
    assert numbers(ask(index, as_of_ms=far_ms - 1)) == {1}
    assert ask(index, as_of_ms=far_ms) == []
    assert ask(index, as_of_ms=-1) == []

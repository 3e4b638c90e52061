"""The indexer: tells what anybody wrote, shares the work, and lets nothing keep it from the rest."""

import logging
from collections.abc import Callable
from itertools import count
from pathlib import Path
from threading import Event, Thread
from threading import enumerate as list_threads
from time import monotonic

import pytest

from app.backends import sqlite
from app.backends.clock import SteppingClock, SystemClock
from app.backends.indexed import DRAIN_S, IndexedStore, Store, open_store
from app.domain.change import Delete
from app.domain.query import Candidate
from tests.app.contract.samples import (
    ALL,
    HERE,
    IDENTITY,
    add,
    adding,
    change,
    commit,
    found_texts,
    updating,
    vector_of,
)
from tests.app.indexed.conftest import OpenIndexed
from tests.app.indexed.telling import wait_until_told
from tests.app.indexed.troubles import TroubledIndex
from tests.servers.waiting import PATIENCE_S, wait_until


def ask(index: TroubledIndex, text: str = "query") -> list[Candidate]:
    """What the index alone finds."""
    return index.index.nearest(HERE, vector_of(text), ALL, limit=1000, now_ms=1_800_000_000_000)


def find_indexers() -> set[Thread]:
    """The indexers that run in this process, those that an earlier test left included."""
    return {thread for thread in list_threads() if thread.name == "reme-indexer" and thread.is_alive()}


def test_what_is_written_is_told_soon(busy: IndexedStore[Store], index: TroubledIndex, clock: SteppingClock) -> None:
    memories = [add(busy, f"note {number}") for number in range(10)]
    change(busy, updating(memories[0], content="other"))
    change(busy, Delete(memory_id=memories[1].id))
    wait_until_told(busy, clock)
    assert set(found_texts(busy, ask(index))) == {"other", *(f"note {number}" for number in range(2, 10))}
    assert index.index.count() == 10, "nine texts, and the earlier one for searches as of a moment"


def test_what_is_written_together_is_told_together(
    busy: IndexedStore[Store], index: TroubledIndex, clock: SteppingClock
) -> None:
    commit(busy, *(adding(f"note {number}") for number in range(900)))
    wait_until_told(busy, clock)
    assert len(index.told) <= 3
    assert index.index.count() == 900


def test_what_was_there_before_the_index_is_told(
    make_store: Callable[[], Store], index: TroubledIndex, open_indexed: OpenIndexed, clock: SteppingClock
) -> None:
    store = make_store()
    commit(store, *(adding(f"note {number}") for number in range(50)))
    both = open_indexed(store, index)
    wait_until_told(both, clock)
    assert index.index.count() == 50
    assert both.state().built == 1.0


def test_one_refused_memory_keeps_none_of_the_others_back(
    make_store: Callable[[], Store],
    index: TroubledIndex,
    open_indexed: OpenIndexed,
    caplog: pytest.LogCaptureFixture,
    clock: SteppingClock,
) -> None:
    store = make_store()
    commit(store, *(adding(f"note {number}") for number in range(40)))
    (refused,) = store.index.nearest(HERE, vector_of("note 17"), ALL, limit=1)
    index.refused = {refused.number}
    with caplog.at_level(logging.WARNING, logger="reme.index"):
        both = open_indexed(store, index)
        wait_until(lambda: len(store.feed.waiting(limit=9)) == 1, "all but one to be told")
        wait_until(lambda: str(refused.number) in caplog.text, "the refusal to be logged")
    assert index.index.count() == 39
    found = both.index.nearest(HERE, vector_of("note 17"), ALL, limit=1)
    assert found_texts(both, found) == ["note 17"], "what the index refuses is compared in the store"
    assert both.index.counts.by_index == 1
    assert "note 17" not in caplog.text
    index.refused = set()
    wait_until_told(both, clock)
    assert index.index.count() == 40


def test_another_process_s_writes_are_told(tmp_path: Path, index: TroubledIndex, open_indexed: OpenIndexed) -> None:
    clock = SystemClock()
    open_indexed(sqlite.open_store(tmp_path / "memory.db", identity=IDENTITY, clock=clock), index)
    writer = sqlite.open_store(tmp_path / "memory.db", identity=IDENTITY, clock=clock)
    try:
        add(writer, "tea")
        wait_until(lambda: not writer.feed.waiting(limit=1), "the other to look")
        assert index.index.count() == 1
    finally:
        writer.close()


def test_several_share_the_work(tmp_path: Path, open_indexed: OpenIndexed, clock: SteppingClock) -> None:
    first = TroubledIndex()
    indexes = [first, *(TroubledIndex(first.index.connect()) for _ in range(2))]  # type: ignore[attr-defined]
    stores = [
        open_indexed(
            sqlite.open_store(tmp_path / "memory.db", identity=IDENTITY, clock=SystemClock()), index, lease_s=300.0
        )
        for index in indexes
    ]
    for index in indexes:
        index.delay_s = 0.02
    written = count()

    def is_shared() -> bool:
        for store in stores:
            add(store, f"note {next(written)}")
        return sum(bool(index.told) for index in indexes) > 1

    for _ in range(20):
        is_shared()
    wait_until(is_shared, "a second one to tell some of what is written")
    wait_until(lambda: not stores[0].store.feed.waiting(limit=1), "the index to be told of everything")
    every = next(written)
    assert first.index.count() == every
    told = [entry.number for index in indexes for batch in index.told for entry in batch]
    assert len(told) == len(set(told)) == every


def test_closing_tells_what_waits(make_store: Callable[[], Store], index: TroubledIndex, clock: SteppingClock) -> None:
    others = find_indexers()
    both = open_store(make_store(), index, identity=IDENTITY, clock=clock, look_s=60.0, drain_s=PATIENCE_S)
    commit(both, *(adding(f"note {number}") for number in range(1500)))
    both.close()
    assert index.index.count() == 1500
    assert find_indexers() <= others


def test_closing_waits_no_longer_than_it_may(
    make_store: Callable[[], Store], index: TroubledIndex, clock: SteppingClock
) -> None:
    others = find_indexers()
    both = open_store(make_store(), index, identity=IDENTITY, clock=clock, drain_s=0.2)
    index.hangs = Event()
    add(both, "tea")
    wait_until(lambda: index.asked > 2, "the index to be told")
    started = monotonic()
    both.close()
    assert index.closed_s - started < DRAIN_S, "how long the store takes to close is another matter"
    index.hangs.set()
    wait_until(lambda: find_indexers() <= others, "the thread to end")


def test_nothing_is_told_after_others_may_have_claimed_it(
    idle: IndexedStore[Store], index: TroubledIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(idle, "tea")
    monkeypatch.setattr(idle.indexer, "_lease_s", 0.0)
    assert idle.indexer.work()
    assert not index.told
    assert len(idle.store.feed.waiting(limit=9)) == 1


def test_a_change_while_it_is_told_is_told_again(
    idle: IndexedStore[Store], index: TroubledIndex, clock: SteppingClock
) -> None:
    memory = add(idle, "tea", tags=("old",))
    change(idle, updating(memory, tags=("new",)))
    (entry,) = idle.store.feed.claim(9, lease_ms=60_000)
    change(idle, updating(memory, tags=("newest",)))
    assert not idle.indexer.work(), "the other teller is not done"
    index.apply([entry])
    idle.store.feed.settle([entry])
    assert idle.indexer.work()
    (told,) = index.told[-1]
    assert told.memory is not None
    assert told.memory.tags == ("newest",)

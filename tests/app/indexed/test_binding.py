"""The collection that a store's notes are for: made, made anew, moved, away; and what is told about it."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from app.backends import sqlite
from app.backends.clock import SteppingClock, SystemClock
from app.backends.indexed import IndexedStore, Store
from app.backends.memory.vector_index import DIMENSIONS, RamVectorIndex
from app.domain.change import Delete
from app.domain.embedding import EmbeddingIdentity
from app.errors import EmbeddingMismatch, IndexUnavailable, SettingsError
from tests.app.contract.samples import (
    ALL,
    HERE,
    IDENTITY,
    OTHER_IDENTITY,
    add,
    adding,
    change,
    commit,
    found_texts,
    vector_of,
)
from tests.app.indexed.conftest import OpenIndexed
from tests.app.indexed.telling import wait_until_told
from tests.app.indexed.test_indexer import ask
from tests.app.indexed.troubles import TroubledIndex
from tests.servers.waiting import wait_until


def quick(store: IndexedStore[Store], text: str, dimensions: int = IDENTITY.dimensions) -> list[str]:
    """What the search that need not be exact finds."""
    return found_texts(store, store.index.nearest(HERE, vector_of(text, dimensions), ALL, limit=50))


def move(store: IndexedStore[Store]) -> None:
    """Move a store to the wider embedding."""
    store.spaces.begin(OTHER_IDENTITY)
    pending = store.spaces.pending(100)
    store.spaces.supply([(number, vector_of(text, OTHER_IDENTITY.dimensions)) for number, text in pending])
    store.spaces.cut_over()


def test_the_state_tells_how_far_the_index_is(idle: IndexedStore[Store], index: TroubledIndex) -> None:
    state = idle.state()
    assert (state.waiting, state.built, state.breaker, state.error, state.is_used) == (0, 1.0, "closed", "", True)
    commit(idle, *(adding(f"note {number}") for number in range(4)))
    assert (idle.state().waiting, idle.state().built) == (4, 0.0)
    idle.indexer.work()
    commit(idle, adding("later"))
    assert (idle.state().waiting, idle.state().built) == (1, 0.8)
    quick(idle, "note 1")
    assert idle.state().searches.by_index == 1
    index.away = True
    quick(idle, "note 1")
    assert (idle.state().error, idle.state().searches.by_store) == ("index-unavailable", 1)


def test_the_breaker_opens_and_only_the_indexer_closes_it(idle: IndexedStore[Store], index: TroubledIndex) -> None:
    add(idle, "tea")
    index.away = True
    for _ in range(3):
        assert quick(idle, "tea") == ["tea"]
    assert idle.state().breaker == "open"
    asked = index.asked
    for _ in range(5):
        assert quick(idle, "tea") == ["tea"]
    assert index.asked == asked, "an index that is left alone is not asked"
    index.away = False
    idle.indexer.start(failed=True)
    wait_until(lambda: idle.state().is_used, "the index to be asked again")
    assert idle.state().breaker == "closed"


def test_a_rebuild_makes_the_collection_anew(
    busy: IndexedStore[Store], index: TroubledIndex, clock: SteppingClock
) -> None:
    commit(busy, *(adding(f"note {number}") for number in range(20)))
    wait_until_told(busy, clock)
    mark = busy.collection.mark
    assert busy.rebuild() == 20
    assert busy.collection.mark != mark
    assert quick(busy, "note 3")[0] == "note 3"
    wait_until_told(busy, clock)
    assert index.index.count() == 20


def test_a_collection_that_is_lost_is_made_anew(
    busy: IndexedStore[Store], index: TroubledIndex, clock: SteppingClock
) -> None:
    commit(busy, *(adding(f"note {number}") for number in range(20)))
    wait_until_told(busy, clock)
    index.index.drop()
    assert quick(busy, "note 3")[0] == "note 3"
    add(busy, "later")  # by which the indexer finds out
    wait_until_told(busy, clock)
    assert index.index.count() == 21


def test_a_collection_whose_changes_nobody_noted_is_made_anew(
    make_store: Callable[[], Store], index: TroubledIndex, open_indexed: OpenIndexed
) -> None:
    both = open_indexed(make_store(), index, indexing=False)
    gone = add(both, "gone")
    add(both, "kept")
    both.indexer.work()
    store = both.store
    store.feed.detach()  # as a service without an index does
    change(store, Delete(memory_id=gone.id))
    both.collection.bind()
    assert index.index.count() == 0
    both.indexer.work()
    assert found_texts(both, ask(index)) == ["kept"]


def test_a_detached_store_searches_by_itself(idle: IndexedStore[Store]) -> None:
    add(idle, "tea")
    idle.indexer.work()
    idle.store.feed.detach()
    add(idle, "milk")
    assert set(quick(idle, "tea")) == {"tea", "milk"}
    assert idle.index.counts.by_store == 1
    assert not idle.state().is_used


def test_a_move_makes_the_collection_anew_for_the_other_embedding(
    busy: IndexedStore[Store], index: TroubledIndex, clock: SteppingClock
) -> None:
    commit(busy, *(adding(f"note {number}") for number in range(20)))
    wait_until_told(busy, clock)
    move(busy)
    wide = OTHER_IDENTITY.dimensions
    assert quick(busy, "note 3", wide)[0] == "note 3"
    wait_until_told(busy, clock)
    before = busy.index.counts.by_index
    assert quick(busy, "note 3", wide)[0] == "note 3"
    assert busy.index.counts.by_index == before + 1
    with pytest.raises(EmbeddingMismatch):
        quick(busy, "note 3")


@pytest.mark.slow
def test_a_move_while_the_index_is_away(busy: IndexedStore[Store], index: TroubledIndex, clock: SteppingClock) -> None:
    add(busy, "tea")
    wait_until_told(busy, clock)
    index.away = True
    move(busy)
    assert quick(busy, "tea", OTHER_IDENTITY.dimensions) == ["tea"]
    index.away = False
    wait_until_told(busy, clock)
    assert index.index.count() == 1


def test_a_process_that_was_left_behind_by_a_move_does_not_ask_the_index(
    tmp_path: Path, open_indexed: OpenIndexed
) -> None:
    clock, first = SystemClock(), RamVectorIndex()
    path = tmp_path / "memory.db"
    mover = open_indexed(sqlite.open_store(path, identity=IDENTITY, clock=clock), first)
    left = open_indexed(sqlite.open_store(path, identity=IDENTITY, clock=clock), first.connect())
    add(mover, "tea")
    move(mover)
    with pytest.raises(EmbeddingMismatch):
        quick(left, "tea")
    wait_until(lambda: mover.state().is_used and not mover.state().waiting, "the index to be built anew")
    with pytest.raises(EmbeddingMismatch):
        quick(left, "tea")
    left.collection.bind()
    assert not left.state().is_used
    assert quick(mover, "tea", OTHER_IDENTITY.dimensions) == ["tea"]


def test_another_process_follows_a_rebuild(tmp_path: Path, open_indexed: OpenIndexed) -> None:
    clock, first = SystemClock(), RamVectorIndex()
    path = tmp_path / "memory.db"
    one = open_indexed(sqlite.open_store(path, identity=IDENTITY, clock=clock), first)
    other = open_indexed(sqlite.open_store(path, identity=IDENTITY, clock=clock), first.connect())
    commit(one, *(adding(f"note {number}") for number in range(20)))
    one.rebuild()
    assert len(quick(other, "note 3")) == 20
    wait_until(lambda: other.state().is_used and not other.state().waiting, "the other to follow")
    assert len(quick(other, "note 3")) == 20
    assert one.collection.mark == other.collection.mark


def test_the_store_opens_without_its_index(
    make_store: Callable[[], Store],
    index: TroubledIndex,
    open_indexed: OpenIndexed,
    caplog: pytest.LogCaptureFixture,
    clock: SteppingClock,
) -> None:
    index.away = True
    with caplog.at_level(logging.WARNING, logger="reme.index"):
        both = open_indexed(make_store(), index)
    assert "searches by itself" in caplog.text
    add(both, "tea")
    assert quick(both, "tea") == ["tea"]
    index.away = False
    wait_until_told(both, clock)
    assert index.index.count() == 1


def test_a_rebuild_without_the_index_says_so(idle: IndexedStore[Store], index: TroubledIndex) -> None:
    add(idle, "tea")
    index.away = True
    with pytest.raises(IndexUnavailable):
        idle.rebuild()
    assert quick(idle, "tea") == ["tea"]
    index.away = False
    assert idle.rebuild() == 1


def test_more_dimensions_than_the_index_takes_are_refused(
    make_store: Callable[[], Store], idle: IndexedStore[Store], clock: SteppingClock, open_indexed: OpenIndexed
) -> None:
    wide = EmbeddingIdentity(model="too-wide", dimensions=DIMENSIONS + 1)
    with pytest.raises(SettingsError, match=str(DIMENSIONS)):
        idle.spaces.begin(wide)
    store = make_store()
    with pytest.raises(SettingsError, match=str(DIMENSIONS)):
        open_indexed(store, RamVectorIndex(), identity=wide)
    store.close()

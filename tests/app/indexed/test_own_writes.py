"""A search sees every write that was acknowledged, whatever the index knows."""

from threading import Event

import pytest

from app.backends.clock import SteppingClock
from app.backends.indexed import IndexedStore, Store
from app.backends.indexed.search import OVERLAY
from app.backends.memory.vector_index import RamVectorIndex
from app.domain.change import Add, Delete, Restore
from app.domain.query import MemoryFilter
from tests.app.contract.samples import (
    ALL,
    FOREIGN,
    HERE,
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
from tests.app.indexed.telling import wait_until_told
from tests.app.indexed.troubles import TroubledIndex
from tests.servers.waiting import wait_until


def quick(store: IndexedStore[Store], text: str, *, limit: int = 50, wanted: MemoryFilter = ALL) -> list[str]:
    """What the search that need not be exact finds."""
    return found_texts(store, store.index.nearest(HERE, vector_of(text), wanted, limit=limit))


def tell(store: IndexedStore[Store]) -> None:
    """Tell the index all that waits."""
    while store.indexer.work():
        pass


def live_through(store: IndexedStore[Store]) -> None:
    """Add, change, delete, restore and purge, and find each time what there is."""
    texts = [f"note {number}" for number in range(30)]
    memories = [add(store, text, tags=("a",)) for text in texts]
    assert near(store, "note 7")[0] == quick(store, "note 7")[0] == "note 7"
    assert set(quick(store, "query")) == set(texts)
    change(store, updating(memories[7], content="other 7"))
    assert quick(store, "other 7")[0] == "other 7"
    assert "note 7" not in quick(store, "note 7")
    change(store, updating(memories[8], tags=("b",)))
    assert quick(store, "query", wanted=MemoryFilter(tags=("b",))) == ["note 8"]
    assert "note 8" not in quick(store, "note 8", wanted=MemoryFilter(tags=("a",)))
    change(store, Delete(memory_id=memories[9].id))
    assert "note 9" not in quick(store, "note 9")
    change(store, Restore(memory_id=memories[9].id))
    assert quick(store, "note 9")[0] == "note 9"
    add(store, "note of ann", user_id="ann")
    store.memories.purge(HERE, user_id="ann")
    assert "note of ann" not in quick(store, "note of ann")
    add(store, "note there", scope=THERE)
    store.workspaces.delete_workspace(THERE)
    assert near(store, "note there", scope=THERE) == []
    assert len(quick(store, "query", limit=5)) == 5
    assert match(store, "other") == ["other 7"]


def test_while_the_index_is_told_nothing(idle: IndexedStore[Store], index: TroubledIndex) -> None:
    live_through(idle)
    assert not index.told
    assert idle.index.counts.by_store == 0, "the index was asked, and what it lacks was added"


def test_while_the_index_is_told_now_and_then(idle: IndexedStore[Store]) -> None:
    live_through(idle)
    tell(idle)
    commit(idle, *(adding(f"later {number}") for number in range(20)))
    assert quick(idle, "later 3")[0] == "later 3"
    assert len(quick(idle, "query")) == 50
    tell(idle)
    assert quick(idle, "later 3")[0] == "later 3"
    assert idle.index.counts.by_store == 0


@pytest.mark.slow
def test_while_the_indexer_runs(busy: IndexedStore[Store], index: TroubledIndex, clock: SteppingClock) -> None:
    for _ in range(3):
        live_through(busy)
        busy.memories.purge(HERE)
    wait_until_told(busy, clock)
    assert index.count() == 0


def test_while_the_index_is_away(busy: IndexedStore[Store], index: TroubledIndex, clock: SteppingClock) -> None:
    index.away = True
    live_through(busy)
    assert busy.state().waiting > 0
    assert not busy.state().is_used
    index.away = False
    wait_until_told(busy, clock)
    before = busy.index.counts.by_index
    assert quick(busy, "other 7")[0] == "other 7"
    assert busy.index.counts.by_index == before + 1


def test_while_the_index_is_slow(busy: IndexedStore[Store], index: TroubledIndex) -> None:
    index.hangs = Event()
    for number in range(20):
        add(busy, f"note {number}")
    assert not index.told, "a write does not wait for the index"
    assert quick(busy, "note 19")[0] == "note 19"
    index.hangs.set()


def test_while_more_waits_than_is_compared(idle: IndexedStore[Store], index: TroubledIndex) -> None:
    commit(idle, *(adding(f"note {number}") for number in range(OVERLAY + 1)))
    commit(idle, adding("note elsewhere"), scope=FOREIGN)
    assert quick(idle, "note 7")[0] == "note 7"
    assert idle.index.counts.by_store == 1
    assert index.index.count() == 0
    found = idle.index.nearest(FOREIGN, vector_of("note elsewhere"), ALL, limit=5)
    assert found_texts(idle, found, FOREIGN) == ["note elsewhere"]
    assert idle.index.counts.by_index == 1, "what waits in one workspace does not keep another from the index"


def test_what_is_planned_and_what_was(idle: IndexedStore[Store], clock: SteppingClock) -> None:
    now_ms = clock.now_ms()
    for told in (False, True):
        if told:
            tell(idle)
        else:
            memory = add(idle, "lives in Rome", slot="home")
            add(idle, "lives in Oslo", slot="home", valid_from_ms=now_ms + 1000)
        assert quick(idle, "query") == ["lives in Rome"]
        at = idle.index.nearest(HERE, vector_of("query"), ALL, limit=9, as_of_ms=now_ms + 2000)
        assert found_texts(idle, at) == ["lives in Oslo"]
    clock.step(1000)
    assert quick(idle, "query") == ["lives in Oslo"]
    clock.step(1)
    change(idle, updating(memory, content="lived in Rome"))
    past = idle.index.nearest(HERE, vector_of("lives in Rome"), ALL, limit=9, as_of_ms=now_ms)
    assert found_texts(idle, past) == ["lives in Rome"]


def test_an_index_that_forgot_something_is_not_believed_about_the_rest(
    idle: IndexedStore[Store], index: TroubledIndex
) -> None:
    memories = [add(idle, f"note {number}") for number in range(60)]
    tell(idle)
    store = idle.store
    for memory in memories[:50]:  # as if others had told the index, and then their telling was lost
        change(store, Delete(memory_id=memory.id))
    store.feed.settle(store.feed.claim(100, lease_ms=1000))
    assert not store.feed.waiting(limit=1)
    assert set(quick(idle, "query", limit=10)) == {f"note {number}" for number in range(50, 60)}
    assert idle.index.counts.stale > 0


def test_words_are_asked_of_an_index_only_where_it_knows_the_workspace(
    idle: IndexedStore[Store], index: TroubledIndex
) -> None:
    index.index = RamVectorIndex(keywords=True)
    idle.collection.bind()
    add(idle, "green tea")
    assert match(idle, "tea") == ["green tea"]
    assert idle.index.counts.by_index == 0
    tell(idle)
    assert match(idle, "tea") == ["green tea"]
    assert idle.index.counts.by_index == 1
    change(idle, Add(draft=draft("black tea"), vector=None))
    idle.indexer.work()
    assert set(match(idle, "tea")) == {"green tea", "black tea"}, "what has no vector is found by its words"
    (missing,) = idle.spaces.lacking(9)
    idle.spaces.fill([(missing.number, vector_of("black tea"))])

    def is_told() -> bool:
        tell(idle)
        return not idle.store.feed.waiting(limit=1)

    wait_until(is_told, "the vector to be told")
    before = idle.index.counts.by_index
    assert set(match(idle, "tea")) == {"green tea", "black tea"}
    assert idle.index.counts.by_index == before + 1

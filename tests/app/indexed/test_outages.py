"""The index's server stands still, dies and comes back empty, while memories are written and searched for."""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from app.backends import sqlite
from app.backends.chroma import open_index
from app.backends.clock import SystemClock
from app.backends.indexed import IndexedStore, Store
from app.domain.query import MemoryFilter
from app.ports import VectorIndex
from tests.app.contract.samples import ALL, HERE, IDENTITY, add, change, changed, found_texts, updating, vector_of
from tests.app.indexed.conftest import OpenIndexed
from tests.servers.chroma import ChromaServer
from tests.servers.waiting import PATIENCE_S, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chroma")]


@pytest.fixture
def index(own_chroma: ChromaServer) -> VectorIndex:
    """A client that gives up soon."""
    return open_index(own_chroma.host, own_chroma.port, search_timeout_s=0.5, timeout_s=0.5)


@pytest.fixture
def both(index: VectorIndex, tmp_path: Path, open_indexed: OpenIndexed) -> IndexedStore[Store]:
    """A SQLite store beside it."""
    store = sqlite.open_store(tmp_path / "memory.db", identity=IDENTITY, clock=SystemClock())
    return open_indexed(store, index, recovery_s=3.0)


@contextmanager
def patient(server: ChromaServer) -> Iterator[VectorIndex]:
    """Another client of the collection, which gives up never."""
    index = open_index(server.host, server.port, search_timeout_s=PATIENCE_S, timeout_s=PATIENCE_S)
    with closing(index):
        index.prepare(IDENTITY)
        yield index


def search(store: IndexedStore[Store], wanted: MemoryFilter = ALL) -> set[str]:
    return set(found_texts(store, store.index.nearest(HERE, vector_of("query"), wanted, limit=50)))


def wait_until_told(store: IndexedStore[Store]) -> None:
    wait_until(lambda: store.state().is_used and not store.state().waiting, "the index to be told of everything")


def find_alone(index: VectorIndex, store: IndexedStore[Store], tag: str) -> set[str]:
    """What the index finds by itself."""
    found = index.nearest(HERE, vector_of("query"), MemoryFilter(tags=(tag,)), limit=50, now_ms=SystemClock().now_ms())
    return set(found_texts(store, found))


def test_what_a_server_had_received_before_it_stood_still_does_not_win(
    own_chroma: ChromaServer, both: IndexedStore[Store]
) -> None:
    memories = [add(both, f"note {number}", tags=("0",)) for number in range(5)]
    wait_until_told(both)
    for round_ in range(1, 4):
        own_chroma.pause()
        for attempt in range(2):
            tag = f"{round_}.{attempt}"
            memories = [changed(both, updating(memory, tags=(tag,))) for memory in memories]
            assert search(both, MemoryFilter(tags=(tag,))) == {f"note {number}" for number in range(5)}
            asked = both.collection.error
            wait_until(lambda: both.collection.error == "index-unavailable", f"the index to be given up, not {asked}")
        own_chroma.resume()
        wait_until_told(both)
        with patient(own_chroma) as alone:
            assert find_alone(alone, both, tag) == {f"note {number}" for number in range(5)}
            assert alone.count() == 5


def test_a_server_that_dies_and_comes_back(own_chroma: ChromaServer, both: IndexedStore[Store]) -> None:
    for number in range(5):
        add(both, f"note {number}")
    own_chroma.kill()
    for number in range(5, 10):
        add(both, f"note {number}")
        assert f"note {number}" in search(both)
    assert len(search(both)) == 10
    own_chroma.start()
    wait_until_told(both)
    assert len(search(both)) == 10


def test_a_server_that_comes_back_empty(own_chroma: ChromaServer, both: IndexedStore[Store]) -> None:
    memory = add(both, "note")
    wait_until_told(both)
    own_chroma.kill()
    shutil.rmtree(own_chroma.folder / "data")
    own_chroma.start()
    assert search(both) == {"note"}
    change(both, updating(memory, tags=("later",)))
    wait_until_told(both)
    with patient(own_chroma) as alone:
        assert alone.count() == 1
        assert find_alone(alone, both, "later") == {"note"}

"""Stores with an index beside them that is told of everything before each search, or of nothing at all."""

from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from app.backends.clock import SteppingClock
from app.backends.indexed import IndexedStore, Store, open_store
from app.backends.indexed.collection import Collection
from app.backends.indexed.indexer import Indexer
from app.backends.indexed.search import IndexedSearch
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.memory import Scope
from app.domain.query import Candidate, MemoryFilter
from app.errors import IndexUnavailable
from app.ports import Clock, IndexFeed, SearchIndex, VectorIndex
from tests.servers.waiting import wait_until

S = TypeVar("S", bound=Store)


class TellingSearch(IndexedSearch):
    """Tells the index of all that waits, and searches then."""

    def __init__(
        self, store: SearchIndex, collection: Collection, *, feed: IndexFeed, clock: Clock, indexer: Indexer
    ) -> None:
        super().__init__(store, collection, feed=feed, clock=clock)
        self._indexer = indexer

    def tell(self) -> None:
        """Tell the index of all that waits."""
        while self._indexer.work():
            pass

    def nearest(
        self,
        scope: Scope,
        vector: Vector,
        memory_filter: MemoryFilter,
        *,
        limit: int,
        as_of_ms: int | None = None,
        exact: bool = False,
    ) -> list[Candidate]:
        """What the index finds."""
        self.tell()
        return super().nearest(scope, vector, memory_filter, limit=limit, as_of_ms=as_of_ms, exact=exact)

    def matching(
        self, scope: Scope, text: str, memory_filter: MemoryFilter, *, limit: int, as_of_ms: int | None = None
    ) -> list[Candidate]:
        """What the index finds, if it ranks by words."""
        self.tell()
        return super().matching(scope, text, memory_filter, limit=limit, as_of_ms=as_of_ms)


class Dropped:
    """A `VectorIndex` whose collection is dropped when it is closed."""

    def __init__(self, index: VectorIndex) -> None:
        self._index = index

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    def close(self) -> None:
        """Leave nothing on the server."""
        with suppress(IndexUnavailable):
            self._index.drop()
        self._index.close()


def open_untold(store: S, index: VectorIndex, *, identity: EmbeddingIdentity, clock: Clock) -> IndexedStore[S]:
    """A store whose index is told of nothing."""
    return open_store(store, index, identity=identity, clock=clock, indexing=False)


def open_told(store: S, index: VectorIndex, *, identity: EmbeddingIdentity, clock: Clock) -> IndexedStore[S]:
    """A store whose index knows everything when something is searched for."""
    opened = open_untold(store, index, identity=identity, clock=clock)
    search = TellingSearch(store.index, opened.collection, feed=store.feed, clock=clock, indexer=opened.indexer)
    return replace(opened, index=search)


def wait_until_told(store: IndexedStore[Store], clock: SteppingClock) -> None:
    """Wait until nothing waits and searches ask the index, while the time goes by, so that claims end."""

    def is_told() -> bool:
        clock.step(1000)
        return store.state().is_used and not store.store.feed.waiting(limit=1)

    wait_until(is_told, lambda: f"the index to be told of everything: {store.state()}")

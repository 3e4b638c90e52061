"""A store with a vector index beside it.

The store is the truth: a write is acknowledged when it is durable there, and the same transaction notes which numbers
changed. A thread tells the index. A search asks the index, and takes from the store what the index was not told, so it
sees every acknowledged write; where the index does not answer, or too much waits, the store searches by itself.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

from app.backends.indexed.collection import PAUSE_S, Collection
from app.backends.indexed.indexer import AGAIN_S, CHECK_S, LEASE_S, LOOK_S, RECOVERY_S, Indexer
from app.backends.indexed.search import IndexedSearch, SearchCounts
from app.backends.indexed.writes import IndexedMemories, IndexedSpaces, IndexedWorkspaces
from app.domain.embedding import EmbeddingIdentity
from app.errors import IndexUnavailable
from app.ports import (
    Accounts,
    Clock,
    Copying,
    IndexFeed,
    JobQueue,
    KeyStore,
    Meter,
    UserStore,
    VectorIndex,
    WorkingStore,
)
from app.ports.stores import Storage

__all__ = ["IndexState", "IndexedStore", "Store", "open_store"]

DRAIN_S = 5.0
"""How long closing waits for the index to be told what waits; the rest is told after the next start."""
COUNTED = 100_000
"""Memories that wait are counted up to this many."""

log = logging.getLogger("reme.index")


@runtime_checkable
class Store(Storage, Protocol):
    """A store that notes what an index is to be told."""

    @property
    def feed(self) -> IndexFeed: ...


S = TypeVar("S", bound=Store)


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexState:
    """How the index stands, for readiness and metrics.

    `waiting` memories were not told yet (counted up to 100,000), `built` is the share of all that it was told, in 0..1.
    `breaker` is closed, open or half-open; `error` the slug of the last batch's error, else of the last call's, empty
    where both went well. `is_used` says whether searches ask it.
    """

    waiting: int
    built: float
    breaker: str
    error: str
    is_used: bool
    searches: SearchCounts


@dataclass(frozen=True, kw_only=True)
class IndexedStore(Generic[S]):
    """Every storage port: of `store`, but for searches, which ask the index too."""

    store: S
    collection: Collection
    indexer: Indexer
    memories: IndexedMemories
    index: IndexedSearch
    workspaces: IndexedWorkspaces
    spaces: IndexedSpaces
    drain_s: float = DRAIN_S

    @property
    def users(self) -> UserStore:
        """The store's."""
        return self.store.users

    @property
    def keys(self) -> KeyStore:
        """The store's."""
        return self.store.keys

    @property
    def jobs(self) -> JobQueue:
        """The store's."""
        return self.store.jobs

    @property
    def meter(self) -> Meter:
        """The store's."""
        return self.store.meter

    @property
    def ledger(self) -> Accounts:
        """The store's."""
        return self.store.ledger

    @property
    def working(self) -> WorkingStore:
        """The store's."""
        return self.store.working

    @property
    def copying(self) -> Copying:
        """The store's; the index is told of copied rows by the store's notes."""
        return self.store.copying

    def state(self) -> IndexState:
        """How the index stands now. Raises a `StoreError` where the store does not answer."""
        is_used = self.collection.is_usable and self.collection.is_current  # first: what is attached then waits later
        waiting = len(self.store.feed.waiting(limit=COUNTED))
        return IndexState(
            waiting=waiting,
            built=self._count_built(waiting),
            breaker=self.collection.breaker,
            error=self.collection.refusal or self.collection.error,
            is_used=is_used,
            searches=self.index.counts,
        )

    def _count_built(self, waiting: int) -> float:
        if not self.collection.mark:
            return 0.0
        if not waiting:
            return 1.0
        try:
            held = self.collection.count()
        except IndexUnavailable:
            return 0.0
        return held / (held + waiting)

    def rebuild(self) -> int:
        """Make the index anew from the store; returns how many memories it will be told of.

        Until then the store searches by itself. Raises `IndexUnavailable`, `SettingsError`, or another `StoreError`.
        """
        noted = self.collection.rebuild()
        self.indexer.wake()
        return noted

    def close(self) -> None:
        """Tell the index what waits, for some seconds at most, and close it and the store."""
        try:
            self.indexer.close(drain_s=self.drain_s)
            self.collection.index.close()
        finally:
            self.store.close()


def open_store(
    store: S,
    index: VectorIndex,
    *,
    identity: EmbeddingIdentity,
    clock: Clock,
    lease_s: float = LEASE_S,
    look_s: float = LOOK_S,
    pause_s: float = PAUSE_S,
    recovery_s: float = RECOVERY_S,
    again_s: float = AGAIN_S,
    check_s: float = CHECK_S,
    drain_s: float = DRAIN_S,
    indexing: bool = True,
) -> IndexedStore[S]:
    """Put an index beside an open store; both are closed with what is returned.

    `identity` is what this process embeds with. The collection is made if it is missing; where the index does not
    answer, that is done when it does. `lease_s` must be longer than the deadline of a call of the index. Without
    `indexing` this process tells the index nothing. Raises `SettingsError` where the index cannot do what is asked of
    it, or a `StoreError` of the store; then both stay open.
    """
    collection = Collection(index, feed=store.feed, spaces=store.spaces, identity=identity, pause_s=pause_s)
    failed = False
    try:
        collection.bind()
    except IndexUnavailable as error:
        failed = True
        log.warning("the store searches by itself: %s", error.message, extra={"operation": "index"})
    for sentence in index.abilities.lacks:
        log.warning("the vector index: %s", sentence, extra={"operation": "index"})
    indexer = Indexer(
        collection,
        store.feed,
        lease_s=lease_s,
        look_s=look_s,
        recovery_s=recovery_s,
        again_s=again_s,
        check_s=check_s,
    )
    wake: Callable[[], None] = indexer.wake
    if indexing:
        indexer.start(failed=failed)
    return IndexedStore(
        store=store,
        collection=collection,
        indexer=indexer,
        memories=IndexedMemories(store.memories, wake),
        index=IndexedSearch(store.index, collection, feed=store.feed, clock=clock),
        workspaces=IndexedWorkspaces(store.workspaces, wake),
        spaces=IndexedSpaces(store.spaces, collection, wake),
        drain_s=drain_s,
    )

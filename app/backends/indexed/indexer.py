"""The thread that tells the vector index what the store notes."""

import logging
from collections.abc import Sequence
from threading import Event, Thread
from time import monotonic

from app.backends.indexed.collection import Collection
from app.domain.indexing import IndexEntry
from app.errors import EmbeddingMismatch, IndexUnavailable, MemoryServiceError, StoreFull
from app.ports import IndexFeed

BATCH = 1000
"""Memories that the index is told of at once."""
LOOK_S = 1.0
"""How often other processes' notes are looked for."""
GATHER_S = 0.01
"""What is written within this time is told together."""
LEASE_S = 120.0
"""How long a claim lasts; longer than the deadline of a call of the index, so that nobody tells an earlier state after
another told a later one."""
REBUILD_S = 5.0
"""How long a store without a collection is left to whoever is just making it anew."""
RECOVERY_S = 2.0
"""How long an index that is back is left to what it had received before it failed, and may do only now."""
AGAIN_S = 10.0
"""How often is tried again what the index refused, and what has no vector; a second more for each thousand of them.
Also how often an index without space is tried again."""
CHECK_S = 5.0
"""How often an index that nothing is told is looked at, so that readiness and the breaker know before a search does."""

log = logging.getLogger("reme.index")


class Indexer:
    """Tells the index, one batch after another, of what this process and others wrote.

    Several processes share the work. What is claimed by one that dies is told by another when the claim ends.
    """

    def __init__(
        self,
        collection: Collection,
        feed: IndexFeed,
        *,
        lease_s: float = LEASE_S,
        look_s: float = LOOK_S,
        recovery_s: float = RECOVERY_S,
        again_s: float = AGAIN_S,
        check_s: float = CHECK_S,
    ) -> None:
        self._collection, self._feed = collection, feed
        self._lease_s, self._look_s, self._recovery_s, self._again_s = lease_s, look_s, recovery_s, again_s
        self._check_s, self._asked_s = check_s, monotonic()
        self._again_from_s = 0.0
        self._wake, self._stop = Event(), Event()
        self._failed = False
        self._unbound_s: float | None = None
        self._until_s = 0.0
        self._told = ""
        self._kept: list[IndexEntry] = []
        self._kept_s = 0.0
        self._thread = Thread(target=self._run, name="reme-indexer", daemon=True)

    def start(self, *, failed: bool = False) -> None:
        """Begin; `failed` says that the collection could not be prepared yet."""
        self._failed = failed
        self._thread.start()

    def wake(self) -> None:
        """Say that something was written."""
        self._wake.set()

    def close(self, *, drain_s: float) -> None:
        """Tell what waits, for `drain_s` at most, and end; what is left is told later, by whoever opens the store."""
        self._until_s = monotonic() + drain_s
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(drain_s)

    def work(self) -> bool:
        """Tell one batch; returns whether there may be more. Raises `IndexUnavailable` or another `StoreError`."""
        if not self._is_ready():
            return False
        self._let_go()
        until_s = monotonic() + self._lease_s / 2
        entries = self._feed.claim(BATCH, lease_ms=int(self._lease_s * 1000))
        if entries:
            self._tell(entries, until_s)
            return True
        self._note_taken()
        if monotonic() - self._asked_s >= self._check_s:
            self._asked_s = monotonic()
            self._collection.ask(lambda index: index.check())
        return False

    def _run(self) -> None:
        while True:
            stopping = self._stop.is_set()
            try:
                more = self.work()
            except MemoryServiceError as error:
                more = False
                self._note_failure(error)
            except Exception:  # a thread that ended would leave everything waiting, and nobody would know
                more = False
                log.exception("the vector index was not told", extra={"operation": "index"})
            if stopping and (not more or monotonic() > self._until_s):
                return
            if not more:
                self._wake.wait(self._look_s)
                self._wake.clear()
                self._stop.wait(GATHER_S)

    def _is_ready(self) -> bool:
        """Whether the index can be told; makes its collection and finds out whether it is back."""
        collection = self._collection
        if monotonic() < self._again_from_s:
            return False
        if self._failed:
            collection.bind()
            self._failed = False
            if not collection.refusal:
                self._note_recovery()
            self._stop.wait(self._recovery_s)
        if collection.is_current:
            self._unbound_s = None
            return True
        if self._unbound_s is None:
            self._unbound_s = monotonic()
        if self._feed.attached() or monotonic() - self._unbound_s > REBUILD_S:
            collection.bind()
        return collection.is_current

    def _tell(self, entries: Sequence[IndexEntry], until_s: float) -> None:
        """Tell the index; one memory that it refuses keeps none of the others back.

        Not after `until_s`: others may have claimed them by then, and told what came later.
        """
        if monotonic() > until_s:
            self._feed.release(entries)
            return
        try:
            self._collection.ask(lambda index: index.apply(entries))
        except (IndexUnavailable, EmbeddingMismatch, StoreFull) as error:
            self._feed.release(entries)
            self._collection.refusal = error.slug
            if isinstance(error, StoreFull):
                self._again_from_s = monotonic() + self._again_s
            raise
        except MemoryServiceError as error:
            if len(entries) == 1:
                self._keep(entries)
                log.warning(
                    "the vector index refuses memory number %d: %s",
                    entries[0].number,
                    error.slug,
                    extra={"operation": "index"},
                )
                return
            middle = len(entries) // 2
            self._tell(entries[:middle], until_s)
            self._tell(entries[middle:], until_s)
        else:
            self._asked_s = monotonic()
            self._note_taken()
            self._feed.settle([entry for entry in entries if not self._lacks(entry)])
            self._keep([entry for entry in entries if self._lacks(entry)])

    def _note_taken(self) -> None:
        """The index took a batch, or nothing waits for it any more."""
        if self._collection.refusal:
            self._collection.refusal = ""
            self._note_recovery()

    def _note_recovery(self) -> None:
        self._told = ""
        log.info("the vector index answers again", extra={"operation": "index"})

    def _lacks(self, entry: IndexEntry) -> bool:
        """Whether a memory has no vector yet, so that an index that ranks by words does not find it by them.

        While it waits, words are searched in the store.
        """
        lacks = entry.memory is not None and entry.memory.deleted_ms is None and entry.vector is None
        return lacks and self._collection.index.abilities.keywords

    def _keep(self, entries: Sequence[IndexEntry]) -> None:
        """Leave entries claimed for a while, so that they wait but are not tried again and again."""
        if entries and not self._kept:
            self._kept_s = monotonic()
        self._kept += entries

    def _let_go(self) -> None:
        """Let what was kept be claimed again when its time has come."""
        if self._kept and monotonic() - self._kept_s > self._again_s + len(self._kept) / BATCH:
            self._feed.release(self._kept)
            self._kept = []

    def _note_failure(self, error: MemoryServiceError) -> None:
        if error.message != self._told:
            self._told = error.message
            log.warning("the vector index was not told: %s", error.message, extra={"operation": "index"})
        if isinstance(error, IndexUnavailable | EmbeddingMismatch):
            self._failed = True

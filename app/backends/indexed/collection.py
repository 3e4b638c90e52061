"""The collection of a vector index that a store's notes are for, behind a circuit breaker."""

import logging
from collections.abc import Callable
from threading import RLock
from typing import TypeVar

import pybreaker

from app.domain.embedding import EmbeddingIdentity
from app.errors import IndexUnavailable, MemoryServiceError
from app.ports import IndexFeed, VectorIndex, VectorSpaces

T = TypeVar("T")

FAILURES = 3
"""Calls in a row that fail before the index is left alone; each of them may have taken as long as its deadline."""
PAUSE_S = 5.0
"""How long it is left alone before it is looked at again."""

log = logging.getLogger("reme.index")


class Collection:
    """What a store's searches and its indexer have in common. May be used from any thread.

    `mark` is that of the collection that the notes are for, empty while there is none. `refusal` is the slug of the
    error that the last batch ended with, empty where it was taken: an index that is told nothing falls behind, so the
    store searches, even where the index answers. Of all who use it only the indexer finds out whether an index that
    failed is back, so no search waits for it meanwhile.
    """

    def __init__(
        self,
        index: VectorIndex,
        *,
        feed: IndexFeed,
        spaces: VectorSpaces,
        identity: EmbeddingIdentity,
        pause_s: float = PAUSE_S,
    ) -> None:
        self.index = index
        self.identity = identity
        self.mark = ""
        self.error = ""
        self.refusal = ""
        self._held = 0
        self._feed, self._spaces = feed, spaces
        self._lock = RLock()
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=FAILURES,
            reset_timeout=pause_s,
            exclude=[lambda error: not isinstance(error, IndexUnavailable)],
            throw_new_error_on_trip=False,
        )

    @property
    def breaker(self) -> str:
        """The state of the circuit breaker: closed, open or half-open."""
        return str(self._breaker.current_state)

    @property
    def is_usable(self) -> bool:
        """Whether a search may ask it."""
        return bool(self.mark) and self.breaker == pybreaker.STATE_CLOSED and not self.refusal

    @property
    def is_current(self) -> bool:
        """Whether the notes are for the collection that is asked."""
        return bool(self.mark) and self._feed.attached() == self.mark

    def ask(self, question: Callable[[VectorIndex], T]) -> T:
        """What the index says. Raises `IndexUnavailable`, at once while it is left alone."""
        try:
            with self._breaker.calling():
                answer = question(self.index)
        except pybreaker.CircuitBreakerError:
            raise IndexUnavailable("the vector index failed some times in a row: it is left alone for now") from None
        except MemoryServiceError as error:
            self.error = error.slug
            raise
        self.error = ""
        return answer

    def count(self) -> int:
        """How many memories it holds; while it may not be asked, how many they were when it was asked last.

        Raises `IndexUnavailable`.
        """
        if self.is_usable:
            self._held = self.ask(lambda index: index.count())
        return self._held

    def bind(self) -> None:
        """Make the collection if it is missing, and have the store note what it lacks.

        Does nothing where another process moved the store to another embedding: this one must be started anew. Raises
        `IndexUnavailable`, `SettingsError`, or another `StoreError`.
        """
        with self._lock:
            stored = self._spaces.identity()
            if stored is not None and stored != self.identity:
                self.mark = ""
                return
            mark = self.ask(lambda index: index.prepare(self.identity))
            if self._feed.attached() != mark:
                if self.ask(lambda index: index.count()) and self._feed.attached() != mark:
                    mark = self._make_anew()  # what changed while nobody noted it is not known
                noted = self._feed.attach(mark)
                log.info("the vector index is built: %d memories", noted, extra={"operation": "index"})
            self.mark = mark

    def rebuild(self) -> int:
        """Make the collection anew; returns how many memories the indexer will tell it of. Raises as `bind`."""
        with self._lock:
            mark = self._make_anew()
            noted = self._feed.attach(mark)
            self.mark = mark
            return noted

    def move(self) -> None:
        """Follow the store to the embedding that this process moved it to. Raises as `bind`."""
        with self._lock:
            self.identity = self._spaces.identity() or self.identity
            if not self.is_current:
                self.mark = ""
                self.bind()

    def _make_anew(self) -> str:
        self.ask(lambda index: index.drop())
        self.mark = ""
        return self.ask(lambda index: index.prepare(self.identity))

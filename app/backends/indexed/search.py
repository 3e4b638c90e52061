"""Searches by the vector index, with what it has not been told yet taken from the store."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from threading import Lock

import numpy as np

from app.backends.indexed.collection import Collection
from app.domain.embedding import Vector
from app.domain.filters import holds, passes
from app.domain.memory import Memory, Scope
from app.domain.query import Candidate, MemoryFilter
from app.errors import SettingsError, StoreError
from app.ports import Clock, IndexFeed, SearchIndex

OVERLAY = 500
"""The most memories of a workspace that may wait to be told. Comparing these in the store takes about 5 ms with SQLite;
beyond that, as while many are imported, the store searches by itself."""
SPARE = 10
"""Hits asked for beyond the limit, in place of those that the store knows better."""
MOST_ASKED = 8
"""An index of whose hits so few are right that this many times the limit do not give enough is not asked on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchCounts:
    """How many searches the index answered, how many the store answered by itself that the index could have been asked,
    and how many hits of the index the store knew better."""

    by_index: int = 0
    by_store: int = 0
    stale: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Question:
    scope: Scope
    wanted: MemoryFilter
    limit: int
    now_ms: int
    as_of_ms: int | None

    def covers(self, memory: Memory) -> bool:
        """Whether a memory may be an answer."""
        return holds(memory, self.as_of_ms, now_ms=self.now_ms) and passes(memory, self.wanted)


class IndexedSearch:
    """The `SearchIndex` of a store with a vector index beside it.

    Every hit is read from the store and must hold and pass the filter there. Where the index cannot be asked, or not be
    trusted, the store searches by itself.
    """

    def __init__(self, store: SearchIndex, collection: Collection, *, feed: IndexFeed, clock: Clock) -> None:
        self._store, self._collection, self._feed, self._clock = store, collection, feed, clock
        self._counts = SearchCounts()
        self._lock = Lock()

    @property
    def counts(self) -> SearchCounts:
        """What this process counted since it started."""
        return self._counts

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
        """The memories whose vectors are closest by cosine, best first."""
        question = self._pose(scope, memory_filter, limit, as_of_ms)
        collection = self._collection
        if vector.shape == (collection.identity.dimensions,) and (not exact or collection.index.abilities.exact):
            found = self._try(lambda mark: self._find_nearest(question, vector, exact=exact, mark=mark))
            if found is not None:
                return found
        return self._store.nearest(scope, vector, memory_filter, limit=limit, as_of_ms=as_of_ms, exact=exact)

    def matching(
        self, scope: Scope, text: str, memory_filter: MemoryFilter, *, limit: int, as_of_ms: int | None = None
    ) -> list[Candidate]:
        """The memories that share the rarest words of a text, best first.

        Scores of two engines cannot be compared, so the index is asked only where it knows the whole workspace.
        """
        question = self._pose(scope, memory_filter, limit, as_of_ms)
        if self._collection.index.abilities.keywords:
            found = self._try(lambda mark: self._find_matching(question, text, mark=mark))
            if found is not None:
                return found
        return self._store.matching(scope, text, memory_filter, limit=limit, as_of_ms=as_of_ms)

    def fetch(self, scope: Scope, numbers: Sequence[int]) -> dict[int, Memory]:
        """The memories of these numbers, as the store has them."""
        return self._store.fetch(scope, numbers)

    def vectors(self, scope: Scope, numbers: Sequence[int]) -> dict[int, Vector]:
        """The vectors of these numbers, as the store has them."""
        return self._store.vectors(scope, numbers)

    def _pose(self, scope: Scope, wanted: MemoryFilter, limit: int, as_of_ms: int | None) -> _Question:
        now_ms = self._clock.now_ms()
        return _Question(scope=scope, wanted=wanted, limit=max(limit, 0), now_ms=now_ms, as_of_ms=as_of_ms)

    def _try(self, find: Callable[[str], list[Candidate] | None]) -> list[Candidate] | None:
        """What the index answers; None where the store has to."""
        found = None
        if self._collection.is_usable:
            try:
                found = find(self._collection.mark)
            except (StoreError, SettingsError):  # what the store itself raised it will raise again
                found = None
        self._count(by_index=int(found is not None), by_store=int(found is None))
        return found

    def _find_nearest(self, question: _Question, vector: Vector, *, exact: bool, mark: str) -> list[Candidate] | None:
        waiting = frozenset(self._feed.waiting(question.scope, limit=OVERLAY + 1))
        if len(waiting) > OVERLAY:
            return None

        def ask(limit: int) -> list[Candidate]:
            return self._collection.ask(
                lambda index: index.nearest(
                    question.scope,
                    vector,
                    question.wanted,
                    limit=limit,
                    now_ms=question.now_ms,
                    as_of_ms=question.as_of_ms,
                    exact=exact,
                )
            )

        found = self._collect(question, ask, waiting)
        if found is None or not self._is_still(mark):
            return None
        found += self._compare(question, vector, sorted(waiting), found)
        return sorted(found, key=lambda one: (-one.score, one.number))[: question.limit]

    def _find_matching(self, question: _Question, text: str, *, mark: str) -> list[Candidate] | None:
        if self._feed.waiting(question.scope, limit=1):
            return None

        def ask(limit: int) -> list[Candidate]:
            return self._collection.ask(
                lambda index: index.matching(
                    question.scope,
                    text,
                    question.wanted,
                    limit=limit,
                    now_ms=question.now_ms,
                    as_of_ms=question.as_of_ms,
                )
            )

        found = self._collect(question, ask, frozenset())
        return None if found is None or not self._is_still(mark) else found[: question.limit]

    def _is_still(self, mark: str) -> bool:
        """Whether the notes were for the collection that was asked until now, so that they told what it did not know.

        A collection that is made anew has another mark, and no client is answered by one that it did not prepare.
        """
        return self._feed.attached() == mark

    def _collect(
        self, question: _Question, ask: Callable[[int], list[Candidate]], waiting: Set[int]
    ) -> list[Candidate] | None:
        """Hits of the index that the store confirms, best first, without those that wait; None if too few are right."""
        asked = question.limit + min(len(waiting), question.limit) + SPARE
        confirmed: list[Candidate] = []
        seen: set[int] = set()
        while True:
            hits = ask(asked)
            fresh = [one for one in hits if one.number not in seen and one.number not in waiting]
            seen.update(one.number for one in fresh)
            memories = self._store.fetch(question.scope, [one.number for one in fresh])
            right = [one for one in fresh if one.number in memories and question.covers(memories[one.number])]
            self._count(stale=len(fresh) - len(right))
            confirmed += right
            if len(confirmed) >= question.limit or len(hits) < asked:
                return confirmed
            if asked > MOST_ASKED * (question.limit + SPARE):
                return None
            asked *= 2

    def _compare(
        self, question: _Question, vector: Vector, waiting: Sequence[int], found: Sequence[Candidate]
    ) -> list[Candidate]:
        """Those that the index was not told, compared in the store; only what may be among the best is read whole."""
        vectors = self._store.vectors(question.scope, waiting)
        if not vectors:
            return []
        numbers = list(vectors)
        scores = (np.stack([vectors[number] for number in numbers]) @ vector).tolist()
        least = found[question.limit - 1].score if question.limit and len(found) >= question.limit else -np.inf
        close = {number: score for number, score in zip(numbers, scores, strict=True) if score >= least}
        memories = self._store.fetch(question.scope, list(close))
        return [
            Candidate(number=number, score=score)
            for number, score in close.items()
            if number in memories and question.covers(memories[number])
        ]

    def _count(self, *, by_index: int = 0, by_store: int = 0, stale: int = 0) -> None:
        with self._lock:
            counts = self._counts
            self._counts = SearchCounts(
                by_index=counts.by_index + by_index, by_store=counts.by_store + by_store, stale=counts.stale + stale
            )

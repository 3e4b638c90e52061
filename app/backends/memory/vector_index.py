"""The in-RAM vector index: it compares every vector, and says what all others must find."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from threading import RLock

import numpy as np

from app.backends.memory.words import score_words, split_words
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.filters import holds, passes
from app.domain.indexing import IndexAbilities, IndexEntry
from app.domain.memory import Memory, Scope
from app.domain.query import Candidate, MemoryFilter
from app.errors import EmbeddingMismatch, IndexUnavailable, SettingsError

DIMENSIONS = 4096
"""The most that any of the other indexes takes, so that this one promises no more than they do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Held:
    number: int
    memory: Memory
    vector: Vector
    words: Counter[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Collection:
    identity: EmbeddingIdentity
    mark: str
    held: dict[int, _Held] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class _Server:
    """What all clients share."""

    lock: RLock = field(default_factory=RLock)
    collection: _Collection | None = None


class RamVectorIndex:
    """A `VectorIndex` without a server: what it holds lasts as long as its clients, which `connect` makes more of.

    `keywords` lets it rank by words too, as `app.backends.memory.search` does.
    """

    def __init__(self, *, keywords: bool = False) -> None:
        self._keywords = keywords
        self._server = _Server()
        self._mark = ""

    def connect(self) -> "RamVectorIndex":
        """Another client of the same collection, which has to prepare it for itself."""
        client = RamVectorIndex(keywords=self._keywords)
        client._server = self._server
        return client

    @property
    def abilities(self) -> IndexAbilities:
        """It compares everything, so every search is exact."""
        return IndexAbilities(exact=True, keywords=self._keywords, dimensions=DIMENSIONS)

    def prepare(self, identity: EmbeddingIdentity) -> str:
        """Make the collection unless it is there for this embedding."""
        if identity.dimensions > DIMENSIONS:
            raise SettingsError(f"the in-RAM vector index takes {DIMENSIONS} dimensions at most: {identity} has more")
        with self._server.lock:
            collection = self._server.collection
            if collection is None or collection.identity != identity:
                collection = self._server.collection = _Collection(identity=identity, mark=token_hex(8))
            self._mark = collection.mark
            return collection.mark

    def apply(self, entries: Sequence[IndexEntry]) -> None:
        """Hold or take out each entry."""
        with self._server.lock:
            collection = self._required()
            for entry in entries:
                if entry.memory is None or entry.vector is None or not entry.is_held:
                    collection.held.pop(entry.number, None)
                    continue
                _check(entry.vector, collection.identity)
                collection.held[entry.number] = _Held(
                    number=entry.number,
                    memory=entry.memory,
                    vector=entry.vector.copy(),
                    words=Counter(split_words(f"{entry.memory.when_to_use}\n{entry.memory.content}")),
                )

    def nearest(
        self,
        scope: Scope,
        vector: Vector,
        memory_filter: MemoryFilter,
        *,
        limit: int,
        now_ms: int,
        as_of_ms: int | None = None,
        exact: bool = False,  # noqa: ARG002 - it always is
    ) -> list[Candidate]:
        """The closest by cosine."""
        found = self._search(scope, memory_filter, now_ms, as_of_ms, vector)
        if not found:
            return []
        scores = np.stack([one.vector for one in found]) @ vector
        return _best(found, scores.tolist(), limit)

    def matching(
        self,
        scope: Scope,
        text: str,
        memory_filter: MemoryFilter,
        *,
        limit: int,
        now_ms: int,
        as_of_ms: int | None = None,
    ) -> list[Candidate]:
        """Those that share words with a text, by BM25 over those that pass the filter."""
        found = self._search(scope, memory_filter, now_ms, as_of_ms)
        scores = score_words(split_words(text), [one.words for one in found])
        return [one for one in _best(found, scores, limit) if one.score > 0]

    def count(self) -> int:
        """How many memories it holds."""
        with self._server.lock:
            return len(self._required().held)

    def check(self) -> None:
        """Raise `IndexUnavailable` where the collection that was prepared is gone."""
        with self._server.lock:
            self._required()

    def drop(self) -> None:
        """Remove the collection."""
        with self._server.lock:
            self._server.collection = None

    def close(self) -> None:
        """Nothing is open."""

    def _required(self) -> _Collection:
        collection = self._server.collection
        if collection is None or collection.mark != self._mark:
            raise IndexUnavailable("the collection of the vector index is gone or was made anew: prepare it")
        return collection

    def _search(
        self,
        scope: Scope,
        memory_filter: MemoryFilter,
        now_ms: int,
        as_of_ms: int | None,
        vector: Vector | None = None,
    ) -> list[_Held]:
        with self._server.lock:
            collection = self._required()
            if vector is not None:
                _check(vector, collection.identity)
            held = tuple(collection.held.values())
        return [
            one
            for one in held
            if one.memory.scope == scope
            and holds(one.memory, as_of_ms, now_ms=now_ms)
            and passes(one.memory, memory_filter)
        ]


def _check(vector: Vector, identity: EmbeddingIdentity) -> None:
    if vector.shape != (identity.dimensions,):
        raise EmbeddingMismatch(
            f"the vector index holds vectors of {identity}, this one has shape {vector.shape}: prepare the index for it"
        )


def _best(found: Sequence[_Held], scores: Sequence[float], limit: int) -> list[Candidate]:
    """The best first; of two that are equally good the smaller number."""
    candidates = [Candidate(number=one.number, score=float(score)) for one, score in zip(found, scores, strict=True)]
    return sorted(candidates, key=lambda one: (-one.score, one.number))[: max(limit, 0)]

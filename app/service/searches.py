"""One search under way: what its legs find, how that is ranked, and which memories are read for it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from time import perf_counter
from typing import TypeVar

from app.domain.embedding import Vector
from app.domain.memory import Memory, Scope
from app.domain.query import Candidate, MemoryFilter, SearchMode, SearchQuery
from app.ports import Embedder, SearchIndex
from app.service.periods import Period, find_period
from app.service.ranking import NAMED, SAID, Collapse, Place, Ranked, decay, diversify, favour, follow, fuse

T = TypeVar("T")

VECTOR_LIMIT = 100
KEYWORD_LIMIT = 50
"""Candidates of a leg, or `top_k` if that is more. What only the keyword leg found counts with the lowest cosine of a
vector leg that is full."""
PERIOD_POOL = 50
"""Candidates whose own time, and the date in whose text, is compared with the time that a question names; reading them
takes 0.6 ms at 100,000 memories."""
HOP_SOURCES = 3
HOP_LIMIT = 11
HOP_CHARACTERS = 500
"""A second hop searches for the words of 3 hits, of each text's first 500 characters, and takes 10 memories of each and
perhaps the hit itself."""
DIVERSITY_POOL = 50
"""Variety is sought among this many candidates, or four times as many as are returned if that is more."""
SPARE = 8
"""Memories read beyond `top_k` at first, in place of those that were deleted meanwhile or collapse."""


class Search:
    """One search under way, and what each of its legs took."""

    def __init__(
        self, index: SearchIndex, embedder: Embedder, scope: Scope, query: SearchQuery, vector: Vector | None
    ) -> None:
        self._index = index
        self._embedder = embedder
        self._scope = scope
        self._vector = vector
        self.query = query
        self.period = _read_period(query)
        self.legs_ms: dict[str, float] = {}

    def run_vector(self) -> list[Candidate]:
        """The vector leg: embed, unless the vector was given, and find."""
        query = self.query
        started = perf_counter()
        vector = self._vector
        if vector is None:
            vector = self._vector = self._embedder.embed_query(query.text)
            self.legs_ms["embed"] = (perf_counter() - started) * 1000
        embedded = perf_counter()
        found = self._nearest(vector, query.filter)
        self.legs_ms["vector"] = (perf_counter() - embedded) * 1000
        return found

    def run_keyword(self) -> list[Candidate]:
        """The keyword leg."""
        started = perf_counter()
        found = self._matching(self.query.text, self.query.filter)
        self.legs_ms["keyword"] = (perf_counter() - started) * 1000
        return found

    def fuse(self, vector: list[Candidate], keyword: list[Candidate]) -> list[Ranked]:
        """Both legs in one order; where the question names a time, with what both find of that time."""
        full = len(vector) >= max(VECTOR_LIMIT, self.query.top_k)
        period = self.period
        if period is None:
            return fuse(vector, keyword, full=full)
        own = self.query.filter
        narrow = replace(
            own,
            created_from_ms=max(period.from_ms, period.from_ms if own.created_from_ms is None else own.created_from_ms),
            created_to_ms=min(period.to_ms, period.to_ms if own.created_to_ms is None else own.created_to_ms),
        )
        started = perf_counter()
        near = [] if self._vector is None else self._nearest(self._vector, narrow)
        looked = perf_counter()
        like = self._matching(period.rest, narrow)
        self.legs_ms["vector"] += (looked - started) * 1000
        self.legs_ms["keyword"] += (perf_counter() - looked) * 1000
        ranked = fuse(_join(vector, near), _join(keyword, like), full=full)
        memories = self._fetch(ranked[:PERIOD_POOL])
        inside = {one.number: SAID for one in (*near, *like)}
        for number, memory in memories.items():
            if period.is_named_in(memory.content):
                inside[number] = NAMED
            elif period.covers(memory.valid_from_ms):
                inside[number] = SAID
        return favour(ranked, inside)

    def hop(self, ranked: list[Ranked]) -> list[Ranked]:
        """The ranking with what the words of its first hits lead to."""
        sources = ranked[:HOP_SOURCES]
        memories = self._fetch(sources)
        started = perf_counter()
        led = [
            (one, self._matching(memories[one.number].content[:HOP_CHARACTERS], self.query.filter, limit=HOP_LIMIT))
            for one in sources
            if one.number in memories
        ]
        self.legs_ms["keyword"] += (perf_counter() - started) * 1000
        return follow(ranked, led)

    def _nearest(self, vector: Vector, wanted: MemoryFilter) -> list[Candidate]:
        query = self.query
        return self._index.nearest(
            self._scope,
            vector,
            wanted,
            limit=max(VECTOR_LIMIT, query.top_k),
            as_of_ms=query.as_of_ms,
            exact=query.mode is SearchMode.EXACT,
        )

    def _matching(self, text: str, wanted: MemoryFilter, *, limit: int | None = None) -> list[Candidate]:
        query = self.query
        most = max(KEYWORD_LIMIT, query.top_k) if limit is None else limit
        return self._index.matching(self._scope, text, wanted, limit=most, as_of_ms=query.as_of_ms)

    def place(self, ranked: list[Ranked], *, now_ms: int, wanted: int) -> list[Place]:
        """The places that are returned, with their memories."""
        query = self.query
        if query.half_life_days is None:
            found = self._read(ranked)
        else:
            memories = self._fetch(ranked)
            moment = now_ms if query.as_of_ms is None else query.as_of_ms
            decayed = decay(ranked, memories, now_ms=moment, half_life_days=query.half_life_days)
            found = ((one, memories[one.number]) for one in decayed)
        pool = wanted if query.mmr_lambda is None else max(DIVERSITY_POOL, 4 * wanted)
        collapse = Collapse()
        for one, memory in found:
            if one.score < query.min_score:
                break
            collapse.take(one, memory)
            if len(collapse.places) == pool:
                break
        if query.mmr_lambda is None:
            return collapse.places
        vectors = self._timed(
            lambda: self._index.vectors(self._scope, [place.ranked.number for place in collapse.places])
        )
        return diversify(collapse.places, vectors, limit=wanted, relevance=query.mmr_lambda)

    def _read(self, ranked: list[Ranked]) -> Iterator[tuple[Ranked, Memory]]:
        """The candidates that are still there, read in portions of a little more than is returned."""
        portion = self.query.top_k + SPARE
        for start in range(0, len(ranked), portion):
            some = ranked[start : start + portion]
            memories = self._fetch(some)
            for one in some:
                memory = memories.get(one.number)
                if memory is not None:
                    yield one, memory

    def _fetch(self, ranked: list[Ranked]) -> dict[int, Memory]:
        return self._timed(lambda: self._index.fetch(self._scope, [one.number for one in ranked]))

    def _timed(self, read: Callable[[], T]) -> T:
        started = perf_counter()
        found = read()
        self.legs_ms["fetch"] = self.legs_ms.get("fetch", 0.0) + (perf_counter() - started) * 1000
        return found


def _read_period(query: SearchQuery) -> Period | None:
    if query.mode is not SearchMode.HYBRID or not query.dates or query.as_of_ms is not None:
        return None
    return find_period(query.text)


def _join(first: list[Candidate], second: list[Candidate]) -> list[Candidate]:
    """Two lists of a leg as one, best first, each memory once."""
    joined: dict[int, Candidate] = {}
    for one in sorted((*first, *second), key=lambda each: -each.score):
        joined.setdefault(one.number, one)
    return list(joined.values())

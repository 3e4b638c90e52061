"""Retrieval: two legs find numbers, ranking orders them, and only what is returned is read whole."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import isfinite
from time import perf_counter
from typing import TypeVar

from app.domain.access import Permission, Principal
from app.domain.memory import Memory, Scope
from app.domain.query import Candidate, Hit, SearchMode, SearchQuery, SearchResult
from app.errors import InvalidRequest
from app.ports import Clock, Embedder, Meter, SearchIndex
from app.service.authorisation import authorise
from app.service.limits import CONTENT_CHARACTERS, check_filter, check_moment, check_text
from app.service.metering import record_of
from app.service.ranking import Collapse, Place, Ranked, by_keywords, by_similarity, decay, diversify, fuse

T = TypeVar("T")

VECTOR_LIMIT = 100
KEYWORD_LIMIT = 50
"""Candidates of a leg, or `top_k` if that is more: at rank 100 a leg adds 0.38 of what a first place adds, so that
what lies beyond hardly ever reaches the first ten."""
TOP_K = 200
"""The most hits of a search; the requirements' API allows no more."""
DIVERSITY_POOL = 50
"""Variety is sought among this many candidates, or four times as many as are returned if that is more."""
SPARE = 8
"""Memories read beyond `top_k` at first, in place of those that were deleted meanwhile or collapse."""
THREADS = 4
"""Keyword legs that run beside their vector legs at once; a search that finds none free runs its legs in turn."""


class Retrieval:
    """Searches of one workspace. May be used from any thread.

    With `parallel` the keyword leg runs in a thread while the vector leg embeds and searches, which pays where both
    release the interpreter's lock for a millisecond or more; without it the legs run one after the other.
    """

    def __init__(
        self, *, index: SearchIndex, embedder: Embedder, clock: Clock, meter: Meter, parallel: bool = True
    ) -> None:
        self._index = index
        self._embedder = embedder
        self._clock = clock
        self._meter = meter
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="keyword-leg") if parallel else None

    def close(self) -> None:
        """Let the threads end; a search after this runs its legs in turn."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown()

    def search(self, principal: Principal, workspace_id: str, query: SearchQuery) -> SearchResult:
        """The memories that answer a query, best first. Needs memory:read.

        `legs_ms` tells what each leg that ran took: "embed", "vector", "keyword" and "fetch". Raises
        `InvalidRequest` for a query without text or a parameter out of its bounds.
        """
        scope = authorise(principal, Permission.MEMORY_READ, workspace_id)
        query = _check(query)
        search = _Search(self._index, self._embedder, scope, query)
        started = perf_counter()
        ranked = self._rank(search)
        places = search.place(ranked, now_ms=self._clock.now_ms())
        hits = tuple(_hit(place, explain=query.explain) for place in places)
        now_ms = self._clock.now_ms()
        records = [record_of(scope, "retrieve", now_ms=now_ms, items=len(hits))]
        if query.mode is not SearchMode.KEYWORD:
            records.append(record_of(scope, "embed", now_ms=now_ms, items=1, model=self._embedder.identity.model))
        self._meter.record(records)
        return SearchResult(
            hits=hits, mode=query.mode, took_ms=(perf_counter() - started) * 1000, legs_ms=search.legs_ms
        )

    def _rank(self, search: "_Search") -> list[Ranked]:
        mode = search.query.mode
        if mode is SearchMode.KEYWORD:
            return by_keywords(search.run_keyword())
        if mode is not SearchMode.HYBRID:
            return by_similarity(search.run_vector())
        threads = self._threads
        if threads is None:
            return fuse(search.run_vector(), search.run_keyword())
        try:
            beside = threads.submit(search.run_keyword)
        except RuntimeError:  # closed in this moment
            return fuse(search.run_vector(), search.run_keyword())
        try:
            vector = search.run_vector()
        except BaseException:
            beside.cancel()
            raise
        # A leg that still waits for a thread is taken back, so that a full queue delays nobody.
        keyword = search.run_keyword() if beside.cancel() else beside.result()
        return fuse(vector, keyword)


class _Search:
    """One search under way, and what each of its legs took."""

    def __init__(self, index: SearchIndex, embedder: Embedder, scope: Scope, query: SearchQuery) -> None:
        self._index = index
        self._embedder = embedder
        self._scope = scope
        self.query = query
        self.legs_ms: dict[str, float] = {}

    def run_vector(self) -> list[Candidate]:
        query = self.query
        started = perf_counter()
        vector = self._embedder.embed_query(query.text)
        embedded = perf_counter()
        found = self._index.nearest(
            self._scope,
            vector,
            query.filter,
            limit=max(VECTOR_LIMIT, query.top_k),
            as_of_ms=query.as_of_ms,
            exact=query.mode is SearchMode.EXACT,
        )
        self.legs_ms["embed"] = (embedded - started) * 1000
        self.legs_ms["vector"] = (perf_counter() - embedded) * 1000
        return found

    def run_keyword(self) -> list[Candidate]:
        query = self.query
        started = perf_counter()
        found = self._index.matching(
            self._scope,
            query.text,
            query.filter,
            limit=max(KEYWORD_LIMIT, query.top_k),
            as_of_ms=query.as_of_ms,
        )
        self.legs_ms["keyword"] = (perf_counter() - started) * 1000
        return found

    def place(self, ranked: list[Ranked], *, now_ms: int) -> list[Place]:
        """The places that are returned, with their memories."""
        query = self.query
        if query.half_life_days is None:
            found = self._read(ranked)
        else:
            memories = self._fetch(ranked)
            moment = now_ms if query.as_of_ms is None else query.as_of_ms
            decayed = decay(ranked, memories, now_ms=moment, half_life_days=query.half_life_days)
            found = ((one, memories[one.number]) for one in decayed)
        wanted = query.top_k if query.mmr_lambda is None else max(DIVERSITY_POOL, 4 * query.top_k)
        collapse = Collapse()
        for one, memory in found:
            if one.score < query.min_score:
                break
            collapse.take(one, memory)
            if len(collapse.places) == wanted:
                break
        if query.mmr_lambda is None:
            return collapse.places
        vectors = self._timed(
            lambda: self._index.vectors(self._scope, [place.ranked.number for place in collapse.places])
        )
        return diversify(collapse.places, vectors, limit=query.top_k, relevance=query.mmr_lambda)

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


def _hit(place: Place, *, explain: bool) -> Hit:
    return Hit(
        memory=place.memory,
        score=place.score,
        similarity=place.ranked.similarity,
        explanation=place.ranked.explain() if explain else None,
    )


def _check(query: SearchQuery) -> SearchQuery:
    """Return a query with its text stripped, or raise `InvalidRequest`."""
    if not 1 <= query.top_k <= TOP_K:
        raise InvalidRequest(f"top_k is {query.top_k}: ask for 1 to {TOP_K} memories")
    if not 0.0 <= query.min_score <= 1.0:
        raise InvalidRequest(f"min_score is {query.min_score}: scores are in 0 to 1")
    if query.mmr_lambda is not None and not 0.0 <= query.mmr_lambda <= 1.0:
        raise InvalidRequest(f"mmr_lambda is {query.mmr_lambda}: give 0 (variety) to 1 (relevance)")
    if query.half_life_days is not None and not (query.half_life_days > 0.0 and isfinite(query.half_life_days)):
        raise InvalidRequest(f"half_life_days is {query.half_life_days}: give days above 0, or none for no decay")
    check_moment("as_of_ms", query.as_of_ms)
    check_filter(query.filter)
    text = check_text("the query", query.text, least=1, most=CONTENT_CHARACTERS)
    return replace(query, text=text)

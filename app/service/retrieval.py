"""Retrieval: two legs find numbers, ranking orders them, and only what is returned is read whole."""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import isfinite
from time import monotonic, perf_counter

from app.domain.access import Permission, Principal
from app.domain.embedding import Vector
from app.domain.query import Candidate, Hit, SearchMode, SearchQuery, SearchResult
from app.domain.spending import charging
from app.errors import InvalidRequest, ModelError
from app.ports import Clock, Embedder, Meter, SearchIndex
from app.service.authorisation import authorise
from app.service.limits import CONTENT_CHARACTERS, check_filter, check_moment, check_text
from app.service.metering import payer_of, record_of
from app.service.ranking import Place, Ranked, by_keywords, by_similarity
from app.service.reranking import Reranker, rerank_result
from app.service.searches import Search

TOP_K = 200
"""The most hits of a search; the requirements' API allows no more."""
THREADS = 4
"""Keyword legs that run beside their vector legs at once; a search that finds none free runs its legs in turn."""
HOPS = 2
"""A third hop was not measured."""
TOLD_EVERY_S = 60.0
"""The log is told this often at most that searches answer from keywords."""

log = logging.getLogger("reme.retrieval")


class Retrieval:
    """Searches of one workspace. May be used from any thread.

    With `parallel` the keyword leg runs in a thread while the vector leg embeds and searches, which pays where both
    release the interpreter's lock for a millisecond or more; without it the legs run one after the other. The
    `reranker` is asked where a query wants it. Where the embedder raises a `ModelError`, keywords answer. Models are
    charged to the workspace.
    """

    def __init__(
        self,
        *,
        index: SearchIndex,
        embedder: Embedder,
        clock: Clock,
        meter: Meter,
        parallel: bool = True,
        reranker: Reranker | None = None,
    ) -> None:
        self._index = index
        self._embedder = embedder
        self._clock = clock
        self._meter = meter
        self._reranker = reranker
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="keyword-leg") if parallel else None
        self._told_s = -TOLD_EVERY_S

    def close(self) -> None:
        """Let the threads end; a search after this runs its legs in turn."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown()

    def check(self, principal: Principal, workspace_id: str, query: SearchQuery) -> SearchQuery:
        """The query as it is searched for; raises what `search` would raise before it searches."""
        authorise(principal, Permission.MEMORY_READ, workspace_id)
        return _check(query)

    def search(
        self, principal: Principal, workspace_id: str, query: SearchQuery, *, vector: Vector | None = None
    ) -> SearchResult:
        """The memories that answer a query, best first. Needs memory:read.

        A `vector` is that of the query's text, embedded by the caller. `legs_ms` tells what each leg
        that ran took: "embed", "vector", "keyword", "fetch", and "rerank" where a query wants it. `degraded` tells
        why a search that needs a vector answers from keywords. Raises
        `InvalidRequest` for a query without text or a parameter out of its bounds.
        """
        scope = authorise(principal, Permission.MEMORY_READ, workspace_id)
        query = _check(query)
        search = Search(self._index, self._embedder, scope, query, vector)
        started = perf_counter()
        payer = payer_of(scope, "retrieve", key_id=principal.key_id)
        degraded = ""
        try:
            with charging(payer):
                ranked = self._rank(search)
        except ModelError as error:
            degraded = error.slug
            self._tell(degraded)
            query = search.query = replace(query, mode=SearchMode.KEYWORD)
            ranked = self._rank(search)
        wanted = query.top_k
        if query.rerank and self._reranker is not None:
            wanted = max(wanted, self._reranker.candidates)
        places = search.place(ranked, now_ms=self._clock.now_ms(), wanted=wanted)
        hits = tuple(_hit(place, explain=query.explain) for place in places)
        reranker = reason = ""
        if query.rerank:
            asked = perf_counter()
            with charging(payer):
                done = rerank_result(self._reranker, query.text, hits, query.top_k)
            hits, reranker, reason = done.hits, done.reranker, done.reason
            search.legs_ms["rerank"] = (perf_counter() - asked) * 1000
        now_ms = self._clock.now_ms()
        records = [record_of(scope, "retrieve", now_ms=now_ms, items=len(hits))]
        if query.mode is not SearchMode.KEYWORD:
            records.append(record_of(scope, "embed", now_ms=now_ms, items=1, model=self._embedder.identity.model))
        self._meter.record(records)
        return SearchResult(
            hits=hits,
            mode=query.mode,
            took_ms=(perf_counter() - started) * 1000,
            legs_ms=search.legs_ms,
            reranker=reranker,
            reranker_reason=reason,
            degraded=degraded,
        )

    def _tell(self, slug: str) -> None:
        """Log that a search answers from keywords, unless that was said within the minute."""
        now_s = monotonic()
        if now_s - self._told_s >= TOLD_EVERY_S:
            self._told_s = now_s
            log.warning("searches answer from keywords: %s", slug, extra={"operation": "search_memories"})

    def _rank(self, search: Search) -> list[Ranked]:
        mode = search.query.mode
        if mode is SearchMode.KEYWORD:
            return by_keywords(search.run_keyword())
        if mode is not SearchMode.HYBRID:
            return by_similarity(search.run_vector())
        vector, keyword = self._run_legs(search)
        ranked = search.fuse(vector, keyword)
        return ranked if search.query.hops == 1 else search.hop(ranked)

    def _run_legs(self, search: Search) -> tuple[list[Candidate], list[Candidate]]:
        threads = self._threads
        if threads is None:
            return search.run_vector(), search.run_keyword()
        try:
            beside = threads.submit(search.run_keyword)
        except RuntimeError:  # closed in this moment
            return search.run_vector(), search.run_keyword()
        try:
            vector = search.run_vector()
        except BaseException:
            beside.cancel()
            raise
        # A leg that still waits for a thread is taken back, so that a full queue delays nobody.
        return vector, search.run_keyword() if beside.cancel() else beside.result()


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
    if not 1 <= query.hops <= HOPS:
        raise InvalidRequest(f"hops is {query.hops}: give 1, or 2 to search for the words of the first hits too")
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

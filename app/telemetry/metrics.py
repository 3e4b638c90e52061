"""Metrics in Prometheus' text format, one registry an application; the alert rules rely on these names.

With several workers the parent process names a directory in `PROMETHEUS_MULTIPROC_DIR`; the library then keeps the
counts of each worker in files there, and whichever worker is asked adds them up.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SHARED_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
REQUEST_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 0.8, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""The targets of the requirements (§7.1: 100, 200, 500, 800, 1000 and 2000 ms) are bounds, so they are seen exactly."""
LEG_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreState:
    """What is in the store when somebody looks: workspaces, memories by kind and the bytes of its files.

    With a vector index beside the store, how many memories it was not told yet, and whether searches ask it.
    """

    workspaces: int
    memories: Mapping[str, int]
    db_bytes: int
    index_waiting: int | None = None
    index_used: bool = False


class _StoreGauges(Collector):
    def __init__(self, observe: Callable[[], StoreState]) -> None:
        self._observe = observe

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not read the store."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Read the store."""
        state = self._observe()
        memories = GaugeMetricFamily("reme_memories", "Live memories in the store.", labels=("kind",))
        for kind, count in sorted(state.memories.items()):
            memories.add_metric((kind,), count)
        yield memories
        yield GaugeMetricFamily("reme_workspaces", "Workspaces in the store.", value=state.workspaces)
        yield GaugeMetricFamily("reme_db_bytes", "Bytes of the store's files.", value=state.db_bytes)
        if state.index_waiting is not None:
            yield GaugeMetricFamily(
                "reme_index_waiting", "Memories that the vector index was not told yet.", value=state.index_waiting
            )
            yield GaugeMetricFamily(
                "reme_index_used",
                "1 while searches ask the vector index, 0 while the store searches by itself.",
                value=int(state.index_used),
            )


class _BuildInfo(Collector):
    def __init__(self, facts: Mapping[str, str]) -> None:
        self._facts = facts

    def collect(self) -> Iterator[Metric]:
        """Version, store and embedder."""
        yield InfoMetricFamily("reme_build", "What is running.", value=dict(self._facts))


class Metrics:
    """The counts of one application. Labels are bounded: operations are those of the route table."""

    def __init__(self, *, facts: Mapping[str, str], observe: Callable[[], StoreState]) -> None:
        self._shared = os.environ.get(SHARED_DIRECTORY, "")
        self._counts = CollectorRegistry()
        self._states = CollectorRegistry()
        self._requests = Counter(
            "reme_http_requests", "Requests answered.", ("operation", "method", "status"), registry=self._counts
        )
        self._durations = Histogram(
            "reme_http_request_duration_seconds",
            "Time from a request to the end of its answer.",
            ("operation",),
            registry=self._counts,
            buckets=REQUEST_BUCKETS_S,
        )
        self._tokens = Counter("reme_llm_tokens", "Tokens of language models.", ("operation",), registry=self._counts)
        self._hits = Counter("reme_embedding_cache_hits", "Texts embedded before.", registry=self._counts)
        self._misses = Counter("reme_embedding_cache_misses", "Texts embedded anew.", registry=self._counts)
        self._legs = Histogram(
            "reme_search_leg_seconds",
            "Time of one leg of a search.",
            ("leg",),
            registry=self._counts,
            buckets=LEG_BUCKETS_S,
        )
        self._degraded = Counter(
            "reme_searches_degraded",
            "Searches that answered from keywords because no vector could be made.",
            ("reason",),
            registry=self._counts,
        )
        self._moderated = Counter(
            "reme_moderation_texts",
            "Texts that content moderation was asked about; known ones were judged before, and count there too.",
            ("outcome",),
            registry=self._counts,
        )
        self._moderation_calls = Counter(
            "reme_moderation_calls", "Answers of content moderation.", ("moderator",), registry=self._counts
        )
        self._states.register(_BuildInfo(facts))
        self._states.register(_StoreGauges(observe))
        if not self._shared:
            ProcessCollector(registry=self._states)
        self._cache_seen = (0, 0)
        self._moderated_seen: dict[str, int] = {}
        self._cache_lock = Lock()

    def count_request(self, operation: str, method: str, status: int, duration_s: float) -> None:
        """Count an answered request."""
        self._requests.labels(operation, method if method in METHODS else "OTHER", str(status)).inc()
        self._durations.labels(operation).observe(duration_s)

    def count_tokens(self, operation: str, tokens: int) -> None:
        """Count tokens that a language model read and wrote."""
        self._tokens.labels(operation).inc(tokens)

    def count_legs(self, legs_ms: Mapping[str, float]) -> None:
        """Count the time that each leg of a search took."""
        for leg, duration_ms in legs_ms.items():
            self._legs.labels(leg).observe(duration_ms / 1000)

    def count_degraded(self, reason: str) -> None:
        """Count a search that answered from keywords; `reason` is the slug of an error."""
        self._degraded.labels(reason).inc()

    def count_cache(self, hits: int, misses: int) -> None:
        """Bring the cache's counters to these totals of this process."""
        with self._cache_lock:
            hits_before, misses_before = self._cache_seen
            self._cache_seen = (hits, misses)
            self._hits.inc(max(0, hits - hits_before))
            self._misses.inc(max(0, misses - misses_before))

    def count_moderated(self, counts: Mapping[str, int]) -> None:
        """Bring the counters of texts by their outcome to these totals of this process."""
        with self._cache_lock:
            seen, self._moderated_seen = self._moderated_seen, dict(counts)
            for outcome, total in counts.items():
                self._moderated.labels(outcome).inc(max(0, total - seen.get(outcome, 0)))

    def count_moderation_calls(self, moderator: str, calls: int) -> None:
        """Count answers of content moderation."""
        self._moderation_calls.labels(moderator).inc(calls)

    def render(self) -> bytes:
        """All metrics as text; with several workers the counts of all of them."""
        counts = self._counts
        if self._shared:
            counts = CollectorRegistry()
            MultiProcessCollector(counts, path=self._shared)  # type: ignore[no-untyped-call]
        return generate_latest(counts) + generate_latest(self._states)

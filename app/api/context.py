"""What a handler works with: the services, who asks, and threads to wait in."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar, cast

import anyio
import anyio.to_thread
from starlette.requests import Request

from app.api.authentication import Doorkeeper
from app.api.gate import EXCHANGE
from app.api.inventory import Inventory
from app.api.query_vectors import QueryVectors
from app.api.readiness import Readiness
from app.api.upkeep import Upkeep
from app.domain.access import LOCAL_ADMIN, Principal
from app.domain.query import SearchMode, SearchQuery, SearchResult
from app.errors import InvalidRequest, ModelError, Unauthenticated
from app.service.suite import Services
from app.settings import Settings
from app.telemetry.exchange import Exchange
from app.telemetry.metrics import Metrics

T = TypeVar("T")

THREADS = 8
"""Calls that wait for the store at once in a process: enough to hide slow writes behind one another."""
SEARCHES = 2
"""Searches at once in a process that is alone, in threads of their own, so that no write delays them. Among several
workers it is one: a search waits for nothing but the processor, and two in a process take an eighth more of it (2.9
against 2.5 ms, measured 2026-11)."""
WAITING_THREADS = 64
"""Instead of either where calls wait for a provider's model: they take seconds, and hardly any of a processor."""
TRANSFER_THREADS = 2
"""Imports and exports under way at once in a process, with threads of their own, so that they starve nobody."""
PATTERN_THREADS = 2
"""Searches of offloads at once: each may take a processor for 5 s, for which neither reading nor exports wait."""


@dataclass(frozen=True, kw_only=True)
class ApiContext:
    """What all requests of an application share; `facts` are the version, the store and the embedder.

    Without `vectors` every search embeds its own question, and pays for it.
    """

    settings: Settings
    services: Services
    metrics: Metrics
    doorkeeper: Doorkeeper
    readiness: Readiness
    inventory: Inventory
    upkeep: Upkeep
    facts: Mapping[str, str]
    threads: anyio.CapacityLimiter
    searches: anyio.CapacityLimiter
    transfers: anyio.CapacityLimiter
    patterns: anyio.CapacityLimiter
    vectors: QueryVectors | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """Do what may wait for a disk or a processor in a thread."""
        return await anyio.to_thread.run_sync(work, limiter=self.threads)


def api_of(request: Request) -> ApiContext:
    """What the application of a request shares."""
    return cast(ApiContext, request.app.state.api)


class Call:
    """One request as its handler sees it."""

    __slots__ = ("api", "exchange", "principal", "services")

    def __init__(self, request: Request, workspace_id: str = "") -> None:
        self.api = api_of(request)
        self.exchange = cast(Exchange, request.scope[EXCHANGE])
        self.exchange.workspace_id = workspace_id
        self.exchange.operation = request.scope["route"].operation_id
        self.services = self.api.services
        principal = self.exchange.principal
        if principal is None:
            raise Unauthenticated
        self.principal: Principal = principal

    @property
    def local(self) -> bool:
        """Whether nobody had to show a key."""
        return self.principal is LOCAL_ADMIN

    async def run(self, work: Callable[[], T]) -> T:
        """Do what may wait for a disk or a processor in a thread."""
        return await self.api.run(work)

    async def search(self, workspace_id: str, query: SearchQuery) -> SearchResult:
        """Search a workspace and count the legs for the metrics. Raises `InvalidRequest` beyond `access.max_top_k`."""
        self.check_top_k(query.top_k)
        retrieval = self.services.retrieval
        vector, embed_ms = None, 0.0
        gathering = self.api.vectors
        if gathering is not None and gathering.is_worthwhile and query.mode is not SearchMode.KEYWORD:
            query = retrieval.check(self.principal, workspace_id, query)
            # One question may have failed those that were embedded with it: alone, each gets its own answer.
            with suppress(ModelError):
                vector, embed_ms = await gathering.embed(query.text)
        # A model that is asked for the order takes its time, for which no other search should wait.
        limiter = self.api.threads if query.rerank else self.api.searches
        result = await anyio.to_thread.run_sync(
            lambda: retrieval.search(self.principal, workspace_id, query, vector=vector), limiter=limiter
        )
        if vector is not None:
            legs_ms = {"embed": embed_ms, **result.legs_ms}
            result = replace(result, took_ms=result.took_ms + embed_ms, legs_ms=legs_ms)
        self.api.metrics.count_legs(result.legs_ms)
        if result.degraded:
            self.api.metrics.count_degraded(result.degraded)
        return result

    def check_top_k(self, top_k: int) -> int:
        """Return how many hits are asked for, or raise `InvalidRequest` beyond `access.max_top_k`."""
        most = self.api.settings.access.max_top_k
        if not 1 <= top_k <= most:
            raise InvalidRequest(f"top_k is {top_k}: ask for 1 to {most} memories")
        return top_k

    def check_limit(self, limit: int) -> int:
        """Return a page's size, or raise `InvalidRequest` beyond `access.max_page`."""
        most = self.api.settings.access.max_page
        if not 1 <= limit <= most:
            raise InvalidRequest(f"limit is {limit}: ask for pages of 1 to {most}")
        return limit

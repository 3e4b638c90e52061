"""The service as an ASGI application: `create_app` for one process, `create_worker_app` for one of several."""

import logging
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.to_thread
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from app.api.authentication import Doorkeeper
from app.api.context import PATTERN_THREADS, SEARCHES, THREADS, TRANSFER_THREADS, WAITING_THREADS, ApiContext
from app.api.gate import Gate
from app.api.inventory import Inventory
from app.api.meters import CountingMeter
from app.api.openapi import complete_openapi
from app.api.problems import Problems
from app.api.query_vectors import QueryVectors
from app.api.rates import RateLimiter
from app.api.readiness import Readiness
from app.api.routes import ROUTERS, TAGS
from app.api.upkeep import Upkeep
from app.assembly import Foundation, assemble_services, lay_foundation
from app.errors import IndexUnavailable, MemoryServiceError, ModelError, StoreFull
from app.mcp.endpoint import build_mcp
from app.ports import SharedRates
from app.service.suite import Services
from app.settings import WORKER_SETTINGS, Settings, load_settings, receive_settings
from app.telemetry.logs import configure_logs
from app.telemetry.masking import Masker
from app.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from app.backends.indexed import IndexedStore
    from app.backends.redis.condition import RedisCondition

DESCRIPTION = (
    "Keeps what AI agents learn about people, tasks and tools, and finds it again. /v1 is our own API; "
    "the addresses at the root are those of ReMe 0.2."
)
CORS_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
CORS_HEADERS = (
    "Accept",
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "MCP-Protocol-Version",
    "Mcp-Method",
    "Mcp-Name",
    "Prefer",
    "X-API-Key",
    "X-Request-Id",
)
CORS_EXPOSED = ("ETag", "Idempotency-Replayed", "Location", "Retry-After", "X-Request-Id")

LEAST_FREE_BYTES = 16 * 2**20
"""Below this the service says that it is not ready: one batch of the largest memories takes some megabytes."""

KEY_THREADS = 8
"""Threads that look keys up where the store is behind a network: half of the pool's connections stay for the rest."""

log = logging.getLogger("reme.main")


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service as an ASGI application; its lifespan starts and ends the work in the background.

    Raises `SettingsError` where it would stand open to a network, `EmbeddingMismatch` for a store that was built
    with another embedding, and what opening the store raises.
    """
    settings = settings or load_settings()
    configure_logs(settings.log)
    foundation = lay_foundation(settings)
    try:
        return _create_app(settings, foundation)
    except BaseException:
        foundation.store.close()
        raise


def create_worker_app() -> FastAPI:
    """The application of a worker process, with the settings that its parent handed over. It ends with its parent."""
    if parent := parent_process():
        Thread(target=_stop_after, args=(parent,), name="parent", daemon=True).start()
    text = os.environ.get(WORKER_SETTINGS)
    return create_app(receive_settings(text) if text else None)


def _stop_after(parent: BaseProcess) -> None:
    """Stop this process once its parent is gone: one that was killed stops nobody, and its workers held the port."""
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _create_app(settings: Settings, foundation: Foundation) -> FastAPI:
    store, clock = foundation.store, foundation.clock
    facts = {"version": _version(), "store": settings.store.backend, "embedder": str(foundation.identity)}
    beside = None if settings.vector_index.backend == "store" else cast("IndexedStore[Any]", store)
    inventory = Inventory(
        store,
        file_bytes=lambda: _file_bytes(settings),
        index_state=None if beside is None else lambda: _read_index(beside),
    )
    metrics = Metrics(facts=facts, observe=inventory.count)
    services = assemble_services(settings, foundation, CountingMeter(store.meter, metrics))
    embedder = services.embedder
    services.reembedding.check()
    doorkeeper = Doorkeeper(services.keys, settings)
    doorkeeper.check_start()
    shared_rates = _open_rates(settings)
    cache_condition = _open_cache_condition(settings)
    problems = Problems(Masker(settings.log.mask))
    upkeep = Upkeep(
        services=services,
        inventory=inventory,
        clock=clock,
        purge_after_days=settings.retention.purge_after_days,
        observe=lambda: _observe(metrics, services),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            await anyio.to_thread.run_sync(lambda: embedder.embed_query("warm"))
        except ModelError as fault:
            log.warning("texts are not embedded now, and searches answer from keywords: %s", fault.message)
        upkeep.start()
        if settings.warnings:
            log.warning("settings: %s", "; ".join(settings.warnings))
        log.info("ready", extra={"operation": "start", "vector_db": settings.store.backend, **facts})
        try:
            async with endpoint.run() if endpoint is not None else nullcontext():
                yield
        finally:
            upkeep.stop()
            await _close_cache(shared_rates, cache_condition)
            services.close()
            log.info("stopped", extra={"operation": "stop"})

    app = FastAPI(
        title="ReMe memory service",
        version=facts["version"],
        description=DESCRIPTION,
        openapi_tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},
        exception_handlers=dict.fromkeys((MemoryServiceError, RequestValidationError, HTTPException), problems.handle),
    )
    threads, at_once = THREADS, SEARCHES if settings.http.workers == 1 else 1
    if foundation.is_charged:
        at_once = WAITING_THREADS
    if foundation.is_charged or settings.llm.usable or settings.moderation.backend != "none":
        threads = WAITING_THREADS
    searches = anyio.CapacityLimiter(at_once)
    checks: dict[str, Callable[[], object]] = {"store": lambda: _check_store(settings, services)}
    if not foundation.is_charged:
        # A text that no cache knows, so that the model really works. A provider's is not asked: probes need no key,
        # each would cost tokens and a place in the caches, and keywords answer while the provider is away.
        checks["embedder"] = lambda: embedder.embed_query(f"ready at {clock.now_ms()}")
    app.state.api = ApiContext(
        settings=settings,
        services=services,
        metrics=metrics,
        doorkeeper=doorkeeper,
        readiness=Readiness(checks, spare=_gather_spare(beside, cache_condition)),
        inventory=inventory,
        upkeep=upkeep,
        facts=facts,
        threads=anyio.CapacityLimiter(threads),
        searches=searches,
        transfers=anyio.CapacityLimiter(TRANSFER_THREADS),
        patterns=anyio.CapacityLimiter(PATTERN_THREADS),
        # A call for several questions has one payer, so only what costs nothing is asked for several at once.
        vectors=QueryVectors(embedder.embed_queries, searches) if not foundation.is_charged else None,
    )
    for router in ROUTERS:
        app.include_router(router)
    endpoint = build_mcp(app, path=settings.mcp.path, compatible=settings.mcp.compat) if settings.mcp.enabled else None
    complete_openapi(app, settings)
    app.add_middleware(
        Gate,
        doorkeeper=doorkeeper,
        limiter=RateLimiter(settings.access.requests_per_minute, workers=settings.http.workers, shared=shared_rates),
        metrics=metrics,
        problems=problems,
        http=settings.http,
        store=settings.store.backend,
        threads=anyio.CapacityLimiter(KEY_THREADS) if settings.store.backend == "postgres" else None,
    )
    if settings.http.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.http.cors_origins),
            allow_methods=CORS_METHODS,
            allow_headers=CORS_HEADERS,
            expose_headers=CORS_EXPOSED,
        )
    return app


def _observe(metrics: Metrics, services: Services) -> None:
    """Bring the counters of what the services count themselves up to date."""
    metrics.count_cache(services.embedder.hits, services.embedder.misses)
    if services.moderation is not None:
        metrics.count_moderated(services.moderation.counts)


def _open_rates(settings: Settings) -> SharedRates | None:
    if settings.cache.backend != "redis":
        return None
    from app.servers import open_rates  # noqa: PLC0415 - takes 0.1 s, and few need it

    return open_rates(settings.cache, settings.access.requests_per_minute)


def _open_cache_condition(settings: Settings) -> "RedisCondition | None":
    if settings.cache.backend != "redis":
        return None
    from app.servers import open_cache_condition  # noqa: PLC0415 - as above

    return open_cache_condition(settings.cache)


async def _close_cache(shared_rates: SharedRates | None, condition: "RedisCondition | None") -> None:
    if shared_rates is not None:
        await shared_rates.close()
    if condition is not None:
        condition.close()


def _gather_spare(
    beside: "IndexedStore[Any] | None", cache_condition: "RedisCondition | None"
) -> dict[str, Callable[[], object]]:
    """Checks of what the service works on without."""
    checks: dict[str, Callable[[], object]] = {}
    if beside is not None:
        checks["vector_index"] = lambda: _check_index(beside)
    if cache_condition is not None:
        checks["cache"] = cache_condition.check
    return checks


def _read_index(store: "IndexedStore[Any]") -> tuple[int, bool]:
    state = store.state()
    return state.waiting, state.is_used


def _check_index(store: "IndexedStore[Any]") -> None:
    """Raise `IndexUnavailable` while the store searches by itself."""
    state = store.state()
    if not state.is_used:
        raise IndexUnavailable(
            f"the store searches by itself: the vector index has {state.built:.0%} of the memories, its last call "
            f"ended with {state.error or 'no error'}"
        )


def _file_bytes(settings: Settings) -> int:
    if settings.store.backend != "sqlite":
        return 0
    path = settings.store_path
    files = (path, Path(f"{path}-wal"), Path(f"{path}-shm"))
    return sum(file.stat().st_size for file in files if file.exists())


def _check_store(settings: Settings, services: Services) -> None:
    """Raise where a search or a write would fail: another embedding in the store, or a full disk under it."""
    services.reembedding.check()
    if settings.store.backend != "sqlite":
        return
    free = shutil.disk_usage(settings.data_dir).free
    if free < LEAST_FREE_BYTES:
        raise StoreFull(
            f"{free / 2**20:.0f} MiB are left under {settings.data_dir}, less than {LEAST_FREE_BYTES / 2**20:.0f}: "
            "free some space"
        )


def _version() -> str:
    try:
        return version("reme-cloud")
    except PackageNotFoundError:
        return "unknown"

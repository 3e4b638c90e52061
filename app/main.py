"""The composition root: the only module that knows which backend stands behind which port.

`build_services` is for whoever works on the store without HTTP, `create_app` for one process, and
`prepare_workers` with `create_worker_app` for a server with several.
"""

import logging
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import anyio
import anyio.to_thread
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from app.api.authentication import Doorkeeper
from app.api.context import SEARCHES, THREADS, TRANSFER_THREADS, ApiContext
from app.api.gate import Gate
from app.api.inventory import Inventory
from app.api.meters import CountingMeter
from app.api.openapi import complete_openapi
from app.api.problems import Problems
from app.api.rates import RateLimiter
from app.api.readiness import Readiness
from app.api.routes import ROUTERS, TAGS
from app.api.upkeep import Upkeep
from app.backends import memory, sqlite
from app.backends.clock import SystemClock
from app.backends.embedders.hashing import HashingEmbedder
from app.backends.embedders.local import LocalEmbedder
from app.backends.extractors.rule import RuleExtractor
from app.domain.embedding import EmbeddingIdentity
from app.errors import MemoryServiceError, SettingsError, StoreFull
from app.ports import (
    Clock,
    Embedder,
    JobQueue,
    KeyStore,
    MemoryStore,
    Meter,
    SearchIndex,
    UserStore,
    VectorSpaces,
    WorkspaceStore,
)
from app.service.embedding_cache import CachingEmbedder
from app.service.storage import Storage
from app.service.suite import Services, assemble
from app.settings import WORKER_SETTINGS, Settings, load_settings, receive_settings
from app.telemetry.logs import configure_logs
from app.telemetry.masking import Masker
from app.telemetry.metrics import SHARED_DIRECTORY, Metrics

DESCRIPTION = (
    "Keeps what AI agents learn about people, tasks and tools, and finds it again. /v1 is our own API; "
    "the addresses at the root are those of ReMe 0.2."
)
CORS_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
CORS_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "Prefer", "X-API-Key", "X-Request-Id")
CORS_EXPOSED = ("ETag", "Idempotency-Replayed", "Location", "Retry-After", "X-Request-Id")

LEAST_FREE_BYTES = 16 * 2**20
"""Below this the service says that it is not ready: one batch of the largest memories takes some megabytes."""

log = logging.getLogger("reme.main")


@dataclass(frozen=True, kw_only=True)
class _CountedStore:
    """A store whose meter counts for the metrics too."""

    memories: MemoryStore
    index: SearchIndex
    workspaces: WorkspaceStore
    users: UserStore
    keys: KeyStore
    jobs: JobQueue
    meter: Meter
    spaces: VectorSpaces
    store: Storage

    def close(self) -> None:
        self.store.close()


def build_services(settings: Settings) -> Services:
    """The services over the configured store; close them when done. Raises `SettingsError` or a `StoreError`."""
    embedder = _make_embedder(settings)
    clock = SystemClock()
    return _assemble(settings, _open_store(settings, embedder.identity, clock), embedder, clock)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service as an ASGI application; its lifespan starts and ends the work in the background.

    Raises `SettingsError` where it would stand open to a network, `EmbeddingMismatch` for a store that was built
    with another embedding, and what opening the store raises.
    """
    settings = settings or load_settings()
    configure_logs(settings.log)
    embedder = _make_embedder(settings)
    clock = SystemClock()
    store = _open_store(settings, embedder.identity, clock)
    try:
        return _create_app(settings, store, embedder, clock)
    except BaseException:
        store.close()
        raise


def prepare_workers(settings: Settings) -> dict[str, str]:
    """Check that workers can start with these settings, and return the environment variables that they need.

    Called once by the parent before it starts them: a worker that fails at its start would be started for ever.
    """
    if settings.http.workers > 1 and settings.store.backend == "memory":
        raise SettingsError("store.backend=memory cannot be shared by several workers: set http.workers=1")
    services = build_services(settings)
    try:
        Doorkeeper(services.keys, settings).check_start()
        services.reembedding.check()
    finally:
        services.close()
    counts = settings.data_dir / "metrics"
    counts.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left_over in counts.glob("*.db"):
        left_over.unlink()
    threads = str(settings.embedding.threads)
    return {
        WORKER_SETTINGS: settings.hand_over(),
        SHARED_DIRECTORY: str(counts),
        # As many threads as there are cores, in each worker, spend their time waiting for one another.
        **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads),
    }


def create_worker_app() -> FastAPI:
    """The application of a worker process, with the settings that its parent handed over."""
    text = os.environ.get(WORKER_SETTINGS)
    return create_app(receive_settings(text) if text else None)


def _create_app(settings: Settings, store: Storage, embedder: CachingEmbedder, clock: Clock) -> FastAPI:
    facts = {"version": _version(), "store": settings.store.backend, "embedder": str(embedder.identity)}
    inventory = Inventory(store, file_bytes=lambda: _file_bytes(settings))
    metrics = Metrics(facts=facts, observe=inventory.count)
    counted = _CountedStore(
        memories=store.memories,
        index=store.index,
        workspaces=store.workspaces,
        users=store.users,
        keys=store.keys,
        jobs=store.jobs,
        meter=CountingMeter(store.meter, metrics),
        spaces=store.spaces,
        store=store,
    )
    services = _assemble(settings, counted, embedder, clock)
    services.reembedding.check()
    doorkeeper = Doorkeeper(services.keys, settings)
    doorkeeper.check_start()
    problems = Problems(Masker(settings.log.mask))
    upkeep = Upkeep(
        services=services,
        inventory=inventory,
        clock=clock,
        purge_after_days=settings.retention.purge_after_days,
        observe=lambda: metrics.count_cache(embedder.hits, embedder.misses),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await anyio.to_thread.run_sync(lambda: embedder.embed_query("warm"))
        upkeep.start()
        if settings.ignored:
            log.warning("these settings mean nothing here: %s", ", ".join(settings.ignored))
        log.info("ready", extra={"operation": "start", "vector_db": settings.store.backend, **facts})
        try:
            yield
        finally:
            upkeep.stop()
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
    app.state.api = ApiContext(
        settings=settings,
        services=services,
        metrics=metrics,
        doorkeeper=doorkeeper,
        readiness=Readiness(
            {
                "store": lambda: _check_store(settings, services),
                # A text that no cache knows, so that the model really works.
                "embedder": lambda: embedder.embed_query(f"ready at {clock.now_ms()}"),
            }
        ),
        inventory=inventory,
        upkeep=upkeep,
        facts=facts,
        threads=anyio.CapacityLimiter(THREADS),
        searches=anyio.CapacityLimiter(SEARCHES if settings.http.workers == 1 else 1),
        transfers=anyio.CapacityLimiter(TRANSFER_THREADS),
    )
    for router in ROUTERS:
        app.include_router(router)
    complete_openapi(app, settings)
    app.add_middleware(
        Gate,
        doorkeeper=doorkeeper,
        limiter=RateLimiter(settings.access.requests_per_minute, workers=settings.http.workers),
        metrics=metrics,
        problems=problems,
        http=settings.http,
        store=settings.store.backend,
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


def _assemble(settings: Settings, store: Storage, embedder: Embedder, clock: Clock) -> Services:
    return assemble(
        store=store,
        embedder=embedder,
        extractor=RuleExtractor(),
        clock=clock,
        key_days=settings.access.key_days,
        overlap_days=settings.access.overlap_days,
        # A second thread a search shortens it while a core is idle. With several workers none is, and it costs a
        # third more processor time (2.7 against 2.0 ms a search of 10,000 memories, measured 2026-11).
        parallel=settings.http.workers == 1,
    )


def _make_embedder(settings: Settings) -> CachingEmbedder:
    embedder: Embedder = (
        HashingEmbedder()
        if settings.embedding.backend == "hashing"
        else LocalEmbedder(threads=settings.embedding.threads)
    )
    return CachingEmbedder(embedder, settings.embedding.cache_entries)


def _open_store(settings: Settings, identity: EmbeddingIdentity, clock: Clock) -> Storage:
    if settings.store.backend == "memory":
        return memory.open_store(identity=identity, clock=clock)
    return sqlite.open_store(
        settings.store_path,
        identity=identity,
        clock=clock,
        synchronous=settings.store.synchronous,
        busy_timeout_ms=settings.store.busy_timeout_ms,
        cache_mb=settings.store.cache_mb,
    )


def _file_bytes(settings: Settings) -> int:
    if settings.store.backend == "memory":
        return 0
    path = settings.store_path
    files = (path, Path(f"{path}-wal"), Path(f"{path}-shm"))
    return sum(file.stat().st_size for file in files if file.exists())


def _check_store(settings: Settings, services: Services) -> None:
    """Raise where a search or a write would fail: another embedding in the store, or a full disk under it."""
    services.reembedding.check()
    if settings.store.backend == "memory":
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

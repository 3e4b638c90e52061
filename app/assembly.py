"""What stands behind which port: the services over the configured backends, without HTTP.

With `app.main`, which adds the interfaces, this is the composition root: no other module knows which backend stands
behind which port. It imports no web framework, which takes longer than to open a store.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from app.api.authentication import Doorkeeper
from app.api.compat.dumps import Dumps
from app.backends import memory, sqlite
from app.backends.clock import SystemClock
from app.backends.embedders.hashing import HashingEmbedder
from app.backends.embedders.local import LocalEmbedder
from app.backends.embedders.transformers import SentenceTransformersEmbedder
from app.backends.extractors.model import ModelExtractor
from app.backends.extractors.rule import RuleExtractor
from app.backends.objects.local import LocalObjectStore
from app.backends.objects.ram import RamObjectStore
from app.backends.sqlite.embedding_cache import SqliteVectorCache
from app.backends.unmoderated import Unmoderated
from app.domain.embedding import EmbeddingIdentity
from app.domain.language import ModelTask
from app.domain.working import WorkingLimits, WorkingPolicy
from app.errors import SettingsError
from app.ports import Clock, Embedder, LanguageModel, Meter, Moderator, ObjectStore, VectorCache
from app.ports.stores import Storage
from app.service.embedding_cache import CachingEmbedder
from app.service.metered_models import MeteredEmbedder, MeteredModel
from app.service.moderated_model import ModeratedModel
from app.service.moderation import Moderation
from app.service.profiles import Profiles
from app.service.reranking import ModelReranker
from app.service.spending import Spending
from app.service.suite import Services, assemble
from app.service.till import LAPSE_MS, Till
from app.service.weights import Weights
from app.service.working import WorkingMemory
from app.settings import WORKER_SETTINGS, Settings, StoreSettings
from app.telemetry.metrics import SHARED_DIRECTORY

WEIGHTS_FOLDER = "weights"
"""Weights that were pulled from the object store; without it they are pulled again."""
EMBEDDINGS_FILE = "embeddings.db"
"""Beside the store; without it texts are embedded again."""
DEADLINES = 2
"""Money set aside for a call lapses after this many of the longest deadline: its process has died by then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Foundation:
    """An open store, and what makes the vectors that it was opened for: in this process, or at a provider.

    `make_embedder` charges to a till what costs tokens; `end_calls` ends what a provider is asked just now.
    """

    store: Storage
    clock: Clock
    identity: EmbeddingIdentity
    make_embedder: Callable[[Till], Embedder]
    is_charged: bool = False
    end_calls: Callable[[], None] = lambda: None


def build_services(settings: Settings) -> Services:
    """The services over the configured store; close them when done. Raises `SettingsError` or a `StoreError`."""
    foundation = lay_foundation(settings)
    return assemble_services(settings, foundation, foundation.store.meter)


def lay_foundation(settings: Settings) -> Foundation:
    """Open the configured store; no weights are loaded yet. Raises `SettingsError` or a `StoreError`."""
    clock = SystemClock()
    if settings.embedding.backend != "openai_compatible":
        vectors = _make_vectors(settings)
        store = _open_store(settings, vectors.identity, clock)
        return Foundation(store=store, clock=clock, identity=vectors.identity, make_embedder=lambda _: vectors)
    from app.providers import make_embedding_model  # noqa: PLC0415 - takes 0.2 s, and few need it

    provider = make_embedding_model(settings.embedding)
    return Foundation(
        store=_open_store(settings, provider.identity, clock),
        clock=clock,
        identity=provider.identity,
        make_embedder=lambda till: MeteredEmbedder(provider, till=till),
        is_charged=True,
        end_calls=provider.close,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """What workers need: their environment variables; and what the parent tells of the store before they start."""

    variables: Mapping[str, str]
    embedder: str
    keys_exist: bool


def prepare_workers(settings: Settings) -> Prepared:
    """Check that workers can start with these settings.

    Called once by the parent before it starts them: a worker that fails at its start would be started for ever. The
    weights of an embedder are not loaded for it.
    """
    if settings.http.workers > 1 and settings.store.backend == "memory":
        raise SettingsError("store.backend=memory cannot be shared by several workers: set http.workers=1")
    services = build_services(settings)
    try:
        Doorkeeper(services.keys, settings).check_start()
        services.reembedding.check()
        embedder = str(services.store.spaces.identity() or settings.embedding.backend)
        keys_exist = services.keys.exist()
    finally:
        services.close()
    counts = settings.data_dir / "metrics"
    counts.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left_over in counts.glob("*.db"):
        left_over.unlink()
    threads = str(settings.embedding.threads)
    variables = {
        WORKER_SETTINGS: settings.hand_over(),
        SHARED_DIRECTORY: str(counts),
        # As many threads as there are cores, in each worker, spend their time waiting for one another.
        **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads),
    }
    return Prepared(variables=variables, embedder=embedder, keys_exist=keys_exist)


def assemble_services(settings: Settings, foundation: Foundation, meter: Meter) -> Services:
    """The services over an open store, which they close. `meter` counts what they do."""
    store, clock = foundation.store, foundation.clock
    spending = Spending(
        ledger=store.ledger,
        clock=clock,
        daily_usd=settings.spending.workspace_daily_usd,
        monthly_usd=settings.spending.workspace_monthly_usd,
    )
    longest_s = max(settings.embedding.deadline_s, *(settings.llm.choice(task).deadline_s for task in ModelTask))
    till = Till(
        ledger=store.ledger,
        spending=spending,
        meter=meter,
        clock=clock,
        lapse_ms=max(LAPSE_MS, int(DEADLINES * 1000 * longest_s)),
    )
    moderation = Moderation(
        _make_moderator(settings),
        meter=meter,
        clock=clock,
        allow_unjudged=settings.moderation.on_error == "allow",
        entries=settings.moderation.cache_entries,
    )
    closing = [foundation.end_calls, moderation.close]
    model: LanguageModel | None = None
    if settings.llm.usable:
        from app.providers import make_language_model  # noqa: PLC0415 - takes 0.2 s, and few need it

        provider = make_language_model(settings.llm)
        closing.append(provider.close)
        model = MeteredModel(
            provider, till=till, max_tokens={task: settings.llm.choice(task).max_tokens for task in ModelTask}
        )
        if settings.moderation.judges_answers:
            model = ModeratedModel(model, moderation)
    objects = open_objects(settings, clock)
    working = WorkingMemory(
        store=store.working,
        objects=objects,
        model=model,
        clock=clock,
        meter=meter,
        policy=_read_policy(settings),
        moderation=moderation,
    )
    embedder = _make_embedder(settings, foundation, till)
    return assemble(
        store=store,
        embedder=embedder,
        extractor=RuleExtractor() if model is None else ModelExtractor(model, rules=RuleExtractor()),
        clock=clock,
        meter=meter,
        spending=spending,
        working=working,
        profiles=Profiles(
            objects=objects,
            users=store.users,
            clock=clock,
            most_bytes=settings.storage.max_profile_bytes,
            moderation=moderation,
        ),
        language=model,
        reranker=None if model is None else ModelReranker(model, candidates=settings.search.rerank_candidates),
        copies=Dumps(settings.data_dir),
        moderation=moderation,
        key_days=settings.access.key_days,
        overlap_days=settings.access.overlap_days,
        # A second thread a search shortens it while a core is idle. With several workers none is, and it costs a
        # third more processor time (2.7 against 2.0 ms a search of 10,000 memories, measured 2026-11).
        parallel=settings.http.workers == 1,
        closing=(*closing, till.close, embedder.close),
    )


def _make_moderator(settings: Settings) -> Moderator:
    if settings.moderation.backend == "none":
        return Unmoderated()
    from app.providers import make_moderator  # noqa: PLC0415 - takes 0.2 s, and few need it

    return make_moderator(settings.moderation)


def _make_vectors(settings: Settings) -> Embedder:
    wanted = settings.embedding
    if wanted.backend == "hashing":
        return HashingEmbedder()
    if wanted.backend == "local":
        return LocalEmbedder(threads=wanted.threads)
    model_name, folder = wanted.model_name, None
    if wanted.weights:
        with open_weights(settings) as weights:
            folder, manifest = weights.open(wanted.weights, settings.data_dir / WEIGHTS_FOLDER)
        # Vectors of other weights that are pushed under the name cannot be compared with these.
        model_name = f"{wanted.weights}@{manifest.digest[:16]}"
    return SentenceTransformersEmbedder(
        model_name=model_name, dimensions=wanted.dimensions or 0, device=wanted.device, folder=folder
    )


@contextmanager
def open_weights(settings: Settings) -> Iterator[Weights]:
    """The weights of the configured object store. Raises `SettingsError` for one that forgets them at once."""
    if settings.storage.type == "memory":
        raise SettingsError("storage.type=memory keeps no weights: use local, s3 or oss")
    clock = SystemClock()
    # A store of memories in RAM lets texts go with it, but weights outlive it.
    objects = open_objects(settings.model_copy(update={"store": StoreSettings()}), clock)
    try:
        yield Weights(objects=objects, clock=clock)
    finally:
        close = getattr(objects, "close", None)  # a client of a cloud has connections to let go of
        if close is not None:
            close()


def _make_embedder(settings: Settings, foundation: Foundation, till: Till) -> CachingEmbedder:
    """The embedder behind its caches; what a provider made is kept in a file too, or where all nodes find it."""
    kept: VectorCache | None = None
    if foundation.is_charged and settings.cache.backend == "redis":
        from app.servers import open_vector_cache  # noqa: PLC0415 - takes 0.1 s, and few need it

        kept = open_vector_cache(settings.cache)
    elif foundation.is_charged and settings.store.backend != "memory":
        kept = SqliteVectorCache(
            settings.data_dir / EMBEDDINGS_FILE,
            entries=settings.embedding.persistent_cache_entries,
            clock=foundation.clock,
        )
    return CachingEmbedder(foundation.make_embedder(till), settings.embedding.cache_entries, kept=kept)


def _open_store(settings: Settings, identity: EmbeddingIdentity, clock: Clock) -> Storage:
    store = _open_truth(settings, identity, clock)
    if settings.vector_index.backend == "store":
        return store
    from app.servers import open_beside  # noqa: PLC0415 - takes 0.2 s and more, and few need it

    return open_beside(settings, store, identity, clock)


def _open_truth(settings: Settings, identity: EmbeddingIdentity, clock: Clock) -> Storage:
    if settings.store.backend == "memory":
        return memory.open_store(identity=identity, clock=clock)
    if settings.store.backend == "postgres":
        from app.servers import open_postgres  # noqa: PLC0415 - takes 0.2 s, and few need it

        return open_postgres(settings, identity, clock)
    return sqlite.open_store(
        settings.store_path,
        identity=identity,
        clock=clock,
        synchronous=settings.store.synchronous,
        busy_timeout_ms=settings.store.busy_timeout_ms,
        cache_mb=settings.store.cache_mb,
    )


def open_objects(settings: Settings, clock: Clock) -> ObjectStore:
    most_bytes = settings.storage.max_file_bytes
    if settings.storage.type in ("s3", "oss"):
        from app.servers import open_bucket  # noqa: PLC0415 - takes 0.3 s, and few need it

        return open_bucket(settings)
    if settings.storage.type == "memory" or settings.store.backend == "memory":
        return RamObjectStore(clock=clock, most_bytes=most_bytes)
    return LocalObjectStore(settings.storage_path, most_bytes=most_bytes)


def _read_policy(settings: Settings) -> WorkingPolicy:
    wanted = settings.working_memory
    return WorkingPolicy(
        limits=WorkingLimits(
            compact_ratio_threshold=wanted.compression_ratio,
            max_total_tokens=wanted.max_total_tokens,
            max_tool_message_tokens=wanted.max_tool_message_tokens,
        ),
        auto_compression=wanted.auto_compression,
        max_messages=wanted.max_messages,
        hot_days=wanted.hot_days,
        archive_after_days=wanted.archive_after_days,
        delete_after_days=wanted.delete_after_days,
        archive_enabled=wanted.archive_enabled,
    )

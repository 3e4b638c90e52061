"""What stands beside the service, opened as the settings say: databases, vector indexes, object stores, a cache.

Part of the composition root. A server's client is imported when it is configured, since each takes a part of a second
and is an extra of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.backends.indexed import IndexedStore, Store
from app.backends.indexed import open_store as open_indexed
from app.backends.indexed.indexer import LEASE_S
from app.backends.objects.cloud import Bucket
from app.domain.embedding import EmbeddingIdentity
from app.errors import SettingsError
from app.ports import Clock, ObjectStore, SharedRates, VectorCache, VectorIndex
from app.ports.stores import Storage
from app.settings import CacheSettings, ChromaSettings, ElasticsearchSettings, QdrantSettings, Settings
from app.settings.secrets import reveal

if TYPE_CHECKING:
    from app.backends.redis.condition import RedisCondition
    from app.backends.redis.connections import RedisPlace


ATTEMPTS = 4
"""Calls of an index that a batch may take, each up to its timeout, before another process may take the batch over."""


@contextmanager
def _needing(extra: str, setting: str) -> Iterator[None]:
    """Tell which package a setting needs where its client is not installed."""
    try:
        yield
    except ModuleNotFoundError as fault:
        raise SettingsError(f"{setting} needs the package {fault.name}: pip install 'reme-cloud[{extra}]'") from fault


def open_postgres(settings: Settings, identity: EmbeddingIdentity, clock: Clock) -> Storage:
    """The store in PostgreSQL. Raises `SettingsError` or a `StoreError`."""
    wanted = settings.postgres
    with _needing("postgres", "store.backend=postgres"):
        from app.backends import postgres  # noqa: PLC0415
    return postgres.open_store(
        wanted.revealed_connection_string or "",
        identity=identity,
        clock=clock,
        min_pool_size=wanted.min_pool_size,
        max_pool_size=wanted.max_pool_size,
        connect_timeout_s=wanted.connect_timeout_s,
        statement_timeout_s=wanted.statement_timeout_s,
        index=wanted.index,
        lists=wanted.lists,
        m=wanted.m,
        ef_construction=wanted.ef_construction,
        ef_search=wanted.ef_search,
    )


def open_postgres_snapshot(settings: Settings, identity: EmbeddingIdentity, clock: Clock) -> Storage:
    """The store in PostgreSQL as it stands now, to be read. Raises `SettingsError` or a `StoreError`."""
    with _needing("postgres", "store.backend=postgres"):
        from app.backends import postgres  # noqa: PLC0415
    return postgres.open_snapshot(
        settings.postgres.revealed_connection_string or "",
        identity=identity,
        clock=clock,
        connect_timeout_s=settings.postgres.connect_timeout_s,
    )


def open_beside(settings: Settings, store: Storage, identity: EmbeddingIdentity, clock: Clock) -> IndexedStore[Store]:
    """A store with the vector index that `vector_index.backend` names beside it; both are closed with it.

    Raises `SettingsError` where the index cannot do what the settings ask of it; then both are closed.
    """
    index = open_index(settings)
    try:
        if not isinstance(store, Store):
            raise SettingsError(
                f"vector_index.backend={settings.vector_index.backend} needs a store that notes changes"
            )
        return open_indexed(store, index, identity=identity, clock=clock, lease_s=_choose_lease(settings))
    except BaseException:
        index.close()
        store.close()
        raise


def _choose_lease(settings: Settings) -> float:
    """How long a process may take to tell the index of a batch: some attempts of a call."""
    timeouts = {
        "qdrant": settings.qdrant.timeout_s,
        "elasticsearch": settings.elasticsearch.timeout_s,
        "chroma": settings.chroma.timeout_s,
    }
    return max(LEASE_S, ATTEMPTS * timeouts.get(settings.vector_index.backend, 0.0))


def open_index(settings: Settings) -> VectorIndex:
    """The client of the vector index that the settings name; nothing is asked yet. Raises `SettingsError`."""
    backend, batch_size = settings.vector_index.backend, settings.vector_index.batch_size
    with _needing(backend, f"vector_index.backend={backend}"):
        match backend:
            case "qdrant":
                return _open_qdrant(settings.qdrant, batch_size)
            case "elasticsearch":
                return _open_elasticsearch(settings.elasticsearch, batch_size)
            case "chroma":
                return _open_chroma(settings.chroma, batch_size)
    raise SettingsError(f"vector_index.backend={backend} is the store itself: there is no index beside it")


def _open_qdrant(wanted: QdrantSettings, batch_size: int) -> VectorIndex:
    from app.backends import qdrant  # noqa: PLC0415

    return qdrant.open_index(
        url=wanted.url or "",
        host="" if wanted.url or wanted.path else wanted.host,
        port=wanted.port,
        grpc_port=wanted.grpc_port,
        path=wanted.path or "",
        prefer_grpc=wanted.prefer_grpc,
        https=wanted.https,
        api_key=wanted.revealed_key or "",
        ca_file=wanted.ca_file or "",
        timeout_s=wanted.timeout_s,
        collection_name=wanted.collection_name,
        distance=wanted.distance,
        m=wanted.m,
        ef_construct=wanted.ef_construct,
        ef=wanted.ef,
        quantization=wanted.quantization,
        oversampling=wanted.oversampling or 0.0,
        on_disk=wanted.on_disk,
        batch_size=batch_size,
        shard_number=wanted.shard_number or 0,
        replication_factor=wanted.replication_factor,
        write_consistency_factor=wanted.write_consistency_factor,
        read_consistency=wanted.read_consistency or 0,
    )


def _open_elasticsearch(wanted: ElasticsearchSettings, batch_size: int) -> VectorIndex:
    from app.backends import elasticsearch  # noqa: PLC0415

    return elasticsearch.open_index(
        wanted.hosts,
        api_key=wanted.revealed_key or "",
        username=wanted.username,
        password=wanted.revealed_password or "",
        ca_certs=wanted.ca_certs or "",
        verify_certs=wanted.verify_certs,
        timeout_s=wanted.timeout_s,
        index_name=wanted.index_name,
        number_of_shards=wanted.number_of_shards,
        number_of_replicas=wanted.number_of_replicas,
        refresh_interval=wanted.refresh_interval,
        max_result_window=wanted.max_result_window,
        m=wanted.m,
        ef_construction=wanted.ef_construction,
        num_candidates=wanted.num_candidates,
        quantization="bbq" if wanted.quantization == "binary" else wanted.quantization,
        batch=batch_size,
    )


def _open_chroma(wanted: ChromaSettings, batch_size: int) -> VectorIndex:
    from app.backends import chroma  # noqa: PLC0415

    return chroma.open_index(
        wanted.host,
        wanted.port,
        name=wanted.collection_name,
        ssl=wanted.ssl,
        api_key=wanted.revealed_key or "",
        tenant=wanted.tenant,
        database=wanted.database,
        timeout_s=wanted.timeout_s,
        batch_size=batch_size,
        m=wanted.m,
        ef_construction=wanted.ef_construction,
        ef_search=wanted.ef_search,
    )


def open_bucket(settings: Settings) -> ObjectStore:
    """The object store in a cloud that `storage.type` names. Raises `SettingsError`."""
    wanted = settings.storage
    bucket = Bucket(
        name=wanted.bucket,
        region=wanted.region,
        endpoint=wanted.endpoint,
        access_key=reveal(wanted.access_key),
        secret_key=reveal(wanted.secret_key),
        session_token=reveal(wanted.session_token),
        prefix=wanted.prefix,
        path_style=wanted.path_style,
        encryption=wanted.encryption,
        kms_key_id=wanted.kms_key_id,
        storage_class=wanted.storage_class,
        timeout_s=wanted.timeout_s,
    )
    with _needing(wanted.type, f"storage.type={wanted.type}"):
        if wanted.type == "oss":
            from app.backends.objects.oss import OssObjectStore  # noqa: PLC0415

            return OssObjectStore(bucket, most_bytes=wanted.max_file_bytes)
        from app.backends.objects.s3 import S3ObjectStore  # noqa: PLC0415

        return S3ObjectStore(bucket, most_bytes=wanted.max_file_bytes)


def open_vector_cache(settings: CacheSettings) -> VectorCache:
    """The cache of embeddings that nodes share."""
    with _needing("redis", "cache.backend=redis"):
        from app.backends.redis.vectors import RedisVectorCache  # noqa: PLC0415
    return RedisVectorCache(_place_cache(settings), prefix=settings.prefix, keep_days=settings.vector_days)


def open_rates(settings: CacheSettings, requests_per_minute: int) -> SharedRates:
    """The counts of requests that nodes share; for the event loop."""
    with _needing("redis", "cache.backend=redis"):
        from app.backends.redis.rates import RedisRates  # noqa: PLC0415
    return RedisRates(_place_cache(settings), requests_per_minute=requests_per_minute, prefix=settings.prefix)


def open_cache_condition(settings: CacheSettings) -> "RedisCondition":
    """What tells whether the server that nodes share takes writes now."""
    with _needing("redis", "cache.backend=redis"):
        from app.backends.redis.condition import RedisCondition  # noqa: PLC0415
    return RedisCondition(_place_cache(settings), prefix=settings.prefix)


def _place_cache(settings: CacheSettings) -> "RedisPlace":
    from app.backends.redis.connections import RedisPlace  # noqa: PLC0415

    return RedisPlace(
        nodes=settings.nodes,
        mode=settings.mode,
        service_name=settings.service_name,
        username=settings.username,
        password=settings.revealed_password or "",
        ssl=settings.ssl,
        database=settings.database,
        timeout_s=settings.timeout_s,
    )

"""The settings of the service, from a region's plan and the addresses of what stands beside it.

Names are those of the service's reference of settings. A secret is only ever named here: its value travels from the
secret store to the machine and never through a template, a plan or a stack's state.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote, urlencode

from infra.errors import InfraError
from infra.facts import OBJECTS_PREFIX, POSTGRES_DATABASE, POSTGRES_USER, QDRANT_PORT
from infra.service.machine import name_object_host
from infra.service.model_settings import (
    configure_embedding,
    configure_language,
    configure_moderation,
    usual_model,
)
from infra.service.providers import find_provider
from sizing.models import TASKS
from sizing.plan import ObjectStoreSpec, RegionPlan, VectorStoreSpec

WORKING_DIR = "/var/lib/reme"
"""The data volume of a host, the volume of the image."""
MASKED_FIELDS = "api_key,password,user_email,credit_card"
"""Requirements §7.3: fields_to_mask."""
AUTHORITIES_FILE = f"{WORKING_DIR}/authorities.pem"
"""Authorities of certificates that the preparation gathers: the usual ones, the database's, the vector store's."""
RDS_AUTHORITIES_URL = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
"""Those of RDS in every region (RDS User Guide, "Using SSL/TLS to encrypt a connection"; read 2026-11)."""
APSARADB_AUTHORITIES_URL = "https://apsaradb-public.oss-ap-southeast-1.aliyuncs.com/ApsaraDB-CA-Chain.zip"
"""Those of RDS and Tair on Alibaba Cloud in every region, the texts in an archive (RDS, DescribeDBInstanceSSL; Tair,
DescribeInstanceSSL; read 2026-11)."""
ADMIN_VARIABLE = "ADMIN_KEY"
AUTHORITY_VARIABLE = "VECTOR_AUTHORITY"
AUTHORITY_SOURCE_VARIABLE = "VECTOR_AUTHORITY_SOURCE"
AUTHORITIES_URLS_VARIABLE = "AUTHORITIES_URLS"
"""What the preparation before a start is told; none is a setting of the service."""
ADMIN_SECRET = "admin"  # noqa: S105 - a name
AUTHORITY_SECRET = "vector-authority"  # noqa: S105
DATABASE_SECRET = "database"  # noqa: S105
CACHE_SECRET = "cache"  # noqa: S105
LLM_SECRET = "llm"  # noqa: S105
EMBEDDING_SECRET = "embedding"  # noqa: S105
DATADOG_SECRET = "datadog"  # noqa: S105
_LOOPBACK = "127.0.0.1"
_EVERYWHERE = "0.0.0.0"  # noqa: S104 - in a container, whose network decides who reaches it
_SERVERS = {"qdrant": "qdrant", "elasticsearch": "elasticsearch", "chromadb": "chroma"}
"""The plan's engines that are servers beside the store, with the name of their section."""


class MissingAddress(InfraError):
    """The plan has a server whose address was not given."""

    def __init__(self, field: str, server: str) -> None:
        super().__init__(f"ServiceAddresses.{field} is empty, and the plan has {server}: give its address")


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceAddresses:
    """Where the servers of the plan are; what the plan does not have stays empty.

    `database_authorities_url` is where the authorities of the database's certificate are published; without it the
    connection is encrypted and the server not recognised. `database_tls` is False for a server that has no TLS, such as
    a serverless one of Alibaba Cloud: it is reached in the clear, and never asked in the clear for a password.
    `cache_authorities_url` is for a cache whose authorities are not among the usual ones. `vector_url` is Qdrant's or
    Elasticsearch's; with `vector_authority` its certificate comes from an authority of the stack's own, kept as
    AUTHORITY_SECRET.
    `bucket_key` is the KMS key of the bucket; without one the store encrypts with its own.
    """

    database_host: str = ""
    database_port: int = 5432
    database_name: str = POSTGRES_DATABASE
    database_user: str = POSTGRES_USER
    database_authorities_url: str = ""
    database_tls: bool = True
    cache_host: str = ""
    cache_port: int = 6379
    cache_tls: bool = True
    cache_authorities_url: str = ""
    vector_url: str = ""
    vector_user: str = ""
    vector_authority: bool = False
    bucket: str = ""
    bucket_prefix: str = OBJECTS_PREFIX
    bucket_key: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceSettings:
    """Environment variables: `environment` with their values, `secrets` with the name of the secret that has it.

    What comes before a start gets those of `preparation` and `preparation_secrets` as well.
    """

    environment: Mapping[str, str]
    secrets: Mapping[str, str]
    preparation: Mapping[str, str]
    preparation_secrets: Mapping[str, str]

    @property
    def secret_names(self) -> tuple[str, ...]:
        """The secrets that must exist before the service starts, the administrator's key among them."""
        return tuple(sorted({*self.secrets.values(), *self.preparation_secrets.values()}))


def configure_service(
    plan: RegionPlan, addresses: ServiceAddresses, *, overrides: Mapping[str, str] = MappingProxyType({})
) -> ServiceSettings:
    """The settings of every node of a region. Raises `MissingAddress` or `UnknownProvider`.

    `overrides` are settings by their dotted names that win over what follows from the plan; none may be a secret.
    """
    settings: dict[str, object] = {
        "working_dir": WORKING_DIR,
        "http.host": _EVERYWHERE if plan.compute.placement == "cluster" else _LOOPBACK,
        "http.port": plan.balancer.target_port,
        # The plan's memory is that of one process for each vCPU.
        "http.workers": plan.compute.vcpu,
        "access.mode": "required",
        "log.level": "INFO",
        "log.mask": MASKED_FIELDS,
        **dict(_configure_database(plan, addresses)),
        **dict(_configure_vectors(plan.vector_store, addresses)),
        **dict(_configure_cache(plan, addresses)),
        **dict(_configure_objects(plan, addresses)),
        **dict(configure_embedding(plan)),
        **dict(configure_language(plan)),
        **dict(configure_moderation(plan)),
        **overrides,
    }
    environment = {_name_variable(name): _write(value) for name, value in settings.items()}
    preparation, preparation_secrets = {}, {ADMIN_VARIABLE: ADMIN_SECRET}
    if urls := _list_authorities(plan, addresses):
        preparation[AUTHORITIES_URLS_VARIABLE] = " ".join(urls)
    if addresses.vector_authority or (plan.cache.engine != "in-process" and addresses.cache_authorities_url):
        # What the clients of HTTP servers and of the cache read the authorities from.
        environment["SSL_CERT_FILE"] = AUTHORITIES_FILE
    if addresses.vector_authority:
        preparation_secrets[AUTHORITY_VARIABLE] = AUTHORITY_SECRET
    return ServiceSettings(
        environment=environment,
        secrets=dict(_name_secrets(plan)),
        preparation=preparation,
        preparation_secrets=preparation_secrets,
    )


def name_secrets(plan: RegionPlan) -> tuple[str, ...]:
    """The names of a region's secrets but for AUTHORITY_SECRET, whatever the addresses; those of others than the
    service among them."""
    beside = {DATADOG_SECRET} if plan.monitoring.kind == "datadog" else set()
    return tuple(sorted({*dict(_name_secrets(plan)).values(), ADMIN_SECRET, *beside}))


def _name_variable(setting: str) -> str:
    return f"REME_{setting.replace('.', '__')}".upper()


def _write(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _require(addresses: ServiceAddresses, field: str, server: str) -> str:
    value = str(getattr(addresses, field))
    if not value:
        raise MissingAddress(field, server)
    return value


def _list_authorities(plan: RegionPlan, addresses: ServiceAddresses) -> tuple[str, ...]:
    """Where the authorities of the plan's servers are published, each place once."""
    database = addresses.database_authorities_url if plan.database.engine == "postgresql" else ""
    cache = addresses.cache_authorities_url if plan.cache.engine != "in-process" else ""
    return tuple(url for url in dict.fromkeys((database, cache)) if url)


def _configure_database(plan: RegionPlan, addresses: ServiceAddresses) -> Iterator[tuple[str, object]]:
    """The store. The password is not in the connection string: libpq takes it from PGPASSWORD."""
    if plan.database.engine == "sqlite":
        yield "store.backend", "sqlite"
        return
    host = _require(addresses, "database_host", "PostgreSQL")
    trust = {"sslmode": "require"}
    if addresses.database_authorities_url:
        trust = {"sslmode": "verify-full", "sslrootcert": AUTHORITIES_FILE}
    elif not addresses.database_tls:
        trust = {"sslmode": "disable", "require_auth": "!password"}
    place = f"{quote(addresses.database_user)}@{host}:{addresses.database_port}/{quote(addresses.database_name)}"
    yield "store.backend", "postgres"
    yield "postgres.connection_string", f"postgresql://{place}?{urlencode(trust)}"
    yield "postgres.min_pool_size", plan.database.pool_min
    yield "postgres.max_pool_size", plan.database.pool_max
    yield "postgres.index", "hnsw"
    yield "postgres.m", plan.vector_store.hnsw_m
    yield "postgres.ef_construction", plan.vector_store.hnsw_ef_construct
    yield "postgres.ef_search", plan.vector_store.hnsw_ef


def _configure_vectors(spec: VectorStoreSpec, addresses: ServiceAddresses) -> Iterator[tuple[str, object]]:
    section = _SERVERS.get(spec.engine)
    yield "vector_index.backend", section or "store"
    if section is None:
        return
    if section == "chroma":
        yield "chroma.host", _LOOPBACK
        yield "chroma.m", spec.hnsw_m
        yield "chroma.ef_construction", spec.hnsw_ef_construct
        yield "chroma.ef_search", spec.hnsw_ef
        return
    if section == "qdrant":
        beside = f"http://{_LOOPBACK}:{QDRANT_PORT}"
        yield (
            "qdrant.url",
            beside if spec.placement == "same-host" else _require(addresses, "vector_url", "Qdrant"),
        )
        yield "qdrant.m", spec.hnsw_m
        yield "qdrant.ef_construct", spec.hnsw_ef_construct
        yield "qdrant.ef", spec.hnsw_ef
        yield "qdrant.quantization", spec.quantization
        yield "qdrant.replication_factor", spec.replication_factor
        return
    yield "elasticsearch.hosts", _require(addresses, "vector_url", "Elasticsearch")
    yield "elasticsearch.username", _require(addresses, "vector_user", "Elasticsearch")
    yield "elasticsearch.number_of_replicas", spec.replication_factor - 1
    yield "elasticsearch.m", spec.hnsw_m
    yield "elasticsearch.ef_construction", spec.hnsw_ef_construct
    yield "elasticsearch.num_candidates", spec.hnsw_ef
    yield "elasticsearch.quantization", spec.quantization


def _configure_cache(plan: RegionPlan, addresses: ServiceAddresses) -> Iterator[tuple[str, object]]:
    if plan.cache.engine == "in-process":  # what the service does unless told otherwise
        return
    yield "cache.backend", "redis"
    yield "cache.mode", "single"
    yield "cache.nodes", f"{_require(addresses, 'cache_host', plan.cache.engine)}:{addresses.cache_port}"
    yield "cache.ssl", addresses.cache_tls


def _configure_objects(plan: RegionPlan, addresses: ServiceAddresses) -> Iterator[tuple[str, object]]:
    yield from _configure_ages(plan.object_store)
    yield "storage.type", plan.object_store.kind
    if plan.object_store.kind == "local":
        return
    yield "storage.bucket", _require(addresses, "bucket", "an object store")
    yield "storage.region", plan.region
    if plan.object_store.kind == "oss":
        # no key: the machine's role has one; inside the cloud traffic costs nothing
        yield "storage.endpoint", f"https://{name_object_host(plan.region)}"
    yield "storage.prefix", addresses.bucket_prefix
    yield "storage.encryption", "kms" if addresses.bucket_key else "server"
    if addresses.bucket_key:
        yield "storage.kms_key_id", addresses.bucket_key


def _configure_ages(spec: ObjectStoreSpec) -> Iterator[tuple[str, object]]:
    """The ages of the working memory. What is deleted before it would be archived is not archived."""
    archived = spec.archive_after_days <= spec.delete_after_days
    yield "working_memory.hot_days", min(spec.hot_days, spec.delete_after_days)
    yield "working_memory.archive_enabled", archived
    yield "working_memory.archive_after_days", spec.archive_after_days
    yield "working_memory.delete_after_days", spec.delete_after_days


def _name_secrets(plan: RegionPlan) -> Iterator[tuple[str, str]]:
    """Each variable with a secret's name. A provider's key is one secret on a host, and apart for vectors in a cluster.

    A second provider of language models has a secret of its own, `llm-<provider>`.
    """
    usual = find_provider(usual_model(plan.models))
    if plan.database.engine == "postgresql":
        yield "PGPASSWORD", DATABASE_SECRET
    if plan.cache.engine != "in-process":
        yield _name_variable("cache.password"), CACHE_SECRET
    if plan.vector_store.engine == "qdrant":
        yield _name_variable("qdrant.api_key"), "qdrant"
    elif plan.vector_store.engine == "elasticsearch":
        yield _name_variable("elasticsearch.password"), "elasticsearch"
    yield _name_variable("llm.default.api_key"), LLM_SECRET
    for task in TASKS:
        provider = find_provider(plan.models.tasks[task])
        if provider != usual:
            yield _name_variable(f"llm.{task}.api_key"), f"{LLM_SECRET}-{provider}"
    if plan.models.embedding_mode == "remote":
        shared = plan.compute.placement == "host" and find_provider(plan.models.embedding) == usual
        yield _name_variable("embedding.api_key"), LLM_SECRET if shared else EMBEDDING_SECRET

"""The typed settings of servers beside the service: the database, vector indexes, the shared cache."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from app.settings.secrets import Secret, reveal
from app.settings.sections import Names, Section

Host = Annotated[str, Field(min_length=1, max_length=253)]
Port = Annotated[int, Field(ge=1, le=65_535)]
ServerSeconds = Annotated[float, Field(gt=0, le=600)]
CollectionName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,99}$")]
Url = Annotated[str, Field(pattern=r"^https?://[^/@?#\s]+(/[^@?#\s]*)?$", max_length=2000)]
"""An address without a user: a key belongs in `api_key`."""
Links = Annotated[int, Field(ge=2, le=200)]
"""Neighbours of a point in a graph (HNSW's M)."""
Effort = Annotated[int, Field(ge=4, le=10_000)]
"""Neighbours looked at while a graph is built or searched (HNSW's ef)."""


def _check_hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    if not hosts or not all(re.fullmatch(r"https?://[^/@?#\s]+(/[^@?#\s]*)?", host) for host in hosts):
        raise ValueError("takes addresses such as https://es.example.com:9200, without a user: that is for username")
    return hosts


class PostgresSettings(Section):
    """PostgreSQL with pgvector (requirements §2.2), used with `store.backend=postgres`.

    `connection_string` holds the password and is a secret. Pool sizes and `lists` are the document's; `hnsw` is the
    index unless `ivfflat` is chosen, whose lists are made of the rows that there are.
    """

    connection_string: Secret | None = None
    min_pool_size: int = Field(default=5, ge=1, le=1000)
    max_pool_size: int = Field(default=20, ge=1, le=1000)
    connect_timeout_s: ServerSeconds = 10
    statement_timeout_s: ServerSeconds = 30
    index: Literal["hnsw", "ivfflat"] = "hnsw"
    lists: int = Field(default=100, ge=1, le=32_768)
    m: int = Field(default=16, ge=2, le=100)
    ef_construction: int = Field(default=200, ge=4, le=1000)
    ef_search: int = Field(default=256, ge=1, le=1000)

    @property
    def revealed_connection_string(self) -> str | None:
        """The connection string in the clear, for the client."""
        return reveal(self.connection_string)

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        """Raise where fewer connections may be open than must be."""
        if self.max_pool_size < self.min_pool_size:
            raise ValueError(f"max_pool_size={self.max_pool_size} is less than min_pool_size={self.min_pool_size}")
        if self.ef_construction < 2 * self.m:
            raise ValueError(f"ef_construction={self.ef_construction} must be at least twice m={self.m}")
        return self


class VectorIndexSettings(Section):
    """What finds memories by their vectors (requirements §3.1): the store itself, or a server beside it."""

    backend: Literal["store", "qdrant", "elasticsearch", "chroma"] = "store"
    batch_size: int = Field(default=1000, ge=1, le=10_000)


class QdrantSettings(Section):
    """Qdrant (requirements §3.2, §3.4), used with `vector_index.backend=qdrant`; figures are the document's.

    `path` is a folder for the client's local mode, in place of a server; `:memory:` keeps nothing.
    """

    url: Url | None = None
    path: str | None = Field(default=None, min_length=1, max_length=2000)
    host: Host = "localhost"
    port: Port = 6333
    grpc_port: Port = 6334
    prefer_grpc: bool = False
    https: bool | None = None
    api_key: Secret | None = None
    ca_file: str | None = Field(default=None, min_length=1, max_length=2000)
    timeout_s: ServerSeconds = 30
    collection_name: CollectionName = "reme_memory"
    distance: Literal["cosine", "euclidean", "manhattan"] = "cosine"
    m: Links = 16
    ef_construct: Effort = 200
    ef: Effort = 256
    quantization: Literal["none", "int8", "binary"] = "none"
    oversampling: float | None = Field(default=None, ge=1, le=100)
    on_disk: bool = False
    shard_number: int | None = Field(default=None, ge=1, le=1000)
    replication_factor: int = Field(default=1, ge=1, le=16)
    write_consistency_factor: int = Field(default=1, ge=1, le=16)
    read_consistency: Annotated[int, Field(ge=1, le=16)] | Literal["majority", "quorum", "all"] | None = None

    @property
    def revealed_key(self) -> str | None:
        """The key in the clear, for the client that sends it."""
        return reveal(self.api_key)

    @model_validator(mode="after")
    def _check_place(self) -> Self:
        """Raise where there are both a server and a folder."""
        if self.path is not None and self.url is not None:
            raise ValueError("url and path are both given: take url for a server, or path for the local mode")
        return self


class ElasticsearchSettings(Section):
    """Elasticsearch (requirements §3.2), used with `vector_index.backend=elasticsearch`; figures are the document's."""

    hosts: Annotated[Names, AfterValidator(_check_hosts)] = ("http://localhost:9200",)
    api_key: Secret | None = None
    username: str = Field(default="", max_length=200)
    password: Secret | None = None
    ca_certs: str | None = None
    verify_certs: bool = True
    timeout_s: ServerSeconds = 30
    index_name: CollectionName = "reme_memory"
    number_of_shards: int = Field(default=3, ge=1, le=1024)
    number_of_replicas: int = Field(default=1, ge=0, le=100)
    refresh_interval: str = Field(default="30s", pattern=r"^(-1|\d{1,6}(ms|s|m|h))$")
    max_result_window: int = Field(default=50_000, ge=100, le=1_000_000)
    m: Links = 16
    ef_construction: Effort = 200
    num_candidates: Effort = 256
    quantization: Literal["none", "int8", "binary"] = "none"

    @property
    def revealed_key(self) -> str | None:
        """The key in the clear, for the client that sends it."""
        return reveal(self.api_key)

    @property
    def revealed_password(self) -> str | None:
        """The password in the clear, for the client that sends it."""
        return reveal(self.password)


class ChromaSettings(Section):
    """ChromaDB (requirements §3.1), used with `vector_index.backend=chroma`."""

    host: Host = "localhost"
    port: Port = 8000
    ssl: bool = False
    api_key: Secret | None = None
    tenant: str = Field(default="default_tenant", min_length=1, max_length=200)
    database: str = Field(default="default_database", min_length=1, max_length=200)
    timeout_s: ServerSeconds = 30
    collection_name: CollectionName = "reme_memory"
    m: Links = 16
    ef_construction: Effort = 200
    ef_search: Effort = 256

    @property
    def revealed_key(self) -> str | None:
        """The key in the clear, for the client that sends it."""
        return reveal(self.api_key)


class CacheSettings(Section):
    """What several nodes share for speed and for limits (requirements §6.1, §9.1 B): Redis or Valkey, or nothing.

    `nodes` are host:port of Sentinels or of a cluster's members, or of the one server.
    """

    backend: Literal["process", "redis"] = "process"
    mode: Literal["single", "sentinel", "cluster"] = "single"
    nodes: Names = ("localhost:6379",)
    service_name: str = Field(default="mymaster", min_length=1, max_length=200)
    username: str = Field(default="", max_length=200)
    password: Secret | None = None
    ssl: bool = False
    database: int = Field(default=0, ge=0, le=1000)
    timeout_s: ServerSeconds = 1
    prefix: str = Field(default="reme:", pattern=r"^[A-Za-z0-9:_-]{1,64}$")
    vector_days: int = Field(default=30, ge=1, le=3650)

    @property
    def revealed_password(self) -> str | None:
        """The password in the clear, for the client that sends it."""
        return reveal(self.password)

    @model_validator(mode="after")
    def _check_nodes(self) -> Self:
        """Raise for an address without a port, and for several of one server."""
        for node in self.nodes:
            host, _, port = node.rpartition(":")
            if not host or not port.isdecimal() or not 1 <= int(port) <= 65_535:
                raise ValueError(f"nodes has {node[:100]!r}: write host:port")
        if not self.nodes or (self.mode == "single" and len(self.nodes) > 1):
            raise ValueError("mode=single takes one node; sentinel and cluster take several")
        return self

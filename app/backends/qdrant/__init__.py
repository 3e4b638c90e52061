"""A vector index on Qdrant: a server or cluster over REST or gRPC, or the client's local mode for trials."""

from typing import TypeVar

from app.backends.qdrant.address import Address
from app.backends.qdrant.collection import check_name
from app.backends.qdrant.index import QdrantIndex
from app.backends.qdrant.shape import Distance, Quantization, Shape
from app.errors import SettingsError

Choice = TypeVar("Choice", Distance, Quantization)


def open_index(
    *,
    url: str = "",
    host: str = "",
    port: int = 6333,
    grpc_port: int = 6334,
    path: str = "",
    prefer_grpc: bool = False,
    https: bool | None = None,
    api_key: str = "",
    ca_file: str = "",
    timeout_s: float = 30.0,
    collection_name: str = "reme_memory",
    distance: str = "cosine",
    m: int = 16,
    ef_construct: int = 200,
    ef: int = 256,
    quantization: str = "none",
    oversampling: float = 0.0,
    on_disk: bool = False,
    batch_size: int = 1_000,
    shard_number: int = 0,
    replication_factor: int = 1,
    write_consistency_factor: int = 1,
    read_consistency: int | str = 0,
) -> QdrantIndex:
    """Open the index at a `url`, at a `host`, or in a folder (`path`; ":memory:" keeps nothing); asks nothing yet.

    `https` left out means TLS where there is a key. `ca_file` is trusted in place of the usual authorities. `distance`
    is cosine, euclidean or manhattan; `quantization` none, int8 or binary, searched with `oversampling` (0: the
    quantization's own) and compared again in full. The defaults of `m`, `ef_construct`, `ef`, `timeout_s`, `batch_size`
    and `collection_name` are those of the requirements (§3.2, §3.4). `shard_number` 0 leaves it to the server,
    `read_consistency` is a number of replicas (0: any one), majority, quorum or all. Raises `SettingsError`.
    """
    if batch_size < 1:
        raise SettingsError(f"batch_size of Qdrant is {batch_size}: give 1 or more")
    shape = Shape(
        distance=_choose(Distance, "distance", distance),
        m=m,
        ef_construct=ef_construct,
        ef=ef,
        quantization=_choose(Quantization, "quantization", quantization),
        oversampling=oversampling,
        on_disk=on_disk,
        shard_number=shard_number,
        replication_factor=replication_factor,
        write_consistency_factor=write_consistency_factor,
        read_consistency=read_consistency,
    )
    address = Address(
        url=url,
        host=host,
        port=port,
        grpc_port=grpc_port,
        path=path,
        prefer_grpc=prefer_grpc,
        https=https,
        api_key=api_key,
        ca_file=ca_file,
        timeout_s=timeout_s,
    )
    name = check_name(collection_name)
    return QdrantIndex(address.open(), collection_name=name, shape=shape, batch_size=batch_size)


def _choose(kind: type[Choice], name: str, value: str) -> Choice:
    try:
        return kind(value)
    except ValueError:
        names = ", ".join(one.value for one in kind)
        raise SettingsError(f"{name} of Qdrant is {value[:40]!r}: give one of {names}") from None

"""The collection of an embedding: made, marked, examined, brought to what the settings say, and dropped.

Its name is the one of the settings and a digest of the embedding, and its metadata names the family that it belongs
to. There is one of a family: that of the embedding that was prepared last. Its name makes it one, however many
processes prepare it at once; its mark, which its points and their searches name too, tells it from one of the same name
that was there before.
"""

from dataclasses import dataclass
from hashlib import sha256
from secrets import token_hex
from typing import Any

from qdrant_client import QdrantClient, models

from app.backends.qdrant.faults import REPORTED, read
from app.backends.qdrant.server import MOST_ATTEMPTS, Server
from app.backends.qdrant.shape import DISTANCES, Index, Shape
from app.domain.embedding import EmbeddingIdentity
from app.errors import IndexUnavailable, SettingsError

MOST_DIMENSIONS = 65_536
"""Qdrant and the client's local mode refuse more ("Must be from 1 to 65536")."""
OLDEST_VERSION = (1, 16)
"""The first whose collections have metadata, and whose graphs are searched by ACORN; https://qdrant.tech/documentation/."""
FORMAT = 2
"""Counts the ways in which points were encoded; another has collections of its own."""
FORBIDDEN = frozenset('<>:"/\\|?*\0\x1f')
"""Characters that Qdrant refuses in names."""
NAME_CHARACTERS = 200
"""Ours: with the digest below the 255 that file systems allow a folder."""

_FAMILY, _MARK, _MODEL = "reme_family", "reme_mark", "reme_model"


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection:
    """A collection that is there: its name, its embedding, its mark, and what of the settings it does not have."""

    name: str
    identity: EmbeddingIdentity
    mark: str
    concerns: tuple[str, ...] = ()


def check_name(family: str) -> str:
    """Return a name that Qdrant takes for a collection, or raise `SettingsError`."""
    if not 1 <= len(family) <= NAME_CHARACTERS or FORBIDDEN & set(family):
        raise SettingsError(
            f"collection_name of Qdrant is {family[:80]!r}: give 1 to {NAME_CHARACTERS} characters, "
            'none of < > : " / \\ | ? *'
        )
    return family


class Family:
    """The collections that a name of the settings stands for."""

    def __init__(self, server: Server, family: str, shape: Shape) -> None:
        self._server = server
        self._family = family
        self._shape = shape

    def prepare(self, identity: EmbeddingIdentity) -> Collection:
        """Make the collection if it is missing, index its fields, and remove those of other embeddings."""
        if not 1 <= identity.dimensions <= MOST_DIMENSIONS:
            raise SettingsError(
                f"Qdrant takes vectors of 1 to {MOST_DIMENSIONS} dimensions, but the embedding is {identity}: "
                "choose another embedding or another vector index"
            )
        self._check_version()
        name = self.name_of(identity)
        info = self._find(name)
        if info is None:
            self._make(name, identity)
            info = self._server.ask(lambda client: client.get_collection(name), starting=True)
        mark = self._examine(name, info, identity)
        concerns: tuple[str, ...] = ()
        if not self._server.is_local:
            concerns = self._adjust(name, info)
            self._index(name, info)
        self._remove(all_but=name)
        return Collection(name=name, identity=identity, mark=mark, concerns=concerns)

    def verify(self, collection: Collection, *, attempts: int = MOST_ATTEMPTS) -> None:
        """Raise `IndexUnavailable` where a collection that was prepared is gone, or was made anew since."""
        info = self._server.ask(lambda client: client.get_collection(collection.name), attempts=attempts)
        if (info.config.metadata or {}).get(_MARK) != collection.mark:
            raise IndexUnavailable(f"the collection of {self._server.name} was made anew: prepare the index again")

    def drop(self) -> None:
        """Remove every collection of the family."""
        self._remove(all_but="")

    def name_of(self, identity: EmbeddingIdentity) -> str:
        """The name of an embedding's collection, the same in every process."""
        described = f"{identity.model}\0{identity.dimensions}\0{identity.normalised}\0{FORMAT}"
        return f"{self._family}-{sha256(described.encode()).hexdigest()[:12]}"

    def _check_version(self) -> None:
        said = self._server.ask(lambda client: client.info(), starting=True).version
        numbers = said.split(".")
        try:
            version = (int(numbers[0]), int(numbers[1]))
        except (ValueError, IndexError):
            raise SettingsError(f"{self._server.name} gives no version ({said[:40]!r}): check its address") from None
        if version < OLDEST_VERSION:
            oldest = ".".join(str(number) for number in OLDEST_VERSION)
            raise SettingsError(f"{self._server.name} has version {said[:40]}: {oldest} is needed, so upgrade it")

    def _find(self, name: str) -> models.CollectionInfo | None:
        if not self._server.ask(lambda client: client.collection_exists(name), starting=True):
            return None
        return self._server.ask(lambda client: client.get_collection(name), starting=True)

    def _make(self, name: str, identity: EmbeddingIdentity) -> None:
        """Make the collection; that another process, or an attempt whose answer was lost, made it is as good."""
        shape = self._shape
        arguments: dict[str, Any] = {
            "vectors_config": shape.vectors(identity.dimensions),
            "hnsw_config": shape.hnsw,
            "quantization_config": shape.quantized,
            "on_disk_payload": True,
            "shard_number": shape.shard_number or None,
            "replication_factor": shape.replication_factor,
            "write_consistency_factor": shape.write_consistency_factor,
            "metadata": {_FAMILY: self._family, _MARK: token_hex(8), _MODEL: str(identity)},
        }

        def make(client: QdrantClient) -> None:
            try:
                client.create_collection(name, **arguments)
            except REPORTED as failure:
                if not _is_taken(failure):
                    raise

        self._server.ask(make, starting=True)

    def _examine(self, name: str, info: models.CollectionInfo, identity: EmbeddingIdentity) -> str:
        """The mark of a collection that is ours and has the vectors that are wanted."""
        remedy = "choose another collection_name, or delete it there to have it made anew"
        mark = (info.config.metadata or {}).get(_MARK)
        if not isinstance(mark, str):
            raise SettingsError(f"{self._server.name} has a collection {name!r} that is not of this service: {remedy}")
        vectors = info.config.params.vectors
        wanted = self._shape.vectors(identity.dimensions)
        if not isinstance(vectors, models.VectorParams) or vectors.size != wanted.size:
            raise SettingsError(
                f"the collection {name!r} of {self._server.name} has other vectors than those of {identity}: {remedy}"
            )
        if vectors.distance is not wanted.distance:
            theirs = next((one.value for one, theirs in DISTANCES.items() if theirs is vectors.distance), "another")
            raise SettingsError(
                f"the collection {name!r} of {self._server.name} was made with the distance {theirs}, not "
                f"{self._shape.distance.value}: set distance back, {remedy}"
            )
        return mark

    def _adjust(self, name: str, info: models.CollectionInfo) -> tuple[str, ...]:
        """Give a collection that was made with other settings those of now, but for its indexes' place on disk.

        Returns what cannot be changed, in sentences.
        """
        shape, config = self._shape, info.config
        changes: dict[str, Any] = {}
        graph = config.hnsw_config
        if (graph.m, graph.ef_construct, bool(graph.on_disk)) != (shape.m, shape.ef_construct, shape.on_disk):
            changes["hnsw_config"] = shape.hnsw
        if type(config.quantization_config) is not type(shape.quantized):
            changes["quantization_config"] = shape.quantized or models.Disabled.DISABLED
        vectors = config.params.vectors
        if isinstance(vectors, models.VectorParams) and bool(vectors.on_disk) != shape.on_disk:
            changes["vectors_config"] = {"": models.VectorParamsDiff(on_disk=shape.on_disk)}
        replicas = (config.params.replication_factor or 1, config.params.write_consistency_factor or 1)
        if replicas != (shape.replication_factor, shape.write_consistency_factor):
            changes["collection_params"] = models.CollectionParamsDiff(
                replication_factor=shape.replication_factor, write_consistency_factor=shape.write_consistency_factor
            )
        if changes:
            self._server.ask(lambda client: client.update_collection(name, **changes), starting=True)
        shards = config.params.shard_number or 1
        if shape.shard_number in (0, shards):
            return ()
        return (f"the collection {name!r} of Qdrant has {shards} shards, not {shape.shard_number}: only a new one has",)

    def _index(self, name: str, info: models.CollectionInfo) -> None:
        """Make the indexes of fields that are missing, as when a process ended before it had made all."""
        for field, schema in self._shape.indexes().items():
            if field not in info.payload_schema:
                self._index_field(name, field, schema)

    def _index_field(self, name: str, field: str, schema: Index) -> None:
        self._server.ask(
            lambda client: client.create_payload_index(name, field_name=field, field_schema=schema, wait=True),
            starting=True,
        )

    def _remove(self, *, all_but: str) -> None:
        listed = self._server.ask(lambda client: client.get_collections()).collections
        for name in (one.name for one in listed):
            if name != all_but and name.startswith(f"{self._family}-") and self._is_ours(name):
                self._delete(name)

    def _delete(self, name: str) -> None:
        self._server.ask(lambda client: client.delete_collection(name))

    def _is_ours(self, name: str) -> bool:
        info = self._find(name)
        return info is not None and (info.config.metadata or {}).get(_FAMILY) == self._family


def _is_taken(failure: BaseException) -> bool:
    """Whether the name is taken: a 409, or a 400 of older versions that says so."""
    fault = read(failure)
    return fault.status == 409 or (fault.status == 400 and "already exists" in fault.reason)

"""Qdrant's own engine (the package qdrant-edge-py) behind the calls of the client that the index makes.

Points, filters, search parameters and the settings of a collection are what a server would be sent; the engine that
reads them is the one of a server, in this process. Ranks, filters, quantization and graphs are its own. What a server
adds, transports, shards and replicas, is not here.
"""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any, cast

import qdrant_edge as edge
from qdrant_client import models
from qdrant_client.http.models import QueryResponse

from tests.app.indexes.qdrant_forms import (
    DISTANCES,
    FULL_SCAN_KB,
    SORTS,
    dense,
    describe_config,
    number_of,
    to_filter,
    to_index,
    to_params,
    to_quantization,
)

VERSION = "1.20.0"
"""What it says that it is: the version of the client."""
_DONE = models.UpdateResult(operation_id=0, status=models.UpdateStatus.COMPLETED)


@dataclass(kw_only=True)
class Shard:
    """A collection: the engine's shard, its folder, and what it was made with."""

    engine: edge.EdgeShard
    folder: Path
    vectors: models.VectorParams
    hnsw: models.HnswConfigDiff
    quantized: models.ScalarQuantization | models.BinaryQuantization | None
    metadata: dict[str, Any] = field(default_factory=dict)


class EngineClient:
    """The calls of `QdrantClient` that the index makes, answered by the engine. Threads come one after the other.

    `indexing_kb` is the size of a segment from which `optimize` builds a graph (and quantizes), `full_scan_kb` that of
    what passes a filter below which it is not followed.
    """

    def __init__(self, *, indexing_kb: int = 10_000, full_scan_kb: int = FULL_SCAN_KB) -> None:
        ram = Path("/dev/shm")  # noqa: S108 - where there is one, files cost no disk
        self._folder = Path(tempfile.mkdtemp(prefix="qdrant-", dir=ram if ram.is_dir() else None))
        self._indexing_kb = indexing_kb
        self._full_scan_kb = full_scan_kb
        self._lock = RLock()
        self._made = 0
        self.shards: dict[str, Shard] = {}

    def close(self, **_: Any) -> None:
        """Close the shards and remove their files."""
        with self._lock:
            for name in list(self.shards):
                self.delete_collection(name)
            shutil.rmtree(self._folder, ignore_errors=True)

    def info(self) -> models.VersionInfo:
        """Who answers."""
        return models.VersionInfo(title="qdrant - vector search engine", version=VERSION)

    def collection_exists(self, collection_name: str) -> bool:
        """Whether a collection is there."""
        return collection_name in self.shards

    def get_collections(self) -> models.CollectionsResponse:
        """The names of all."""
        return models.CollectionsResponse(collections=[models.CollectionDescription(name=name) for name in self.shards])

    def create_collection(
        self,
        collection_name: str,
        *,
        vectors_config: models.VectorParams,
        hnsw_config: models.HnswConfigDiff,
        quantization_config: models.ScalarQuantization | models.BinaryQuantization | None,
        metadata: dict[str, Any],
        **_: Any,
    ) -> bool:
        """Make a shard."""
        with self._lock:
            if collection_name in self.shards:
                raise ValueError(f"Collection {collection_name} already exists")
            self._made += 1
            folder = self._folder / str(self._made)
            folder.mkdir()
            config = edge.EdgeConfig(
                vectors=edge.EdgeVectorParams(
                    size=vectors_config.size,
                    distance=DISTANCES[vectors_config.distance],
                    on_disk=vectors_config.on_disk,
                ),
                hnsw_config=edge.HnswIndexConfig(
                    m=hnsw_config.m or 0,
                    ef_construct=hnsw_config.ef_construct or 4,
                    full_scan_threshold=self._full_scan_kb,
                    on_disk=hnsw_config.on_disk,
                ),
                quantization_config=to_quantization(quantization_config),
                optimizers=edge.EdgeOptimizersConfig(default_segment_number=1, indexing_threshold=self._indexing_kb),
                wal_enabled=False,
            )
            self.shards[collection_name] = Shard(
                engine=edge.EdgeShard.create(str(folder), config),
                folder=folder,
                vectors=vectors_config,
                hnsw=hnsw_config,
                quantized=quantization_config,
                metadata=metadata,
            )
            return True

    def delete_collection(self, collection_name: str, **_: Any) -> bool:
        """Remove a shard and its files."""
        with self._lock:
            shard = self.shards.pop(collection_name, None)
            if shard is not None:
                shard.engine.close()
                shutil.rmtree(shard.folder, ignore_errors=True)
            return shard is not None

    def update_collection(self, collection_name: str, **changes: Any) -> bool:
        """Note new settings; the shard keeps those that it was made with."""
        with self._lock:
            shard = self._shard(collection_name)
            shard.hnsw = changes.get("hnsw_config", shard.hnsw)
            quantized = changes.get("quantization_config", shard.quantized)
            shard.quantized = None if quantized is models.Disabled.DISABLED else quantized
            return True

    def get_collection(self, collection_name: str) -> models.CollectionInfo:
        """The settings of a shard, and its indexes."""
        with self._lock:
            shard = self._shard(collection_name)
            told = shard.engine.info()
            schema = {
                name: models.PayloadIndexInfo(data_type=SORTS[str(index.data_type)], points=index.points)
                for name, index in told.payload_schema.items()
            }
            return models.CollectionInfo(
                status=models.CollectionStatus.GREEN,
                optimizer_status=models.OptimizersStatusOneOf.OK,
                points_count=told.points_count,
                indexed_vectors_count=told.indexed_vectors_count,
                segments_count=told.segments_count,
                payload_schema=schema,
                config=describe_config(shard.vectors, shard.hnsw, shard.quantized, shard.metadata),
            )

    def create_payload_index(
        self,
        collection_name: str,
        *,
        field_name: str,
        field_schema: models.KeywordIndexParams | models.IntegerIndexParams,
        **_: Any,
    ) -> models.UpdateResult:
        """Index a field."""
        with self._lock:
            self._shard(collection_name).engine.update(
                edge.UpdateOperation.create_field_index(field_name, to_index(field_schema))
            )
            return _DONE

    def upsert(
        self,
        collection_name: str,
        *,
        points: Sequence[models.PointStruct],
        update_filter: models.Filter | None = None,
        **_: Any,
    ) -> models.UpdateResult:
        """Write points, over those alone that pass the filter."""
        condition = None if update_filter is None else to_filter(update_filter)
        with self._lock:
            shard = self._shard(collection_name)
            written = [edge.Point(number_of(one.id), dense(one.vector), one.payload) for one in points]
            shard.engine.update(edge.UpdateOperation.upsert_points(written, condition))
            return _DONE

    def delete(self, collection_name: str, *, points_selector: models.PointIdsList, **_: Any) -> models.UpdateResult:
        """Take points out."""
        with self._lock:
            numbers: list[Any] = [number_of(one) for one in points_selector.points]
            self._shard(collection_name).engine.update(edge.UpdateOperation.delete_points(numbers))
            return _DONE

    def count(self, collection_name: str, *, exact: bool = True, **_: Any) -> models.CountResult:
        """How many points there are."""
        with self._lock:
            return models.CountResult(count=self._shard(collection_name).engine.count(edge.CountRequest(exact=exact)))

    def query_points(
        self,
        collection_name: str,
        *,
        query: list[float],
        query_filter: models.Filter,
        limit: int,
        search_params: models.SearchParams | None = None,
        with_payload: Any = False,
        with_vectors: bool = False,
        **_: Any,
    ) -> QueryResponse:
        """The nearest points."""
        with self._lock:
            found = self._shard(collection_name).engine.query(
                edge.QueryRequest(
                    limit=limit,
                    query=edge.Query.Nearest(query),
                    filter=to_filter(query_filter),
                    params=to_params(search_params),
                    with_payload=with_payload or None,
                    with_vector=with_vectors,
                )
            )
        points = [
            models.ScoredPoint(
                id=number_of(one.id),
                version=one.version,
                score=one.score,
                payload=one.payload,
                vector=cast(Any, one.vector),
            )
            for one in found
        ]
        return QueryResponse(points=points)

    def optimize(self) -> None:
        """Build the graphs, and quantize, as a server does by and by."""
        with self._lock:
            for shard in self.shards.values():
                shard.engine.optimize()

    def indexed(self) -> int:
        """How many vectors a graph holds."""
        return sum(shard.engine.info().indexed_vectors_count for shard in self.shards.values())

    def _shard(self, name: str) -> Shard:
        if name not in self.shards:
            raise ValueError(f"Collection {name} not found")
        return self.shards[name]

"""Qdrant's local mode (`QdrantClient(path=...)`): the client's own exhaustive search, which mem0 uses by default."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.corpus.blocks import Matrix
from benchmarks.corpus.memories import Generated
from benchmarks.engines.contract import VECTOR, Query, Where


class Qdrant:
    """Points with payloads, a collection for each workspace."""

    packages = ("qdrant-client",)
    legs = (VECTOR,)
    fields = ("kind", "author", "tag", "channel", "created")

    def open(self, folder: Path, dimensions: int) -> None:
        """Open the client in a folder."""
        self._models: Any = import_module("qdrant_client.models")
        self._client = import_module("qdrant_client").QdrantClient(path=str(folder))
        self._dimensions = dimensions
        self._known = {collection.name for collection in self._client.get_collections().collections}

    def _collection(self, workspace: str) -> str:
        if workspace not in self._known:
            self._client.create_collection(
                workspace,
                vectors_config=self._models.VectorParams(size=self._dimensions, distance=self._models.Distance.COSINE),
            )
            self._known.add(workspace)
        return workspace

    def add(self, rows: Sequence[Generated], vectors: Matrix, workspace: str) -> None:
        """One `upsert` for the batch."""
        points = [
            self._models.PointStruct(
                id=row.number,
                vector=vector.tolist(),
                payload={
                    "text": row.text,
                    "kind": row.kind,
                    "author": row.author,
                    "tag": list(row.tags),
                    "channel": row.channel,
                    "created": row.created_ms,
                },
            )
            for row, vector in zip(rows, vectors, strict=True)
        ]
        self._client.upsert(self._collection(workspace), points, wait=True)

    def settle(self) -> None:
        """Nothing: the local mode has no index."""

    def search(self, leg: str, query: Query) -> list[int]:
        """A query by vector, with a filter if there is a condition."""
        del leg
        found = self._client.query_points(
            self._collection(query.workspace),
            query=query.vector,
            query_filter=self._condition(query.where),
            limit=query.limit,
            with_payload=True,
        )
        return [point.id for point in found.points]

    def _condition(self, where: Where | None) -> Any:
        if where is None:
            return None
        if where.field == "created":
            condition = self._models.FieldCondition(
                key="created", range=self._models.Range(gte=where.from_ms, lt=where.to_ms)
            )
        else:
            condition = self._models.FieldCondition(key=where.field, match=self._models.MatchValue(value=where.value))
        return self._models.Filter(must=[condition])

    def remove(self, rows: Sequence[Generated], workspace: str) -> None:
        """One `delete` for the batch."""
        self._client.delete(
            self._collection(workspace), self._models.PointIdsList(points=[row.number for row in rows]), wait=True
        )

    def close(self) -> None:
        """Close the client."""
        self._client.close()

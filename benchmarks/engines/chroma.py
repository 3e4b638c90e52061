"""Chroma, embedded and persistent, as it comes: HNSW by cosine, a collection for each workspace."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.corpus.blocks import Matrix
from benchmarks.corpus.memories import Generated
from benchmarks.engines.contract import VECTOR, Query, Where


class Chroma:
    """Documents, metadata and given vectors in collections."""

    packages = ("chromadb",)
    legs = (VECTOR,)
    fields = ("kind", "author", "tag", "channel", "created")

    def open(self, folder: Path, dimensions: int) -> None:
        """Open the client; Chroma needs no dimensions beforehand."""
        del dimensions
        chromadb = import_module("chromadb")
        settings = import_module("chromadb.config").Settings(anonymized_telemetry=False)
        self._client = chromadb.PersistentClient(path=str(folder), settings=settings)
        self._collections: dict[str, Any] = {}

    def _collection(self, workspace: str) -> Any:
        if workspace not in self._collections:
            self._collections[workspace] = self._client.get_or_create_collection(
                workspace, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
            )
        return self._collections[workspace]

    def add(self, rows: Sequence[Generated], vectors: Matrix, workspace: str) -> None:
        """One `add` for the batch."""
        self._collection(workspace).add(
            ids=[str(row.number) for row in rows],
            embeddings=vectors,
            documents=[row.text for row in rows],
            metadatas=[
                {
                    "kind": row.kind,
                    "author": row.author,
                    "tag": row.tags[0],
                    "channel": row.channel,
                    "created": row.created_ms,
                }
                for row in rows
            ],
        )

    def settle(self) -> None:
        """Nothing: Chroma builds its index while it loads."""

    def search(self, leg: str, query: Query) -> list[int]:
        """A query by vector, with `where` if there is a condition."""
        del leg
        found = self._collection(query.workspace).query(
            query_embeddings=query.vector[None, :],
            n_results=query.limit,
            where=_condition(query.where),
            include=["documents", "distances"],
        )
        return [int(number) for number in found["ids"][0]]

    def remove(self, rows: Sequence[Generated], workspace: str) -> None:
        """One `delete` for the batch."""
        self._collection(workspace).delete(ids=[str(row.number) for row in rows])

    def close(self) -> None:
        """Drop the client: it has no close of its own that also stops its threads."""
        self._collections.clear()


def _condition(where: Where | None) -> dict[str, Any] | None:
    if where is None:
        return None
    if where.field == "created":
        return {"$and": [{"created": {"$gte": where.from_ms}}, {"created": {"$lt": where.to_ms}}]}
    return {where.field: where.value}

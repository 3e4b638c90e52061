"""mem0 through its own `Memory`: `add(infer=False)` and `search`, its default store (Qdrant's local mode, on disk).

The embedder gives the prepared vector of a text, so that embedding is not measured. What `search`
does beside the vectors stays on; its BM25 needs a model that is fetched from a hub at run time and
its entities need spaCy, so without those mem0 leaves both out by itself. The threshold of 0.1 below
which it drops answers is set to 0, since the others drop none.
"""

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.corpus.blocks import Matrix
from benchmarks.corpus.memories import Generated
from benchmarks.engines.contract import VECTOR, Query, Where


class GivenEmbedder:
    """Stands for mem0's embedder and returns what was laid ready."""

    def __init__(self) -> None:
        self.ready: dict[str, list[float]] = {}

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        """The vector of a text."""
        del memory_action
        return self.ready[text]

    def embed_batch(self, texts: Sequence[str], memory_action: str | None = None) -> list[list[float]]:
        """The vectors of several texts."""
        return [self.embed(text, memory_action) for text in texts]


class Mem0:
    """Memories of a `user_id`, which is the workspace."""

    packages = ("mem0ai", "qdrant-client")
    legs = (VECTOR,)
    fields = ("kind", "author", "tag", "channel", "created")

    def open(self, folder: Path, dimensions: int) -> None:
        """Build `Memory` with its files in a folder and nothing sent anywhere."""
        folder.mkdir(parents=True, exist_ok=True)
        os.environ.update(MEM0_TELEMETRY="False", MEM0_DIR=str(folder), OPENAI_API_KEY="none-is-asked")
        store = {"path": str(folder / "qdrant"), "on_disk": True, "embedding_model_dims": dimensions}
        self._memory: Any = import_module("mem0").Memory.from_config(
            {
                "vector_store": {"provider": "qdrant", "config": {"collection_name": "memories", **store}},
                "history_db_path": str(folder / "history.db"),
            }
        )
        self._embedder = GivenEmbedder()
        self._memory.embedding_model = self._embedder
        self._ids: dict[int, str] = {}

    def add(self, rows: Sequence[Generated], vectors: Matrix, workspace: str) -> None:
        """One `add` for each memory: mem0 has no call for several that are not one conversation."""
        for row, vector in zip(rows, vectors, strict=True):
            self._embedder.ready = {row.text: vector.tolist()}
            metadata = {
                "number": row.number,
                "kind": row.kind,
                "author": row.author,
                "tag": row.tags[0],
                "channel": row.channel,
                "created": row.created_ms,
            }
            added = self._memory.add(row.text, user_id=workspace, metadata=metadata, infer=False)
            self._ids[row.number] = added["results"][0]["id"]

    def settle(self) -> None:
        """Nothing: the local mode has no index."""

    def search(self, leg: str, query: Query) -> list[int]:
        """mem0's whole `search` but for the embedding."""
        del leg
        self._embedder.ready = {query.text: query.vector.tolist()}
        found = self._memory.search(
            query.text,
            top_k=query.limit,
            threshold=0.0,
            filters={"user_id": query.workspace, **_condition(query.where)},
        )
        return [item["metadata"]["number"] for item in found["results"]]

    def remove(self, rows: Sequence[Generated], workspace: str) -> None:
        """One `delete` for each memory that this process added."""
        del workspace
        for row in rows:
            self._memory.delete(self._ids[row.number])

    def close(self) -> None:
        """Close the store beneath."""
        self._memory.vector_store.client.close()


def _condition(where: Where | None) -> dict[str, Any]:
    if where is None:
        return {}
    if where.field == "created":
        return {"created": {"gte": where.from_ms, "lt": where.to_ms}}
    return {where.field: where.value}

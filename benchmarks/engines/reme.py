"""Upstream ReMe 0.2 (reme-ai on flowllm): its default `local` store, driven in process, embedding left out.

`search` is the call that ReMe's retrieval operators make. The store keeps a workspace as a file of
JSON lines and writes it whole after every change, so that a large one is laid down in its own format
by `fill` once the rate of `insert` is known.
"""

import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.corpus.blocks import Matrix
from benchmarks.corpus.memories import Generated
from benchmarks.engines.contract import VECTOR, Query, Where


class GivenEmbedder:
    """Stands for the embedding model of the store and returns what was laid ready."""

    def __init__(self) -> None:
        self.ready: dict[str, list[float]] = {}

    def get_embeddings(self, text: str) -> list[float]:
        """The vector of a text."""
        return self.ready[text]

    def get_node_embeddings(self, nodes: Sequence[Any]) -> Sequence[Any]:
        """Nodes as they are: they carry their vectors."""
        return nodes


class Reme:
    """Nodes of ReMe's task memories; a workspace is a file."""

    packages = ("reme-ai", "flowllm")
    legs = (VECTOR,)
    fields = ("kind", "author", "tag", "channel", "created")

    def open(self, folder: Path, dimensions: int) -> None:
        """Open the store in a folder; it reads a workspace at its first use."""
        del dimensions
        folder.mkdir(parents=True, exist_ok=True)
        import_module("loguru").logger.remove()
        store = import_module("flowllm.core.vector_store.local_vector_store").LocalVectorStore
        self._node: Any = import_module("flowllm.core.schema").VectorNode
        self._embedder = GivenEmbedder()
        self._store: Any = store(embedding_model=self._embedder, store_dir=str(folder))
        self._folder = folder

    def add(self, rows: Sequence[Generated], vectors: Matrix, workspace: str) -> None:
        """One `insert` for the batch."""
        nodes = [
            self._node(**_fields(row, vector.tolist(), workspace)) for row, vector in zip(rows, vectors, strict=True)
        ]
        self._store.insert(nodes, workspace)

    def fill(self, rows: Sequence[Generated], vectors: Matrix, workspace: str) -> None:
        """Append lines in the store's own format."""
        with (self._folder / f"{workspace}.jsonl").open("a", encoding="utf-8") as file:
            for row, vector in zip(rows, vectors, strict=True):
                file.write(json.dumps(_fields(row, vector.tolist(), workspace), ensure_ascii=False) + "\n")

    def settle(self) -> None:
        """Nothing: there is no index."""

    def search(self, leg: str, query: Query) -> list[int]:
        """The store's `search`."""
        del leg
        self._embedder.ready = {query.text: query.vector.tolist()}
        found = self._store.search(
            query.text,
            query.workspace,
            top_k=query.limit,
            filter_dict=_condition(query.where),
            show_progress=False,
        )
        return [int(node.unique_id) for node in found]

    def remove(self, rows: Sequence[Generated], workspace: str) -> None:
        """One `delete` for the batch."""
        self._store.delete([str(row.number) for row in rows], workspace)

    def close(self) -> None:
        """Close the store."""
        self._store.close()


def _fields(row: Generated, vector: list[float], workspace: str) -> dict[str, Any]:
    """A node as ReMe makes it of a task memory, and what the filters need."""
    return {
        "unique_id": str(row.number),
        "workspace_id": workspace,
        "content": row.text,
        "vector": vector,
        "metadata": {
            "memory_type": "task",
            "content": row.text,
            "score": 0.0,
            "time_created": "2026-01-01 00:00:00",
            "time_modified": "2026-01-01 00:00:00",
            "author": row.author,
            "metadata": "{}",
            "kind": row.kind,
            "tag": row.tags[0],
            "channel": row.channel,
            "created": row.created_ms,
        },
    }


def _condition(where: Where | None) -> dict[str, Any] | None:
    if where is None:
        return None
    if where.field == "created":
        return {"metadata.created": {"gte": where.from_ms, "lt": where.to_ms}}
    return {f"metadata.{where.field}": where.value}

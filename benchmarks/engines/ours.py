"""This repository's service, through its ports: the store's index, and the whole retrieval.

`vector` is `SearchIndex.nearest` and `fetch`; `hybrid` is `Retrieval.search` with the vector of the
query given; `pipeline` is `Retrieval.search` with the local embedder, cache off. Writes are flushed
to the disk before they return (synchronous=FULL).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.backends.clock import SystemClock
from app.backends.embedders.local import LocalEmbedder
from app.backends.sqlite import open_store
from app.domain.access import DEFAULT_TENANT, LOCAL_ADMIN
from app.domain.change import Add, ChangeBatch, Delete
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.memory import MemoryDraft, MemoryKind, Scope
from app.domain.query import Comparison, Condition, MemoryFilter, SearchMode, SearchQuery
from app.service.retrieval import Retrieval
from benchmarks.corpus.blocks import Matrix
from benchmarks.corpus.memories import Generated
from benchmarks.engines.contract import HYBRID, PIPELINE, VECTOR, Query, Where


class GivenEmbedder:
    """An embedder that returns the vector laid ready, so that embedding is not measured."""

    def __init__(self, identity: EmbeddingIdentity) -> None:
        self._identity = identity
        self.ready: Vector = np.zeros(identity.dimensions, np.float32)

    @property
    def identity(self) -> EmbeddingIdentity:
        """What the store is stamped with."""
        return self._identity

    def embed(self, texts: Sequence[str]) -> Vector:
        """The vector laid ready, for every text."""
        return np.repeat(self.ready[None, :], len(texts), axis=0)

    def embed_query(self, text: str) -> Vector:
        """The vector laid ready."""
        del text
        return self.ready

    def embed_queries(self, texts: Sequence[str]) -> Vector:
        """The vector laid ready, for every text."""
        return self.embed(texts)


class Ours:
    """The embedded store and the services above it."""

    packages: Sequence[str] = ("reme-cloud", "apsw", "numpy")
    legs: Sequence[str] = (VECTOR, HYBRID, PIPELINE)
    fields = ("kind", "author", "tag", "channel", "created")

    def open(self, folder: Path, dimensions: int) -> None:
        """Open the store where the service would have it: `.reme/memory.db` in its working directory."""
        self._local = LocalEmbedder(threads=1)
        identity = self._local.identity
        if dimensions != identity.dimensions:
            identity = EmbeddingIdentity(model="synthetic", dimensions=dimensions)
        clock = SystemClock()
        self._store: Any = open_store(folder / ".reme" / "memory.db", identity=identity, clock=clock)
        self._given = GivenEmbedder(identity)
        self._retrievals = {
            leg: Retrieval(index=self._store.index, embedder=embedder, clock=clock, meter=self._store.meter)
            for leg, embedder in ((HYBRID, self._given), (PIPELINE, self._local))
        }
        self._ids: dict[int, str] = {}

    def add(self, rows: Sequence[Generated], vectors: Matrix, workspace: str) -> None:
        """One batch."""
        changes = tuple(Add(draft=_draft(row), vector=vector) for row, vector in zip(rows, vectors, strict=True))
        committed = self._store.memories.commit(ChangeBatch(scope=_scope(workspace), changes=changes))
        if len(rows) == 1:
            self._ids[rows[0].number] = committed.outcomes[0].memory_id

    def settle(self) -> None:
        """Nothing: every batch is searchable when it returns."""

    def search(self, leg: str, query: Query) -> list[int]:
        """The numbers of the memories found, read out of the memories themselves."""
        if leg == VECTOR:
            scope = _scope(query.workspace)
            found = self._store.index.nearest(scope, query.vector, _filter(query.where), limit=query.limit)
            memories = self._store.index.fetch(scope, [candidate.number for candidate in found])
            return [_number(memories[candidate.number].metadata) for candidate in found]
        self._given.ready = query.vector
        search = SearchQuery(text=query.text, top_k=query.limit, mode=SearchMode.HYBRID, filter=_filter(query.where))
        result = self._retrievals[leg].search(LOCAL_ADMIN, query.workspace, search)
        return [_number(hit.memory.metadata) for hit in result.hits]

    def remove(self, rows: Sequence[Generated], workspace: str) -> None:
        """One batch of deletions of memories that this process added one by one."""
        changes = tuple(Delete(memory_id=self._ids[row.number]) for row in rows)
        self._store.memories.commit(ChangeBatch(scope=_scope(workspace), changes=changes))

    def read(self, rows: Sequence[Generated], workspace: str) -> None:
        """Read memories by their ids."""
        self._store.memories.get(_scope(workspace), [self._ids[row.number] for row in rows])

    def close(self) -> None:
        """Close the store."""
        for retrieval in self._retrievals.values():
            retrieval.close()
        self._store.close()


def _scope(workspace: str) -> Scope:
    return Scope(tenant_id=DEFAULT_TENANT, workspace_id=workspace)


def _draft(row: Generated) -> MemoryDraft:
    return MemoryDraft(
        kind=MemoryKind(row.kind),
        content=row.text,
        author=row.author,
        tags=row.tags,
        metadata={"number": row.number, "channel": row.channel},
        created_ms=row.created_ms,
    )


def _number(metadata: object) -> int:
    if not isinstance(metadata, dict) or not isinstance(metadata.get("number"), int):
        raise TypeError(f"a memory came back without its number: {metadata!r}")
    return int(metadata["number"])


def _filter(where: Where | None) -> MemoryFilter:
    if where is None:
        return MemoryFilter()
    if where.field == "created":
        return MemoryFilter(created_from_ms=where.from_ms, created_to_ms=where.to_ms)
    if where.field == "kind":
        return MemoryFilter(kinds=(MemoryKind(where.value),))
    if where.field == "author":
        return MemoryFilter(authors=(where.value,))
    if where.field == "tag":
        return MemoryFilter(tags=(where.value,))
    return MemoryFilter(conditions=(Condition(key=where.field, comparison=Comparison.EQ, values=(where.value,)),))

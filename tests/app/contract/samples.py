"""Scopes, drafts and vectors for the contract, and short ways to write and read them."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

import numpy as np

from app.domain.change import Add, Change, ChangeBatch, Changed, Committed, Receipt, Update
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.memory import Memory, MemoryDraft, MemoryKind, MemoryPatch, Scope
from app.domain.query import Candidate, Condition, MemoryFilter
from tests.app.contract.backends import Backend

HERE = Scope(tenant_id="acme", workspace_id="project-1")
THERE = Scope(tenant_id="acme", workspace_id="project-2")
FOREIGN = Scope(tenant_id="umbrella", workspace_id="project-1")
NOWHERE = Scope(tenant_id="acme", workspace_id="never-made")

IDENTITY = EmbeddingIdentity(model="sample-8", dimensions=8)
OTHER_IDENTITY = EmbeddingIdentity(model="sample-12", dimensions=12)
NO_ID = "0" * 32
ALL = MemoryFilter()

COSINE_ERROR = 5e-3
"""What a store may be off when it keeps vectors in half precision (11 bits) and takes a cosine of a few components."""


def vector_of(text: str, dimensions: int = IDENTITY.dimensions) -> Vector:
    """A vector of unit length that is the same for the same text and points anywhere for another."""
    seed = int.from_bytes(sha256(text.encode()).digest()[:8], "little")
    values = np.random.default_rng(seed).standard_normal(dimensions)
    return (values / np.linalg.norm(values)).astype(np.float32)


def draft(content: str, **fields: Any) -> MemoryDraft:
    """A personal memory, unless told otherwise."""
    return MemoryDraft(**{"kind": MemoryKind.PERSONAL, "content": content, **fields})


def adding(content: str, **fields: Any) -> Add:
    """The change that adds a memory, with the vector of its text."""
    made = draft(content, **fields)
    return Add(draft=made, vector=vector_of(made.when_to_use or made.content))


def updating(memory: Memory, *, expected_version: int | None = None, **fields: Any) -> Update:
    """The change that patches a memory, with the vector of its new text."""
    patch = MemoryPatch(**fields)
    text = patch.when_to_use or memory.when_to_use or patch.content or memory.content
    vector = vector_of(text) if patch.changes_text else None
    return Update(memory_id=memory.id, patch=patch, vector=vector, expected_version=expected_version)


def commit(
    backend: Backend,
    *changes: Change,
    scope: Scope = HERE,
    receipt: Receipt | None = None,
    skip_missing: bool = False,
) -> Committed:
    """Commit changes as one batch."""
    return backend.memories.commit(
        ChangeBatch(scope=scope, changes=changes, receipt=receipt, skip_missing=skip_missing)
    )


def change(backend: Backend, one: Change, *, scope: Scope = HERE) -> Changed:
    """Commit one change and return its outcome."""
    (outcome,) = commit(backend, one, scope=scope).outcomes
    return outcome


def changed(backend: Backend, one: Change, *, scope: Scope = HERE) -> Memory:
    """Commit one change and return the memory as it now is."""
    memory = change(backend, one, scope=scope).memory
    assert memory is not None
    return memory


def add(backend: Backend, content: str, *, scope: Scope = HERE, **fields: Any) -> Memory:
    """Add a memory and return it."""
    return changed(backend, adding(content, **fields), scope=scope)


def read(backend: Backend, memory_id: str, *, scope: Scope = HERE) -> Memory:
    """The live memory of an id."""
    (memory,) = backend.memories.get(scope, [memory_id])
    return memory


def scan_all(
    backend: Backend, scope: Scope = HERE, *, limit: int = 100, superseded: bool = False, wanted: MemoryFilter = ALL
) -> list[Memory]:
    """Every memory of a listing, page by page."""
    found: list[Memory] = []
    cursor = ""
    while True:
        page = backend.memories.scan(scope, wanted, limit=limit, cursor=cursor, superseded=superseded)
        assert len(page.items) <= limit
        found += page.items
        if not page.next_cursor:
            return found
        assert page.items, "an empty page must be the last"
        cursor = page.next_cursor


def texts(memories: Sequence[Memory]) -> list[str]:
    """The contents of memories, in their order."""
    return [memory.content for memory in memories]


def found_texts(backend: Backend, candidates: Sequence[Candidate], scope: Scope = HERE) -> list[str]:
    """The contents of what a search found, best first."""
    memories = backend.index.fetch(scope, [candidate.number for candidate in candidates])
    return [memories[candidate.number].content for candidate in candidates]


def near(
    backend: Backend,
    text: str,
    *,
    scope: Scope = HERE,
    wanted: MemoryFilter = ALL,
    limit: int = 50,
    as_of_ms: int | None = None,
) -> list[str]:
    """The contents of the memories whose vectors are closest to that of a text, best first."""
    candidates = backend.index.nearest(scope, vector_of(text), wanted, limit=limit, as_of_ms=as_of_ms, exact=True)
    return found_texts(backend, candidates, scope)


def match(
    backend: Backend,
    text: str,
    *,
    scope: Scope = HERE,
    wanted: MemoryFilter = ALL,
    limit: int = 50,
    as_of_ms: int | None = None,
) -> list[str]:
    """The contents of the memories that share words with a text, best first."""
    candidates = backend.index.matching(scope, text, wanted, limit=limit, as_of_ms=as_of_ms)
    return found_texts(backend, candidates, scope)


def finders(backend: Backend, text: str, *, scope: Scope = HERE, wanted: MemoryFilter = ALL) -> Iterator[set[str]]:
    """What each way of finding memories finds: the listing, the vectors, and the words that `text` shares with all."""
    yield set(texts(scan_all(backend, scope, wanted=wanted)))
    yield set(near(backend, text, scope=scope, wanted=wanted))
    yield set(match(backend, text, scope=scope, wanted=wanted))


def where(*conditions: Condition) -> MemoryFilter:
    """A filter of conditions on metadata."""
    return MemoryFilter(conditions=conditions)

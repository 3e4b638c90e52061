"""Memories for an index, and short ways to tell it of them and to ask it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from app.domain.embedding import Vector
from app.domain.filters import holds, passes
from app.domain.identifiers import make_uuid7
from app.domain.indexing import IndexEntry
from app.domain.memory import Layer, Memory, MemoryKind, Origin, Scope
from app.domain.query import Candidate, MemoryFilter
from app.ports import VectorIndex
from tests.app.contract.samples import ALL, HERE, IDENTITY, vector_of

NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000
MANY = 200
"""A limit above what any of these tests holds."""


def memory(content: str, *, scope: Scope = HERE, **fields: Any) -> Memory:
    """A personal memory that was made a day ago and holds since, unless told otherwise."""
    known: dict[str, Any] = {
        "id": make_uuid7(NOW_MS),
        "scope": scope,
        "kind": MemoryKind.PERSONAL,
        "layer": Layer.DISTILLED,
        "content": content,
        "when_to_use": "",
        "user_id": "",
        "author": "",
        "tags": (),
        "metadata": {},
        "details": {},
        "score": 0.0,
        "frequency": 0,
        "utility": 0.0,
        "origin": Origin(),
        "source_ids": (),
        "slot": "",
        "created_ms": NOW_MS - DAY_MS,
        "updated_ms": NOW_MS - DAY_MS,
        "valid_from_ms": NOW_MS - DAY_MS,
        "valid_to_ms": None,
        "deleted_ms": None,
        "superseded": False,
        "revision_of": "",
        "seq": 1,
        "version": 1,
        "hlc": 1,
        "node_id": "node",
    }
    return Memory(**{**known, **fields})


def entry(number: int, content: str, *, vector: Vector | None = None, claim: int = 1, **fields: Any) -> IndexEntry:
    """What an index is told of a memory; the vector is that of its content."""
    return IndexEntry(
        number=number,
        claim=claim,
        memory=memory(content, **fields),
        vector=vector_of(content, IDENTITY.dimensions) if vector is None else vector,
    )


def gone(number: int, *, claim: int = 2) -> IndexEntry:
    """What an index is told of a memory that it is to take out."""
    return IndexEntry(number=number, claim=claim)


def ask(
    index: VectorIndex,
    text: str = "query",
    *,
    scope: Scope = HERE,
    wanted: MemoryFilter = ALL,
    limit: int = MANY,
    now_ms: int = NOW_MS,
    as_of_ms: int | None = None,
) -> list[Candidate]:
    """What an index finds, best first; compares every vector where it can."""
    return index.nearest(
        scope,
        vector_of(text, IDENTITY.dimensions),
        wanted,
        limit=limit,
        now_ms=now_ms,
        as_of_ms=as_of_ms,
        exact=index.abilities.exact,
    )


def numbers(found: Sequence[Candidate]) -> set[int]:
    """The numbers of what was found."""
    return {one.number for one in found}


def expect(
    entries: Sequence[IndexEntry],
    *,
    scope: Scope = HERE,
    wanted: MemoryFilter = ALL,
    now_ms: int = NOW_MS,
    as_of_ms: int | None = None,
) -> set[int]:
    """The numbers that a search of all must find, by the rules of the domain alone."""
    return {
        one.number
        for one in entries
        if one.memory is not None
        and one.vector is not None
        and one.memory.scope == scope
        and holds(one.memory, as_of_ms, now_ms=now_ms)
        and passes(one.memory, wanted)
    }


def rank(entries: Sequence[IndexEntry], text: str) -> list[int]:
    """The numbers of entries from the closest to a text; of equals the smaller first."""
    vector = vector_of(text, IDENTITY.dimensions)
    scored = [(-float(np.dot(one.vector, vector)), one.number) for one in entries if one.vector is not None]
    return [number for _, number in sorted(scored)]

"""What the server is told of a memory: what it is searched and filtered by, its words among it but not its text."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from app.backends.elasticsearch import keywords
from app.backends.elasticsearch.connections import Operation
from app.backends.elasticsearch.facets import FIELD, list_tokens
from app.backends.elasticsearch.selection import name_workspace
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.indexing import IndexEntry
from app.domain.memory import Memory
from app.errors import EmbeddingMismatch

_DECIMALS = 9
"""Of a component: half the bytes on the way, and 1e-9 off where single precision itself is 6e-8 off."""


def check_vector(vector: Vector, identity: EmbeddingIdentity) -> None:
    """Raise `EmbeddingMismatch` for a vector of other dimensions than the collection's."""
    if vector.shape != (identity.dimensions,):
        raise EmbeddingMismatch(
            f"the vector index holds vectors of {identity}, this one has shape {vector.shape}: prepare the index for it"
        )


def write_vector(vector: Vector) -> list[float] | None:
    """A vector of unit length as JSON; None for one without a direction, of which the server takes no cosine."""
    exact = vector.astype(np.float64)
    length = float(np.linalg.norm(exact))
    if not (np.isfinite(length) and length > 0):
        return None
    components: list[float] = np.round(exact / length, _DECIMALS).tolist()
    return components


def list_operations(entries: Iterable[IndexEntry], identity: EmbeddingIdentity) -> list[Operation]:
    """The lines of a bulk request, one operation for each number: of several entries the last one's.

    Raises `EmbeddingMismatch` for a vector of other dimensions.
    """
    last = {entry.number: entry for entry in entries}
    return [_make_operation(entry, identity) for entry in last.values()]


def _make_operation(entry: IndexEntry, identity: EmbeddingIdentity) -> Operation:
    """Hold or take out, unless the server has a later claim; the same claim again is done again."""
    target = {"_id": str(entry.number), "version": entry.claim, "version_type": "external_gte"}
    if entry.memory is None or entry.vector is None or not entry.is_held:
        return ({"delete": target},)
    check_vector(entry.vector, identity)
    return {"index": target}, _make_document(entry.number, entry.memory, entry.vector)


def _make_document(number: int, memory: Memory, vector: Vector) -> dict[str, Any]:
    units, length = keywords.list_units(memory.when_to_use, memory.content)
    document = {
        "number": number,
        "workspace": name_workspace(memory.scope),
        "kind": memory.kind.value,
        "layer": memory.layer.value,
        "author": memory.author,
        "user_id": memory.user_id,
        "tags": list(memory.tags),
        FIELD: list_tokens(memory.scope, memory.metadata),
        "created_ms": memory.created_ms,
        "valid_from_ms": memory.valid_from_ms,
        "valid_to_ms": memory.valid_to_ms,
        "planned_ms": memory.valid_from_ms if memory.valid_from_ms > memory.created_ms else None,
        "superseded": memory.superseded,
        keywords.FIELD: " ".join(units),
        keywords.LENGTH: length,
        "vector": write_vector(vector),
    }
    return {name: value for name, value in document.items() if value is not None}

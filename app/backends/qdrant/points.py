"""Memories as points: a vector, and a payload that holds what is filtered by and nothing else; no text of a memory."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qdrant_client import models

from app.backends.qdrant.order import Place, fact, place
from app.domain.embedding import Vector
from app.domain.memory import Json, JsonObject, Memory, Scope

FOREVER_MS = 2**53 - 1
"""The end of what has none; the largest integer that a double keeps with all below it."""
REQUEST_BYTES = 16 * 2**20
"""What a request is kept below: half of the 32 MiB that Qdrant's `service.max_request_size_mb` allows by default."""
CLAIM = "claim"
"""The field with the store's note of the state that a point tells; a later state has a larger one."""
GUARD_BYTES = 256
"""What the condition of a point that is written takes as JSON, at the most."""
NUMBER_BYTES = 24
"""A number of a vector as JSON: up to 17 digits, a point, a sign, an exponent ("e-05") and a comma."""

FIELDS: Mapping[str, str] = {
    "workspace": "keyword",
    "kind": "keyword",
    "layer": "keyword",
    "author": "keyword",
    "user_id": "keyword",
    "tags": "keyword",
    "keys": "keyword",
    "facts": "keyword",
    "created_ms": "integer",
    "opens_ms": "integer",
    "valid_from_ms": "integer",
    "valid_to_ms": "integer",
    "ordered[].name": "keyword",
    "ordered[].high": "integer",
    "ordered[].low": "integer",
    CLAIM: "integer",
}
"""Every field that a filter names, and the sort of its index; `workspace` is the tenant."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A point to be written, and about how many bytes it takes as JSON."""

    point: models.PointStruct
    size_bytes: int


def workspace_of(scope: Scope, mark: str) -> str:
    """The value of the tenant's field, which no two workspaces share, nor two collections made one after the other."""
    return json.dumps([mark, scope.tenant_id, scope.workspace_id])


def ordered_name(key: str, sort: str) -> str:
    """The name under which the values of a key and a sort are ordered."""
    return f"{sort}:{key}"


def encode(number: int, claim: int, memory: Memory, vector: Vector, mark: str) -> Held:
    """The point of a memory in the collection of a mark."""
    payload = {"workspace": workspace_of(memory.scope, mark), **_describe(memory), CLAIM: claim}
    size_bytes = len(json.dumps(payload)) + GUARD_BYTES + NUMBER_BYTES * len(vector)
    return Held(
        point=models.PointStruct(id=number, vector=straighten(vector).tolist(), payload=payload), size_bytes=size_bytes
    )


def straighten(vector: Vector) -> Vector:
    """The vector at unit length, so that a distance tells the cosine; zeros stay zeros."""
    length = float(np.linalg.norm(vector))
    return vector if length == 0 else np.asarray(vector / length, dtype=np.float32)


def guard(points: Sequence[models.PointStruct]) -> models.Filter:
    """What a point that is there must meet to be overwritten by one of these: that it tells no later state."""
    return models.Filter(
        should=[
            models.Filter(
                must=[
                    models.HasIdCondition(has_id=[one.id]),
                    models.FieldCondition(key=CLAIM, range=models.Range(lte=(one.payload or {})[CLAIM])),
                ]
            )
            for one in points
        ]
    )


def group(held: Sequence[Held], *, most: int) -> Iterator[list[models.PointStruct]]:
    """Points in requests of at most `most`, and of no more bytes than a server takes."""
    points: list[models.PointStruct] = []
    size_bytes = 0
    for one in held:
        if points and (len(points) == most or size_bytes + one.size_bytes > REQUEST_BYTES):
            yield points
            points, size_bytes = [], 0
        points.append(one.point)
        size_bytes += one.size_bytes
    if points:
        yield points


def _describe(memory: Memory) -> dict[str, Any]:
    opens_ms = memory.valid_from_ms if memory.valid_from_ms > memory.created_ms else -FOREVER_MS
    return {
        "kind": memory.kind.value,
        "layer": memory.layer.value,
        "author": memory.author,
        "user_id": memory.user_id,
        "tags": list(memory.tags),
        "created_ms": memory.created_ms,
        "opens_ms": FOREVER_MS if memory.superseded else opens_ms,
        "valid_from_ms": memory.valid_from_ms,
        "valid_to_ms": FOREVER_MS if memory.valid_to_ms is None else memory.valid_to_ms,
        **_describe_metadata(memory.metadata),
    }


def _describe_metadata(metadata: JsonObject) -> dict[str, Any]:
    facts: dict[str, None] = {}
    ordered: list[dict[str, Any]] = []
    for key, value in metadata.items():
        for element in elements(value):
            word, where = fact(key, element), place(element)
            if word is None or where is None or word in facts:
                continue
            facts[word] = None
            ordered.append(_describe_place(key, where))
    return {"keys": list(metadata), "facts": list(facts), "ordered": ordered}


def _describe_place(key: str, where: Place) -> dict[str, Any]:
    described: dict[str, Any] = {"name": ordered_name(key, where.sort), "high": where.high, "low": where.low}
    return {**described, "text": where.text} if where.text else described


def elements(value: Json) -> Sequence[Json]:
    """What conditions on a value look at: the elements of a list, else the value itself."""
    return value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)

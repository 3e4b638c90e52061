"""Vectors on their way to the server and back: pgvector's binary form, in single precision."""

from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Any, TypeAlias

import numpy as np
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

from app.backends.postgres.statements import Connection
from app.domain.embedding import Vector
from app.domain.memory import Scope
from app.errors import StoreCorrupt

_HEADER = Struct(">HH")
"""The dimensions, and two bytes that are zero."""
_LIVE = "c.tenant_id = %s AND c.workspace_id = %s AND c.deleted_at IS NULL"


class PackedVector(bytes):
    """A vector as pgvector reads it; a place that takes one is written `%s::vector`."""

    __slots__ = ()


PackedRow: TypeAlias = tuple[int, int, PackedVector]
"""The number of a memory, its workspace's, and its vector."""


class _PackedVectorDumper(Dumper):
    """Sends the bytes as they are; the server takes the type from the cast, so that its number need not be known."""

    format = Format.BINARY
    oid = 0

    def dump(self, obj: PackedVector) -> PackedVector:
        return obj


psycopg.adapters.register_dumper(PackedVector, _PackedVectorDumper)


def pack_vector(vector: Vector) -> PackedVector:
    """A vector (dimensions,) in the form that is sent."""
    return PackedVector(_HEADER.pack(len(vector), 0) + vector.astype(">f4").tobytes())


def unpack_vector(packed: bytes, dimensions: int) -> Vector:
    """A vector (dimensions,) of its own of what a statement with binary results yields; `StoreCorrupt` for another."""
    if len(packed) != _HEADER.size + 4 * dimensions:
        raise StoreCorrupt(f"a stored vector has not {dimensions} dimensions: restore the database's backup")
    return np.frombuffer(packed, ">f4", offset=_HEADER.size).astype(np.float32)


def insert_vectors(connection: Connection, table: str, rows: Sequence[PackedRow], *, replace: bool = True) -> int:
    """Keep vectors, in place of those that are there or else only where none is; returns how many were kept."""
    conflict = "UPDATE SET embedding = excluded.embedding" if replace else "NOTHING"
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table} VALUES (%s, %s, %s::vector) ON CONFLICT (number) DO {conflict}", rows)
        return max(cursor.rowcount, 0)


def read_vectors(
    connection: Connection, numbers: Iterable[int], dimensions: int, *, scope: Scope | None = None
) -> dict[int, Vector]:
    """The stored vectors of these numbers; missing ones are left out, with a scope all not live in it."""
    sql = "SELECT number, embedding FROM chunks_vec_default v WHERE number = ANY(%s::bigint[])"
    values: list[Any] = [list(numbers)]
    if scope is not None:
        sql += f" AND EXISTS (SELECT FROM chunks_default c WHERE c.number = v.number AND {_LIVE})"
        values += [scope.tenant_id, scope.workspace_id]
    cursor = connection.execute(sql, values, binary=True)
    return {number: unpack_vector(packed, dimensions) for number, packed in cursor}

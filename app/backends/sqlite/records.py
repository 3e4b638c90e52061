"""The fixed-size record by which a memory is filtered in RAM."""

from hashlib import blake2b
from struct import Struct

import numpy as np

from app.domain.memory import Layer, Memory, MemoryKind

RECORD = np.dtype(
    [
        ("number", "<i8"),
        ("created_ms", "<i8"),
        ("valid_from_ms", "<i8"),
        ("valid_to_ms", "<i8"),
        ("author", "<u8"),
        ("user", "<u8"),
        ("length", "<u2"),
        ("kind", "u1"),
        ("layer", "u1"),
        ("gone", "u1"),
        ("superseded", "u1"),
    ]
)
"""54 bytes. Names are 64-bit hashes; `valid_to_ms` is FOREVER where a memory has no end."""

_RECORD = Struct("<4q2QH4B")
FOREVER = 2**63 - 1
KIND_CODES = {kind: code for code, kind in enumerate(MemoryKind)}
LAYER_CODES = {layer: code for code, layer in enumerate(Layer)}


def hash_name(name: str) -> int:
    """64 bits that stand for an author or user; among a million names two share theirs with odds of 1 in 37 million."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")


def read_length(record: bytes) -> int:
    """The length that a packed record holds, at most 65,535."""
    length: int = _RECORD.unpack(record)[6]
    return length


def pack_record(number: int, memory: Memory, length: int) -> bytes:
    """The record of a memory; `length` is its text's units."""
    values = (
        number,
        memory.created_ms,
        memory.valid_from_ms,
        FOREVER if memory.valid_to_ms is None else memory.valid_to_ms,
        hash_name(memory.author),
        hash_name(memory.user_id),
        min(length, 65_535),
        KIND_CODES[memory.kind],
        LAYER_CODES[memory.layer],
        memory.deleted_ms is not None,
        memory.superseded,
    )
    return _RECORD.pack(*values)

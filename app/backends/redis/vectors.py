"""Embeddings that nodes share."""

import logging
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import pybreaker

from app.backends.redis.connections import FAULTS, RedisPlace, open_client
from app.domain.embedding import Vector

log = logging.getLogger("reme.embeddings")

T = TypeVar("T")
FAILURES, PAUSE_S = 3, 10.0
"""After so many failures in a row the server is left alone for so long: a text is embedded sooner than it times out."""
_SECONDS_PER_DAY = 86_400
_CHECKSUM_BYTES = 4
_BATCH = 500


class RedisVectorCache:
    """The `VectorCache` on a server; a vector that nobody asked for in `keep_days` is forgotten.

    A vector takes 4 bytes a dimension and some 120 bytes of the server's RAM; how much the server may take, and what
    it forgets first, is the server's own setting (maxmemory-policy). While it does not answer there are no hits.
    """

    def __init__(self, place: RedisPlace, *, prefix: str = "reme:", keep_days: int = 30) -> None:
        self._client = open_client(place)
        self._place = place
        self._prefix = f"{prefix}vector:".encode()
        self._seconds = keep_days * _SECONDS_PER_DAY
        self._breaker = pybreaker.CircuitBreaker(fail_max=FAILURES, reset_timeout=PAUSE_S)

    def recall(self, keys: Sequence[bytes], *, dimensions: int) -> dict[bytes, Vector]:
        """Those that are known, read-only; one that does not read as it was written is not known."""
        known: dict[bytes, Vector] = {}
        for start in range(0, len(keys), _BATCH):
            some = keys[start : start + _BATCH]

            def read(some: Sequence[bytes] = some) -> list[object]:
                pipe = self._client.pipeline(transaction=False)
                for key in some:
                    pipe.getex(self._prefix + key, ex=self._seconds)
                return list(pipe.execute())

            for key, stored in zip(some, self._use(read) or (), strict=False):
                vector = _read_vector(stored, dimensions)
                if vector is not None:
                    known[key] = vector
        return known

    def keep(self, vectors: Mapping[bytes, Vector]) -> None:
        """Remember vectors."""
        pairs = list(vectors.items())
        for start in range(0, len(pairs), _BATCH):

            def write(some: Sequence[tuple[bytes, Vector]] = pairs[start : start + _BATCH]) -> None:
                pipe = self._client.pipeline(transaction=False)
                for key, vector in some:
                    stored = np.ascontiguousarray(vector, np.float32).tobytes()
                    checksum = zlib.crc32(stored).to_bytes(_CHECKSUM_BYTES, "little")
                    pipe.set(self._prefix + key, checksum + stored, ex=self._seconds)
                pipe.execute()

            self._use(write)

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _use(self, work: Callable[[], T]) -> T | None:
        """What a call gives, or None where the server does not answer; told once for each time that it is away."""
        was_away = self._breaker.current_state == pybreaker.STATE_OPEN
        try:
            return self._breaker.call(work)
        except (pybreaker.CircuitBreakerError, *FAULTS):
            if not was_away and self._breaker.current_state == pybreaker.STATE_OPEN:
                log.warning("the cache at %s does not answer: texts are embedded anew meanwhile", self._place)
        return None


def _read_vector(stored: object, dimensions: int) -> Vector | None:
    if not isinstance(stored, bytes) or len(stored) != _CHECKSUM_BYTES + 4 * dimensions:
        return None
    checksum, body = stored[:_CHECKSUM_BYTES], stored[_CHECKSUM_BYTES:]
    return np.frombuffer(body, np.float32) if zlib.crc32(body).to_bytes(_CHECKSUM_BYTES, "little") == checksum else None

"""Whether what nodes share on a server can be used now, for readiness."""

from dataclasses import replace
from typing import Any

import redis

from app.backends.redis.connections import FAULTS, RedisPlace, open_client
from app.errors import StoreFull, StoreUnavailable

MOST_WAIT_S = 1.0
"""How long a check waits at the most for a connection, and for an answer; ours, below the seconds that probes wait."""
_KEPT_S = 10


class RedisCondition:
    """Writes a word to a server, which fails where it is away, full, or a replica. Connects at the first check."""

    def __init__(self, place: RedisPlace, *, prefix: str = "reme:") -> None:
        self._place = replace(place, timeout_s=min(place.timeout_s, MOST_WAIT_S))
        self._client: Any = open_client(self._place, attempts=0)
        self._key = f"{prefix}ready"

    def check(self) -> None:
        """Raise `StoreFull` or `StoreUnavailable` where the server takes no writes; the service works on without it."""
        try:
            self._client.set(self._key, "1", ex=_KEPT_S)
        except redis.exceptions.OutOfMemoryError:
            raise StoreFull(
                f"the cache at {self._place} has no memory left: raise its maxmemory, or set its maxmemory-policy to "
                "allkeys-lru; until then embeddings are not shared and each node counts requests for itself"
            ) from None
        except FAULTS as fault:
            raise StoreUnavailable(
                f"the cache at {self._place} takes no writes ({type(fault).__name__}): embeddings are not shared and "
                "each node counts requests for itself; look at the server"
            ) from None

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

"""How many requests a key may make, counted by all nodes together."""

import logging
from hashlib import sha256
from time import monotonic
from typing import Any

from app.backends.redis.connections import FAULTS, RedisPlace, close_async_client, open_async_client

log = logging.getLogger("reme.rates")

PAUSE_S = 5.0
"""How long the server is left alone after it failed; each node counts for itself meanwhile."""

SPEND = """
local capacity, per_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local clock = redis.call('TIME')
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(kept[1]) or capacity, tonumber(kept[2]) or now_ms
tokens = math.min(capacity, tokens + math.max(0, now_ms - at) * per_ms)
local wait_ms = 0
if tokens < 1 then wait_ms = math.ceil((1 - tokens) / per_ms) else tokens = tokens - 1 end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', now_ms)
redis.call('PEXPIRE', KEYS[1], math.ceil(capacity / per_ms) + 1000)
return wait_ms
"""
"""A token bucket by the server's own clock, so that clocks of nodes do not matter; returns the milliseconds to wait."""


class RedisRates:
    """Token buckets on a server, one for each caller; used from one event loop."""

    def __init__(self, place: RedisPlace, *, requests_per_minute: int, prefix: str = "reme:") -> None:
        self._client: Any = open_async_client(place)
        self._place = place
        self._prefix = f"{prefix}rate:"
        self._capacity = requests_per_minute
        self._script = self._client.register_script(SPEND)
        self._paused_until = 0.0

    async def spend(self, caller: str) -> float | None:
        """Take one request from a caller's bucket; the seconds to wait where there is none, None where nobody counts.

        The caller's name is hashed: a key's id stays out of the server.
        """
        if monotonic() < self._paused_until:
            return None
        key = self._prefix + sha256(caller.encode()).hexdigest()[:32]
        try:
            wait_ms = await self._script(keys=[key], args=[self._capacity, self._capacity / 60_000])
        except FAULTS as fault:
            self._paused_until = monotonic() + PAUSE_S
            log.warning(
                "the cache at %s does not answer (%s): each node counts requests for itself for %.0f s",
                self._place,
                type(fault).__name__,
                PAUSE_S,
            )
            return None
        return int(wait_ms) / 1000

    async def close(self) -> None:
        """Let go of connections."""
        await close_async_client(self._client)

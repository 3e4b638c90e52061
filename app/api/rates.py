"""How many requests a key may make: a token bucket for each key, of all nodes or of this process."""

from collections.abc import Callable
from time import monotonic

from app.errors import RateLimited
from app.ports import SharedRates

FORGET_BEYOND = 10_000
"""Buckets kept; beyond this the full ones, which say nothing, are dropped."""


class RateLimiter:
    """Token buckets. A caller who was idle may spend a minute's worth at once.

    With `shared` all nodes count together. While that does not answer, and without it, each worker of several grants
    its share of `requests_per_minute`, so a caller whose connections all end at one is limited earlier. Called from
    the event loop only.
    """

    def __init__(
        self,
        requests_per_minute: int,
        *,
        workers: int = 1,
        shared: SharedRates | None = None,
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        self._shared = shared
        self._capacity = max(1.0, requests_per_minute / workers)
        self._per_second = self._capacity / 60
        self._limit = requests_per_minute
        self._seconds = seconds
        self._buckets: dict[str, tuple[float, float]] = {}

    async def spend(self, caller: str) -> None:
        """Take one request from a caller's bucket, or raise `RateLimited` with the seconds until there is one."""
        wait = None if self._shared is None else await self._shared.spend(caller)
        if wait is None:
            wait = self._spend_here(caller)
        if wait:
            raise RateLimited(
                f"more than {self._limit} requests a minute with this key: repeat after {wait:.1f} s, "
                "or raise access.requests_per_minute",
                retry_after_s=wait,
            )

    def _spend_here(self, caller: str) -> float:
        """Take one request from a caller's bucket in this process; the seconds to wait where there is none."""
        now = self._seconds()
        tokens, since = self._buckets.get(caller, (self._capacity, now))
        tokens = min(self._capacity, tokens + (now - since) * self._per_second)
        if tokens < 1:
            self._buckets[caller] = (tokens, now)
            return (1 - tokens) / self._per_second
        self._buckets[caller] = (tokens - 1, now)
        if len(self._buckets) > FORGET_BEYOND:
            self._forget(now)
        return 0.0

    def _forget(self, now: float) -> None:
        self._buckets = {
            caller: (tokens, since)
            for caller, (tokens, since) in self._buckets.items()
            if tokens + (now - since) * self._per_second < self._capacity
        }

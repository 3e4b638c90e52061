"""Each fault of the shared cache: nobody gets an error for it, limits hold, and it is told until it is over."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from secrets import token_hex

import numpy as np
import pytest

from app.api.rates import RateLimiter
from app.backends.redis import condition as condition_module
from app.backends.redis import rates as rates_module
from app.backends.redis import vectors as vectors_module
from app.backends.redis.condition import RedisCondition
from app.backends.redis.connections import RedisPlace
from app.backends.redis.rates import RedisRates
from app.backends.redis.vectors import RedisVectorCache
from app.errors import RateLimited, StoreError, StoreFull
from tests.app.redis.test_vectors import KEYS, make_vector
from tests.servers.proxy import Proxy
from tests.servers.valkey import ValkeyServer
from tests.servers.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.slow

PER_MINUTE = 2
NOBODY = 1
"""A port at which no primary listens."""

Act = Callable[[ValkeyServer, Proxy], object]
FAULTS: dict[str, tuple[Act, Act]] = {
    "killed": (lambda server, _: server.kill(), lambda server, _: server.start()),
    "silent": (lambda _, proxy: proxy.swallow(), lambda _, proxy: proxy.recover()),
    "slow": (lambda _, proxy: proxy.delay(2.0), lambda _, proxy: proxy.recover()),
    "refusing": (lambda _, proxy: proxy.refuse(), lambda _, proxy: proxy.recover()),
    "full": (
        lambda server, _: server.ask("CONFIG", "SET", "maxmemory", 1),
        lambda server, _: server.ask("CONFIG", "SET", "maxmemory", 0),
    ),
    "replica": (
        lambda server, _: server.ask("REPLICAOF", server.host, NOBODY),
        lambda server, _: server.ask("REPLICAOF", "NO", "ONE"),
    ),
}
"""How each begins and ends. While the proxy is silent whatever ends did not wait for an answer."""
TIMED_OUT = ("silent", "slow")
"""Those that a client gives up; in the others it is answered, or refused, however long that takes."""


@pytest.fixture
def proxy(own_valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy before a server that keeps what it has when it is full."""
    own_valkey.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    monkeypatch.setattr(vectors_module, "PAUSE_S", 0.2)
    monkeypatch.setattr(rates_module, "PAUSE_S", 0.2)
    monkeypatch.setattr(condition_module, "MOST_WAIT_S", PATIENCE_S)
    with Proxy(own_valkey.host, own_valkey.port) as running:
        yield running


def count_grants(place: RedisPlace, *, nodes: int = 1) -> int:
    """How many of a new caller's requests some nodes grant together."""

    async def ask() -> int:
        granted, caller = 0, token_hex(8)
        shared = [RedisRates(place, requests_per_minute=PER_MINUTE) for _ in range(nodes)]
        limiters = [RateLimiter(PER_MINUTE, shared=each) for each in shared]
        for limiter in limiters * (PER_MINUTE + 1):
            with suppress(RateLimited):
                await limiter.spend(caller)
                granted += 1
        for each in shared:
            await each.close()
        return granted

    return asyncio.run(ask())


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_fault(own_valkey: ValkeyServer, proxy: Proxy, fault: str) -> None:
    begin, end = FAULTS[fault]
    place = RedisPlace(nodes=(f"{proxy.host}:{proxy.port}",), timeout_s=0.5 if fault in TIMED_OUT else PATIENCE_S)
    with closing(RedisVectorCache(place)) as cache, closing(RedisCondition(place)) as condition:
        wait_until(lambda: is_well(condition), "the server to be reached")
        keep(cache, 0)
        begin(own_valkey, proxy)
        with pytest.raises(StoreFull if fault == "full" else StoreError, match=f"{proxy.host}:{proxy.port}"):
            condition.check()
        assert set(cache.recall(KEYS, dimensions=64)) <= {KEYS[0]}
        cache.keep({KEYS[1]: make_vector(1)})
        assert count_grants(place) == PER_MINUTE, "a node counts for itself, and grants no more than it would"
        end(own_valkey, proxy)
        wait_until(lambda: is_well(condition), "the server to be back")
        keep(cache, 2)
        assert np.array_equal(recall_first(cache), make_vector(0)), "nothing kept was lost"
        wait_until(lambda: count_grants(place, nodes=2) == PER_MINUTE, "two nodes to count together")


def is_well(condition: RedisCondition) -> bool:
    try:
        condition.check()
    except StoreError:
        return False
    return True


def recall_first(cache: RedisVectorCache) -> np.ndarray:
    """The vector that was kept first, once the server answers in time."""
    found: dict[bytes, np.ndarray] = {}

    def is_found() -> bool:
        found.update(cache.recall(KEYS[:1], dimensions=64))
        return bool(found)

    wait_until(is_found, "what was kept before to be recalled")
    return found[KEYS[0]]


def keep(cache: RedisVectorCache, number: int) -> None:
    """Keep a vector, and see that it is there."""

    def is_kept() -> bool:
        cache.keep({KEYS[number]: make_vector(number)})
        return KEYS[number] in cache.recall([KEYS[number]], dimensions=64)

    wait_until(is_kept, "a vector to be kept")

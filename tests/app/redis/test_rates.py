"""Requests that all nodes count together, on a real server."""

import asyncio
import logging
from contextlib import aclosing
from time import monotonic

import pytest
import redis

from app.api.rates import RateLimiter
from app.backends.redis import rates as rates_module
from app.backends.redis.connections import RedisPlace
from app.backends.redis.rates import RedisRates
from app.errors import RateLimited
from tests.servers.valkey import ValkeyServer
from tests.servers.waiting import PATIENCE_S


@pytest.fixture
def place(valkey_server: ValkeyServer) -> RedisPlace:
    redis.Redis.from_url(valkey_server.url).flushdb()
    return RedisPlace(nodes=(f"{valkey_server.host}:{valkey_server.port}",), timeout_s=PATIENCE_S)


class Nodes:
    """Limiters of several nodes."""

    def __init__(self, place: RedisPlace, count: int, per_minute: int) -> None:
        self._rates = [RedisRates(place, requests_per_minute=per_minute) for _ in range(count)]
        self.limiters = [RateLimiter(per_minute, shared=rates) for rates in self._rates]

    async def aclose(self) -> None:
        for rates in self._rates:
            await rates.close()


def test_nodes_grant_together_what_one_would(place: RedisPlace) -> None:
    async def ask() -> tuple[int, list[float]]:
        granted, waits = 0, []
        async with aclosing(Nodes(place, 3, per_minute=30)) as nodes:

            async def spend(number: int) -> None:
                nonlocal granted
                try:
                    await nodes.limiters[number % 3].spend("ana")
                    granted += 1
                except RateLimited as error:
                    waits.append(error.retry_after_s)

            await asyncio.gather(*(spend(number) for number in range(60)))
        return granted, waits

    begun_s = monotonic()
    granted, waits = asyncio.run(ask())
    assert 30 <= granted <= 31 + (monotonic() - begun_s) / 2  # a token comes every two seconds
    assert all(0 < wait <= 2 for wait in waits)


def test_callers_have_buckets_of_their_own_and_no_names_on_the_server(place: RedisPlace) -> None:
    async def ask() -> None:
        async with aclosing(Nodes(place, 1, per_minute=1)) as nodes:
            await nodes.limiters[0].spend("ana")
            await nodes.limiters[0].spend("ben")
            with pytest.raises(RateLimited):
                await nodes.limiters[0].spend("ana")

    asyncio.run(ask())
    names = redis.Redis.from_url(f"redis://{place.nodes[0]}").keys("*")
    assert len(names) == 2
    assert not any(b"ana" in name for name in names)


def test_buckets_are_forgotten_once_they_are_full_again(place: RedisPlace) -> None:
    async def ask() -> None:
        async with aclosing(Nodes(place, 1, per_minute=60)) as nodes:
            await nodes.limiters[0].spend("ana")

    asyncio.run(ask())
    client = redis.Redis.from_url(f"redis://{place.nodes[0]}")
    [name] = client.keys("*")
    assert 0 < client.pttl(name) <= 61_000


def test_each_node_counts_for_itself_while_the_server_is_away(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates_module, "PAUSE_S", 600.0)  # told once in each pause, however long this takes
    place = RedisPlace(nodes=("127.0.0.1:9",), password="canary-password", timeout_s=0.2)  # noqa: S106

    async def ask() -> None:
        async with aclosing(Nodes(place, 1, per_minute=2)) as nodes:
            await nodes.limiters[0].spend("ana")
            await nodes.limiters[0].spend("ana")
            with pytest.raises(RateLimited):
                await nodes.limiters[0].spend("ana")

    with caplog.at_level(logging.WARNING, logger="reme.rates"):
        asyncio.run(ask())
    assert [record.name for record in caplog.records].count("reme.rates") == 1
    assert "canary" not in caplog.text

"""The shared cache on a cluster, and behind Sentinels whose master dies."""

import asyncio
from contextlib import closing

import numpy as np
import pytest

from app.backends.redis import rates as rates_module
from app.backends.redis import vectors as vectors_module
from app.backends.redis.connections import RedisPlace
from app.backends.redis.rates import RedisRates
from app.backends.redis.vectors import RedisVectorCache
from tests.app.redis.test_vectors import make_vector
from tests.servers.valkey import ValkeyCluster, ValkeySentinels
from tests.servers.waiting import PATIENCE_S, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("valkey-several")]
KEYS = [number.to_bytes(16, "big") for number in range(60)]


def test_a_cluster_keeps_vectors_and_counts(valkey_cluster: ValkeyCluster) -> None:
    place = RedisPlace(
        nodes=tuple(f"{host}:{port}" for host, port in valkey_cluster.addresses), mode="cluster", timeout_s=PATIENCE_S
    )
    with closing(RedisVectorCache(place)) as one, closing(RedisVectorCache(place)) as other:
        one.keep({key: make_vector(number) for number, key in enumerate(KEYS)})
        known = other.recall(KEYS, dimensions=64)
    assert set(known) == set(KEYS)
    assert all(np.array_equal(known[key], make_vector(number)) for number, key in enumerate(KEYS))

    async def ask() -> list[float | None]:
        rates = RedisRates(place, requests_per_minute=1)
        try:
            return [await rates.spend(caller) for caller in ("ana", "ben", "eva", "ana", "ben", "eva")]
        finally:
            await rates.close()

    waits = asyncio.run(ask())
    assert waits[:3] == [0, 0, 0]
    assert all(wait is not None and 0 < wait <= 60 for wait in waits[3:])


def test_a_new_master_is_found_after_the_old_one_died(
    valkey_sentinels: ValkeySentinels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors_module, "PAUSE_S", 0.2)
    monkeypatch.setattr(rates_module, "PAUSE_S", 0.2)
    place = RedisPlace(
        nodes=tuple(f"{host}:{port}" for host, port in valkey_sentinels.addresses),
        mode="sentinel",
        service_name=valkey_sentinels.service_name,
        timeout_s=60.0,
    )

    async def spend() -> float | None:
        rates = RedisRates(place, requests_per_minute=600)
        try:
            return await rates.spend("ana")
        finally:
            await rates.close()

    with closing(RedisVectorCache(place)) as cache:
        cache.keep({KEYS[0]: make_vector(0)})
        assert cache.recall(KEYS[:1], dimensions=64)
        assert asyncio.run(spend()) == 0
        valkey_sentinels.primary.kill()
        valkey_sentinels.wait_for_replica()

        def works_again() -> bool:
            cache.keep({KEYS[1]: make_vector(1)})
            return KEYS[1] in cache.recall(KEYS[1:2], dimensions=64) and asyncio.run(spend()) == 0

        wait_until(works_again, "the new primary to be used")

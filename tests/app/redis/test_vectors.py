"""Embeddings that nodes share, on a real server."""

import logging
from contextlib import closing

import numpy as np
import pytest
import redis

from app.backends.redis import vectors as vectors_module
from app.backends.redis.connections import RedisPlace
from app.backends.redis.vectors import FAILURES, RedisVectorCache
from tests.servers.valkey import ValkeyServer
from tests.servers.waiting import PATIENCE_S

KEYS = [bytes([number]) * 16 for number in range(4)]


def make_vector(seed: int, dimensions: int = 64) -> np.ndarray:
    vector = np.random.default_rng(seed).standard_normal(dimensions).astype(np.float32)
    return vector / np.linalg.norm(vector)


@pytest.fixture
def place(valkey_server: ValkeyServer) -> RedisPlace:
    redis.Redis.from_url(valkey_server.url).flushdb()
    return RedisPlace(nodes=(f"{valkey_server.host}:{valkey_server.port}",), timeout_s=PATIENCE_S)


def test_what_one_node_keeps_another_recalls_bit_by_bit(place: RedisPlace) -> None:
    with closing(RedisVectorCache(place)) as one, closing(RedisVectorCache(place)) as other:
        one.keep({key: make_vector(number) for number, key in enumerate(KEYS[:3])})
        known = other.recall(KEYS, dimensions=64)
        assert set(known) == set(KEYS[:3])
        for number, key in enumerate(KEYS[:3]):
            assert np.array_equal(known[key], make_vector(number))
            assert not known[key].flags.writeable


def test_prefixes_and_dimensions_are_kept_apart(place: RedisPlace) -> None:
    with closing(RedisVectorCache(place, prefix="a:")) as one, closing(RedisVectorCache(place, prefix="b:")) as other:
        one.keep({KEYS[0]: make_vector(1)})
        assert other.recall(KEYS, dimensions=64) == {}
        assert one.recall(KEYS, dimensions=32) == {}


def test_what_does_not_read_as_it_was_written_is_not_known(place: RedisPlace) -> None:
    with closing(RedisVectorCache(place)) as cache:
        cache.keep({KEYS[0]: make_vector(1)})
        client = redis.Redis.from_url(f"redis://{place.nodes[0]}")
        [name] = client.keys("*")
        client.setrange(name, 20, b"\xff")
        assert cache.recall(KEYS, dimensions=64) == {}


def test_a_vector_that_nobody_asks_for_is_forgotten(place: RedisPlace) -> None:
    with closing(RedisVectorCache(place, keep_days=2)) as cache:
        cache.keep({KEYS[0]: make_vector(1)})
        client = redis.Redis.from_url(f"redis://{place.nodes[0]}")
        [name] = client.keys("*")
        client.expire(name, 100)
        assert cache.recall(KEYS, dimensions=64)
        assert 2 * 86_400 - 60 < client.ttl(name) <= 2 * 86_400


def test_many_vectors_go_in_parts(place: RedisPlace) -> None:
    keys = [number.to_bytes(16, "big") for number in range(1_200)]
    with closing(RedisVectorCache(place)) as cache:
        cache.keep({key: make_vector(number, 8) for number, key in enumerate(keys)})
        assert set(cache.recall(keys, dimensions=8)) == set(keys)


def test_a_server_that_is_away_is_no_failure_and_is_told_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors_module, "PAUSE_S", 600.0)  # told once in each pause, however long this takes
    place = RedisPlace(nodes=("127.0.0.1:9",), password="canary-password", timeout_s=0.2)  # noqa: S106
    with closing(RedisVectorCache(place)) as cache, caplog.at_level(logging.WARNING, logger="reme.embeddings"):
        for _ in range(3 * FAILURES):
            assert cache.recall(KEYS, dimensions=64) == {}
        cache.keep({KEYS[0]: make_vector(1)})
    assert [record.name for record in caplog.records].count("reme.embeddings") == 1
    assert "canary" not in caplog.text + repr(place) + str(place)
    assert "127.0.0.1:9" in caplog.text

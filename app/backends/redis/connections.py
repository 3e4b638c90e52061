"""Clients of one server, of a Sentinel's master, or of a cluster; nothing is connected until it is used."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import redis
import redis.asyncio
from redis.asyncio.cluster import ClusterNode as AsyncClusterNode
from redis.backoff import ExponentialWithJitterBackoff
from redis.cluster import ClusterNode

from app.errors import SettingsError

ATTEMPTS = 2
"""Tries of a call after the first: a master that was replaced is found with the next."""
FAULTS = (redis.RedisError, OSError)
"""What a client raises where the server does not answer or refuses."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RedisPlace:
    """Where the server is: host:port of the one server, of Sentinels, or of members of a cluster.

    `timeout_s` is for a connection and for an answer. The password stays out of the repr.
    """

    nodes: tuple[str, ...]
    mode: Literal["single", "sentinel", "cluster"] = "single"
    service_name: str = "mymaster"
    username: str = ""
    password: str = field(default="", repr=False)
    ssl: bool = False
    database: int = 0
    timeout_s: float = 1.0

    def __str__(self) -> str:
        return f"{self.mode} {', '.join(self.nodes)}"


def open_client(place: RedisPlace, *, attempts: int = ATTEMPTS) -> Any:
    """A client for threads, which tries a call so many times after the first.

    Raises `SettingsError` for a cluster's database other than 0.
    """
    options = _options(place)
    if place.mode == "cluster":
        _check_database(place)
        nodes = [ClusterNode(host, port) for host, port in _split(place.nodes)]  # type: ignore[no-untyped-call]
        return _LazyCluster(nodes, options)
    options["retry"] = redis.retry.Retry(ExponentialWithJitterBackoff(cap=0.5, base=0.05), attempts)
    if place.mode == "sentinel":
        sentinel: Any = redis.Sentinel(_split(place.nodes), sentinel_kwargs=_sentinel_options(place), **options)  # type: ignore[no-untyped-call]
        return sentinel.master_for(place.service_name, db=place.database)
    host, port = _split(place.nodes)[0]
    return redis.Redis(host=host, port=port, db=place.database, **options)


def open_async_client(place: RedisPlace) -> Any:
    """A client for the event loop; it may be opened outside of one."""
    options = _options(place)
    if place.mode == "cluster":
        _check_database(place)
        nodes = [AsyncClusterNode(host, port) for host, port in _split(place.nodes)]
        return redis.asyncio.RedisCluster(startup_nodes=nodes, **options)
    options["retry"] = redis.asyncio.retry.Retry(ExponentialWithJitterBackoff(cap=0.5, base=0.05), ATTEMPTS)
    if place.mode == "sentinel":
        sentinel: Any = redis.asyncio.Sentinel(  # type: ignore[no-untyped-call]
            _split(place.nodes), sentinel_kwargs=_sentinel_options(place), **options
        )
        return sentinel.master_for(place.service_name, db=place.database)
    host, port = _split(place.nodes)[0]
    return redis.asyncio.Redis(host=host, port=port, db=place.database, **options)


async def close_async_client(client: Any) -> None:
    """Let go of a client's connections, and of those to Sentinels."""
    if isinstance(client, redis.asyncio.RedisCluster):
        await client.aclose()
        return
    await client.aclose(close_connection_pool=True)
    manager = getattr(client.connection_pool, "sentinel_manager", None)
    for sentinel in manager.sentinels if manager is not None else ():
        await sentinel.aclose(close_connection_pool=True)


class _LazyCluster:
    """A cluster's client asks for the members as soon as it is made; this waits for the first use."""

    def __init__(self, nodes: list[ClusterNode], options: dict[str, Any]) -> None:
        self._nodes, self._options = nodes, options
        self._client: redis.RedisCluster | None = None

    def __getattr__(self, name: str) -> Any:
        if self._client is None:
            self._client = redis.RedisCluster(startup_nodes=self._nodes, **self._options)
        return getattr(self._client, name)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def _options(place: RedisPlace) -> dict[str, Any]:
    return {
        "username": place.username or None,
        "password": place.password or None,
        "ssl": place.ssl,
        "socket_timeout": place.timeout_s,
        "socket_connect_timeout": place.timeout_s,
    }


def _sentinel_options(place: RedisPlace) -> dict[str, Any]:
    return {name: value for name, value in _options(place).items() if name not in ("username", "password")}


def _check_database(place: RedisPlace) -> None:
    if place.database:
        raise SettingsError(f"cache.database={place.database} does not exist in a cluster: leave it out")


def _split(nodes: Sequence[str]) -> list[tuple[str, int]]:
    pairs = [node.rpartition(":") for node in nodes]
    return [(host.strip("[]"), int(port)) for host, _, port in pairs]

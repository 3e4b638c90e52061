"""The vector indexes that are held to the contract. A new one adds a line to each table that fits."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import pytest

from app.backends.chroma import open_index as open_chroma_index
from app.backends.elasticsearch import open_index as open_elasticsearch_index
from app.backends.memory.vector_index import RamVectorIndex
from app.ports import VectorIndex
from tests.app.indexes import qdrant_backends
from tests.servers.waiting import PATIENCE_S

Factory: TypeAlias = Callable[[pytest.FixtureRequest, str], VectorIndex]
"""Opens a client of the collection of a name on the server of a fixture: `request.getfixturevalue("…_server")`.

Called again with the same name it opens the same collection, as another process would.
"""

_in_ram: dict[str, RamVectorIndex] = {}


def open_ram(request: pytest.FixtureRequest, name: str) -> VectorIndex:
    """A client of the in-RAM index of a name."""
    if name not in _in_ram:
        request.addfinalizer(lambda: _in_ram.pop(name, None))
    return _in_ram.setdefault(name, RamVectorIndex(keywords=True)).connect()


def open_elasticsearch(request: pytest.FixtureRequest, name: str) -> VectorIndex:
    """A client of an index of one shard, which a test makes and removes in a fifth of the time of three."""
    server = request.getfixturevalue("elasticsearch_server")
    return open_elasticsearch_index(
        [server.url], index_name=name, number_of_shards=1, number_of_replicas=0, timeout_s=PATIENCE_S
    )


def open_chroma(request: pytest.FixtureRequest, name: str) -> VectorIndex:
    """A client of a collection in Chroma."""
    server = request.getfixturevalue("chroma_server")
    return open_chroma_index(server.host, server.port, name=name, search_timeout_s=PATIENCE_S, timeout_s=PATIENCE_S)


FACTORIES: Mapping[str, Factory] = {
    "ram": open_ram,
    "chroma": open_chroma,
    "elasticsearch": open_elasticsearch,
    **qdrant_backends.FACTORIES,
}
"""Every index, by the name of its backend; its tests run in one worker, which starts its server once."""

KEYWORDS = ("ram", "elasticsearch")
"""Those whose `abilities.keywords` is true."""

UNREACHABLE_PORT = 1
"""Nobody listens at this port of 127.0.0.1 (tcpmux, RFC 1078, which no machine of ours runs)."""

AWAY: Mapping[str, Callable[[], VectorIndex]] = {
    "chroma": lambda: open_chroma_index("127.0.0.1", UNREACHABLE_PORT, timeout_s=1.0, search_timeout_s=1.0),
    "elasticsearch": lambda: open_elasticsearch_index([f"http://127.0.0.1:{UNREACHABLE_PORT}"], timeout_s=1.0),
    **qdrant_backends.AWAY,
}
"""A client, with short timeouts, of an address at which nobody listens; for every index that has a server."""


def list_params(names: Iterable[str]) -> list[object]:
    """What to parametrise a fixture with."""
    return [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in names]

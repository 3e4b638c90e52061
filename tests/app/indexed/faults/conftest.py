"""A service, a server of its index, and a proxy on the way between them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from app import servers
from app.api import inventory, readiness
from app.backends.indexed import open_store
from tests.app.indexed.faults.servers import Beside, Chroma, ElasticSearch, Qdrant
from tests.app.indexed.faults.service import Service
from tests.servers.chroma import ChromaServer
from tests.servers.elasticsearch import ElasticsearchServer
from tests.servers.fixtures import run_server
from tests.servers.proxy import Proxy

OpenService = Callable[[], Service]
PAUSES: dict[str, Any] = {"look_s": 0.05, "pause_s": 0.3, "recovery_s": 0.3, "again_s": 0.3, "check_s": 0.3}
"""Pauses of the indexer that a test can wait for."""
SERVERS = [
    pytest.param("elasticsearch", marks=pytest.mark.xdist_group("elasticsearch")),
    pytest.param("chroma", marks=pytest.mark.xdist_group("chroma")),
    pytest.param("qdrant_rest", marks=pytest.mark.xdist_group("qdrant_rest")),
    pytest.param("qdrant_grpc", marks=pytest.mark.xdist_group("qdrant_grpc")),
]


@pytest.fixture(scope="module")
def killed_elasticsearch() -> Iterator[ElasticsearchServer]:
    """An Elasticsearch for the tests of one module, which other tests do not miss."""
    with run_server(ElasticsearchServer) as server:
        yield server


@pytest.fixture(scope="module")
def killed_chroma() -> Iterator[ChromaServer]:
    """A Chroma for the tests of one module."""
    with run_server(ChromaServer) as server:
        yield server


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Beside]:
    """The server of the index, which runs again after the test."""
    kind, _, transport = str(request.param).partition("_")
    with ExitStack() as stack:
        if kind == "qdrant":
            yield Qdrant(transport, stack)
            return
        running = request.getfixturevalue(f"killed_{kind}")
        yield Chroma(running) if isinstance(running, ChromaServer) else ElasticSearch(running)
        if not running.runs():
            running.start()


@pytest.fixture
def proxy(server: Beside) -> Iterator[Proxy]:
    """A proxy before the server."""
    with Proxy(server.host, server.port) as running:
        yield running


@pytest.fixture
def name() -> str:
    """A name of the collection that no other test has."""
    return f"t{token_hex(6)}"


@pytest.fixture
def open_service(
    server: Beside, proxy: Proxy, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OpenService]:
    """Starts the service; its collection is dropped at the end."""
    monkeypatch.setattr(servers, "open_indexed", partial(open_store, **PAUSES))
    monkeypatch.setattr(inventory, "REMEMBER_S", 0.0)
    monkeypatch.setattr(readiness, "REMEMBER_S", 0.0)
    with ExitStack() as stack:

        def open_one() -> Service:
            service = Service(tmp_path, server.describe(proxy.host, proxy.port, name))
            stack.enter_context(service.client)
            stack.callback(service.beside.collection.index.drop)
            return service

        yield open_one

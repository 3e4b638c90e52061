"""Whole services over one database, each with its interfaces, its background work and a working directory."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.backends.embedders.hashing import HashingEmbedder
from tests.app.api.world import make_app, make_client
from tests.app.databases import new_store_database
from tests.servers.postgres import Databases

StartNode = Callable[..., TestClient]
Nodes = tuple[TestClient, TestClient]


@pytest.fixture
def dsn(postgres_server: Databases) -> Iterator[str]:
    """The address of a database with an empty store."""
    made = new_store_database(postgres_server, HashingEmbedder().identity)
    yield made
    postgres_server.drop_database(made)


@pytest.fixture
def start_node(dsn: str, tmp_path: Path) -> Iterator[StartNode]:
    """Starts a service with the settings given and ends it after the test; long texts are in a folder of all nodes."""
    with ExitStack() as running:
        count = 0

        def start(**sections: Any) -> TestClient:
            nonlocal count
            count += 1
            settings: dict[str, Any] = {
                "store": {"backend": "postgres"},
                "postgres": {"connection_string": dsn, "min_pool_size": 2},
                "storage": {"base_path": tmp_path / "texts"},
                **sections,
            }
            client = running.enter_context(make_client(make_app(tmp_path / f"node-{count}", **settings)))
            # The framework prepares its routes when it is first asked, and hides warnings of that from one thread only.
            assert client.get("/no-such-address").status_code == 404
            return client

        yield start


@pytest.fixture
def nodes(start_node: StartNode) -> Nodes:
    """Two services of one database, to which a caller on this machine needs no key."""
    return start_node(), start_node()

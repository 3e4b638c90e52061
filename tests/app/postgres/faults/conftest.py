"""Stores of a server that fails: with short timeouts, on a clock that runs."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from app.backends.clock import SystemClock
from app.backends.postgres import PostgresStore, open_store
from tests.durability.workload import IDENTITY
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import Proxy

OpenStore = Callable[..., PostgresStore]
CONNECT_S, STATEMENT_S = 2.0, 3.0
"""Long enough for a busy machine, short enough for errors to come while a test waits."""


@pytest.fixture
def open_node() -> Iterator[OpenStore]:
    """Opens the store of an address; all are closed after the test."""
    with ExitStack() as opened:

        def open_one(dsn: str, **settings: Any) -> PostgresStore:
            wanted = {"connect_timeout_s": CONNECT_S, "statement_timeout_s": STATEMENT_S, **settings}
            store = open_store(dsn, identity=IDENTITY, clock=SystemClock(), **wanted)
            opened.callback(store.close)
            return store

        yield open_one


@pytest.fixture
def dsn(own_postgres: PostgresServer) -> str:
    """An empty database of the server that is going to fail."""
    return own_postgres.new_database()


@pytest.fixture
def proxy(own_postgres: PostgresServer) -> Iterator[Proxy]:
    """A proxy before the server."""
    with Proxy(own_postgres.host, own_postgres.port) as running:
        yield running

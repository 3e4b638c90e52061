"""Stores of a server that fails, on a clock that runs."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from app.backends.clock import SystemClock
from app.backends.postgres import PostgresStore, open_store
from tests.app.databases import PATIENT
from tests.durability.workload import IDENTITY
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import Proxy

OpenStore = Callable[..., PostgresStore]
HASTY = {**PATIENT, "connect_timeout_s": 2.0}
"""Told soon, as a test needs it, that the server is away; who waits for a lock is not."""
HASTIER = {"connect_timeout_s": 2.0, "statement_timeout_s": 3.0}
"""Told soon too that the server says nothing."""


@pytest.fixture
def open_node() -> Iterator[OpenStore]:
    """Opens the store of an address, which waits for as long as it takes unless told otherwise; all are closed at the end."""
    with ExitStack() as opened:

        def open_one(dsn: str, **settings: Any) -> PostgresStore:
            store = open_store(dsn, identity=IDENTITY, clock=SystemClock(), **{**PATIENT, **settings})
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

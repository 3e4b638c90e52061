"""Nodes: stores over one database, each with connections of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from app.backends.clock import SteppingClock
from app.backends.postgres import PostgresStore, open_store
from tests.app.contract.samples import IDENTITY
from tests.app.databases import PATIENT, new_store_database
from tests.servers.postgres import Databases

OpenNode = Callable[[], PostgresStore]
Nodes = tuple[PostgresStore, PostgresStore]


@pytest.fixture
def clock() -> SteppingClock:
    """The clock of all nodes; it stands still until a test steps it."""
    return SteppingClock()


@pytest.fixture
def dsn(postgres_server: Databases) -> Iterator[str]:
    """The address of a database with an empty store."""
    made = new_store_database(postgres_server, IDENTITY)
    yield made
    postgres_server.drop_database(made)


@pytest.fixture
def open_node(dsn: str, clock: SteppingClock) -> Iterator[OpenNode]:
    """Opens a node of the database; all are closed after the test."""
    with ExitStack() as opened:

        def open_one() -> PostgresStore:
            node = open_store(dsn, identity=IDENTITY, clock=clock, min_pool_size=2, **PATIENT)
            opened.callback(node.close)
            return node

        yield open_one


@pytest.fixture
def nodes(open_node: OpenNode) -> Nodes:
    """Two nodes of one database."""
    return open_node(), open_node()

"""Databases of the store, and short ways to use them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest

from app.backends.clock import SteppingClock
from app.backends.postgres import PostgresStore, open_store
from app.backends.postgres.connections import Database
from app.backends.postgres.sessions import read_address
from app.backends.postgres.statements import Connection, select_rows
from app.errors import StoreUnavailable
from tests.app.contract.samples import IDENTITY
from tests.app.databases import new_store_database
from tests.servers.postgres import Databases
from tests.servers.waiting import PATIENCE_S

OpenDatabase = Callable[..., Database]
OpenNode = Callable[..., PostgresStore]


@pytest.fixture
def dsn(postgres_server: Databases) -> Iterator[str]:
    """The address of an empty store."""
    made = new_store_database(postgres_server, IDENTITY)
    yield made
    postgres_server.drop_database(made)


@pytest.fixture
def open_database(dsn: str) -> Iterator[OpenDatabase]:
    """Opens connections to the database, or to the one at another address; all are closed after the test."""
    with ExitStack() as opened:

        def open_one(
            at: str = dsn, *, connections: int = 3, connect_s: float = PATIENCE_S, statement_s: float = PATIENCE_S
        ) -> Database:
            address = read_address(at, connect_timeout_s=connect_s, statement_timeout_s=statement_s)
            database = Database(address, min_pool_size=1, max_pool_size=connections)
            opened.callback(database.close)
            return database

        yield open_one


@pytest.fixture
def open_node(dsn: str) -> Iterator[OpenNode]:
    """Opens a store over the database, or over the one at another address; all are closed after the test."""
    with ExitStack() as opened:

        def open_one(at: str = dsn, **settings: Any) -> PostgresStore:
            wanted = {"min_pool_size": 1, "connect_timeout_s": PATIENCE_S, **settings}
            store = open_store(at, identity=IDENTITY, clock=SteppingClock(), **wanted)
            opened.callback(store.close)
            return store

        yield open_one


def count_up(connection: Connection) -> int:
    """A write whose repetition shows: adds one to a number in the database and returns it."""
    ((number,),) = select_rows(
        connection,
        "INSERT INTO store_facts VALUES ('number', '1')"
        " ON CONFLICT (name) DO UPDATE SET value = (store_facts.value::integer + 1)::text RETURNING value::integer",
    )
    return int(number)


def read_number(connection: Connection) -> int:
    """What `count_up` has come to."""
    rows = select_rows(connection, "SELECT value::integer FROM store_facts WHERE name = 'number'")
    return int(rows[0][0]) if rows else 0


def succeeds(database: Database) -> bool:
    """Whether a write goes through."""
    return _goes_through(lambda: database.write(count_up))


def answers(database: Database) -> bool:
    """Whether a reading gets through, after which a connection is open."""
    return _goes_through(lambda: database.ask(read_number))


def _goes_through(call: Callable[[], object]) -> bool:
    try:
        call()
    except StoreUnavailable:
        return False
    return True


def administer(dsn: str, sql: str) -> list[tuple[Any, ...]]:
    """Run a statement on a connection of its own."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else []


def terminate_all(dsn: str) -> int:
    """Let the server end every session of the service with a database; returns how many they were."""
    return len(
        administer(
            dsn,
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'reme-cloud'",
        )
    )

"""The schema of a database: who brings it up to date, and what is refused at a start."""

import multiprocessing
from collections.abc import Iterator
from secrets import token_hex

import psycopg
import pytest

from app.backends.clock import SteppingClock
from app.backends.postgres import open_store, schema
from app.errors import SchemaTooNew, SettingsError, StoreError
from tests.app.contract.samples import IDENTITY
from tests.app.postgres.database.conftest import OpenNode, administer
from tests.servers.postgres import Databases

VERSIONS = [version for version, _, _ in schema.list_migrations()]


@pytest.fixture
def empty(postgres_server: Databases) -> Iterator[str]:
    """The address of a database without anything."""
    made = postgres_server.new_database()
    yield made
    postgres_server.drop_database(made)


def open_here(dsn: str) -> list[str]:
    """Open a store in this process, and close it."""
    store = open_store(dsn, identity=IDENTITY, clock=SteppingClock(), min_pool_size=1)
    store.close()
    return [str(fact) for (fact,) in administer(dsn, "SELECT value FROM store_facts ORDER BY name")]


@pytest.mark.slow
def test_processes_migrate_a_new_database_together(empty: str) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(3) as pool:
        facts = pool.map_async(open_here, [empty] * 3).get(120)
    assert facts[0] == facts[1] == facts[2]
    rows = administer(empty, "SELECT version, applied_at FROM migrations ORDER BY version")
    assert [version for version, _ in rows] == VERSIONS


def test_migrations_are_numbered_without_a_gap() -> None:
    assert list(range(1, len(VERSIONS) + 1)) == VERSIONS


def test_a_store_that_is_up_to_date_is_not_migrated(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        assert schema.prepare(connection, now_ms=0) == ()
        connection.execute("SET default_transaction_read_only = on")
        assert schema.prepare(connection, now_ms=0) == ()


def test_a_failed_migration_leaves_nothing(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = [*schema.list_migrations(), (99, "0099_broken.sql", "CREATE TABLE half (); SELECT 1 / 0")]
    with psycopg.connect(empty, autocommit=True) as connection:
        monkeypatch.setattr(schema, "list_migrations", lambda: broken)
        with pytest.raises(psycopg.errors.DivisionByZero):
            schema.prepare(connection, now_ms=0)
        assert administer(empty, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == [(0,)]
        monkeypatch.undo()
        assert list(schema.prepare(connection, now_ms=0)) == VERSIONS


def test_a_newer_schema_is_refused(dsn: str, open_node: OpenNode) -> None:
    administer(dsn, "INSERT INTO migrations VALUES (99, '0099_later.sql', 'x', 0)")
    with pytest.raises(SchemaTooNew, match="schema version 99"):
        open_node()


def test_another_migration_of_the_same_number_is_refused(dsn: str, open_node: OpenNode) -> None:
    administer(dsn, "UPDATE migrations SET sha256 = 'x' WHERE version = 2")
    with pytest.raises(StoreError, match="migration 0002"):
        open_node()


@pytest.mark.parametrize(("version", "is_old"), [(140_012, True), (90_624, True), (150_000, False), (180_004, False)])
def test_an_old_server_is_refused(version: int, is_old: bool) -> None:
    if is_old:
        with pytest.raises(SettingsError, match="15 or newer is needed"):
            schema.check_server(version)
    else:
        schema.check_server(version)


@pytest.mark.parametrize(
    ("offered", "message"),
    [
        ("SELECT 'other'::name AS name, '1.0' AS default_version, NULL::text AS installed_version", "has no pgvector"),
        ("SELECT 'vector'::name AS name, '0.6.2' AS default_version, NULL::text AS installed_version", "0.8 or newer"),
        ("SELECT 'vector'::name AS name, '0.8.5' AS default_version, '0.5.1' AS installed_version", "ALTER EXTENSION"),
    ],
    ids=["missing", "old", "old in this database"],
)
def test_a_server_without_a_fit_pgvector_is_refused(empty: str, offered: str, message: str) -> None:
    """The server's list of extensions is hidden by a view of its name, which tells of another server."""
    administer(empty, f"CREATE SCHEMA told; CREATE VIEW told.pg_available_extensions AS {offered}")
    with psycopg.connect(empty, autocommit=True, options="-csearch_path=told,pg_catalog,public") as connection:
        with pytest.raises(SettingsError, match=message):
            schema.prepare(connection, now_ms=0)
        assert administer(empty, "SELECT to_regclass('public.migrations')") == [(None,)]


def test_a_user_who_may_not_create_the_extension_is_told_what_to_do(empty: str, postgres_server: Databases) -> None:
    role = f"reme_{token_hex(4)}"
    administer(empty, f"CREATE ROLE {role}")
    administer(empty, f"GRANT CREATE ON SCHEMA public TO {role}")
    try:
        with psycopg.connect(empty, autocommit=True) as connection:
            connection.execute(f"SET ROLE {role}")
            with pytest.raises(SettingsError, match="CREATE EXTENSION vector"):
                schema.prepare(connection, now_ms=0)
            administer(empty, "CREATE EXTENSION vector")
            assert list(schema.prepare(connection, now_ms=0)) == VERSIONS
    finally:
        postgres_server.drop_database(empty)
        administer(postgres_server.admin_dsn, f"DROP ROLE {role}")

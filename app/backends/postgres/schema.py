"""Brings a database's schema to this release's version, one recorded migration at a time."""

import re
from hashlib import sha256
from importlib.resources import files
from secrets import token_hex
from typing import TypeAlias

from psycopg.errors import InsufficientPrivilege

from app.backends.postgres.locks import lock_schema
from app.backends.postgres.statements import Connection, select_row, select_rows
from app.errors import SchemaTooNew, SettingsError, StoreError

Migration: TypeAlias = tuple[int, str, str]

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")

MINIMUM_SERVER = 15
"""The oldest release that is tested; the community ends its support of 14 in November 2026."""
MINIMUM_VECTOR = (0, 8)
"""pgvector has half precision (halfvec) from 0.7 on, and scans that go on below a filter from 0.8 on."""


def list_migrations() -> list[Migration]:
    """Version, file name and SQL of every migration that this release knows, in order."""
    folder = files("app.backends.postgres") / "migrations"
    found = [(match, entry) for entry in folder.iterdir() if (match := _NAME.fullmatch(entry.name))]
    return sorted((int(match[1]), entry.name, entry.read_text(encoding="utf-8")) for match, entry in found)


def prepare(connection: Connection, *, now_ms: int) -> tuple[int, ...]:
    """Check the server and apply what is missing in one transaction; returns the versions applied.

    The connection is in autocommit mode. Raises `SettingsError` for a server or a pgvector that is too old or missing,
    `SchemaTooNew` for a database of a newer release, and `StoreError` where an applied migration differs from this
    release's. A database that is up to date is only read.
    """
    check_server(connection.info.server_version)
    known = list_migrations()
    if not _list_missing(connection, known):
        return ()
    with connection.transaction():
        lock_schema(connection)
        missing = _list_missing(connection, known)  # another process may have been first
        if missing:
            _provide_vector(connection)
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations"
            " (version integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, applied_at bigint NOT NULL)"
        )
        for version, name, sql in missing:
            connection.execute(sql)
            connection.execute("INSERT INTO migrations VALUES (%s, %s, %s, %s)", (version, name, _digest(sql), now_ms))
        _ensure_facts(connection)
    return tuple(version for version, _, _ in missing)


def check_server(version: int) -> None:
    """Raise `SettingsError` for a server, by libpq's number of its version, that is too old."""
    if version // 10_000 < MINIMUM_SERVER:
        raise SettingsError(
            f"the server is PostgreSQL {version // 10_000}: {MINIMUM_SERVER} or newer is needed; upgrade it"
        )


def _provide_vector(connection: Connection) -> None:
    """Have pgvector in the database."""
    row = select_row(
        connection,
        "SELECT default_version, installed_version FROM pg_available_extensions WHERE name = 'vector'",
    )
    if row is None:
        raise SettingsError(
            "the server has no pgvector: install its package (Debian and Ubuntu: postgresql-NN-pgvector), or let the "
            "provider enable the extension `vector`"
        )
    offered, installed = row
    if _read_version(installed or offered) < MINIMUM_VECTOR:
        raise SettingsError(
            f"pgvector is {installed or offered}: {'.'.join(map(str, MINIMUM_VECTOR))} or newer is needed; upgrade its "
            "package, then run ALTER EXTENSION vector UPDATE in the database"
        )
    if installed is None:
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except InsufficientPrivilege:
            raise SettingsError(
                "the service's user may not create the extension: run CREATE EXTENSION vector in the database as a "
                "superuser"
            ) from None


def _read_version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def _list_missing(connection: Connection, known: list[Migration]) -> list[Migration]:
    """The migrations that a database lacks."""
    begun = select_row(connection, "SELECT to_regclass('migrations')") != (None,)
    present: dict[int, str] = dict(select_rows(connection, "SELECT version, sha256 FROM migrations") if begun else ())
    newest = known[-1][0]
    if max(present, default=0) > newest:
        raise SchemaTooNew(
            f"the database has schema version {max(present)}, this release knows {newest}: upgrade reme-cloud, "
            "or restore the backup made before the upgrade"
        )
    digests = {version: _digest(sql) for version, _, sql in known}
    strange = [version for version, digest in sorted(present.items()) if digests.get(version) != digest]
    if strange:
        raise StoreError(
            f"migration {strange[0]:04d} of the database differs from this release's: take the release that made the "
            "database, or restore its backup"
        )
    return [each for each in known if each[0] not in present]


def _digest(sql: str) -> str:
    return sha256(sql.encode()).hexdigest()


def _ensure_facts(connection: Connection) -> None:
    """Give a store the facts that every store has."""
    for name, value in (("node_id", token_hex(8)), ("generation", "1")):
        connection.execute("INSERT INTO store_facts VALUES (%s, %s) ON CONFLICT DO NOTHING", (name, value))


def read_fact(connection: Connection, name: str) -> str | None:
    """A fact about the store as a whole, or None."""
    row = select_row(connection, "SELECT value FROM store_facts WHERE name = %s", (name,))
    return None if row is None else str(row[0])


def write_fact(connection: Connection, name: str, value: str | None) -> None:
    """Keep a fact about the store as a whole; None removes it."""
    if value is None:
        connection.execute("DELETE FROM store_facts WHERE name = %s", (name,))
    else:
        connection.execute(
            "INSERT INTO store_facts VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )

"""Brings a store's schema to this release's version, one recorded migration at a time."""

import re
from hashlib import sha256
from importlib.resources import files
from secrets import token_hex

import apsw
import numpy as np

from app.backends.sqlite.statements import select_number, select_row, select_rows
from app.backends.sqlite.vectors import sign_stored
from app.errors import SchemaTooNew, StoreError

_SIGNS, SIGNS = "signs", "2"
"""How the store's signs were taken: 2 is after a rotation, which a store without this fact lacks."""
_PART = 5_000
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


def list_migrations() -> list[tuple[int, str, str]]:
    """Version, file name and SQL of every migration that this release knows, in order."""
    folder = files("app.backends.sqlite") / "migrations"
    found = [(match, entry) for entry in folder.iterdir() if (match := _NAME.fullmatch(entry.name))]
    return sorted((int(match[1]), entry.name, entry.read_text(encoding="utf-8")) for match, entry in found)


def migrate(connection: apsw.Connection, *, now_ms: int) -> tuple[int, ...]:
    """Apply what is missing, each with its record in one transaction, and return the versions applied.

    Raises `SchemaTooNew` for a store of a newer release, and `StoreError` where an applied
    migration differs from this release's. A store that is up to date is only read, so that it opens
    while another process writes.
    """
    known = list_migrations()
    if not _list_missing(connection, known) and read_fact(connection, _SIGNS) == SIGNS:
        return ()
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations"
            " (version INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at INTEGER NOT NULL)"
        )
        missing = _list_missing(connection, known)  # another process may have been first
        for version, name, sql in missing:
            connection.execute(sql)
            connection.execute("INSERT INTO migrations VALUES (?, ?, ?, ?)", (version, name, _digest(sql), now_ms))
        if read_fact(connection, _SIGNS) != SIGNS:
            _sign_anew(connection)
        ensure_facts(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return tuple(version for version, _, _ in missing)


def _list_missing(connection: apsw.Connection, known: list[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
    """The migrations that a store lacks."""
    check_version(connection)
    present = _list_present(connection)
    if strange := list_strange(connection):
        raise StoreError(
            f"migration {strange[0]:04d} of the store differs from this release's: if no file was edited, stop the "
            "service and run `reme doctor`"
        )
    return [each for each in known if each[0] not in present]


def _list_present(connection: apsw.Connection) -> dict[int, str]:
    """The digests of a store's migrations by version."""
    begun = select_row(connection, "SELECT 1 FROM sqlite_schema WHERE name = 'migrations'")
    return dict(select_rows(connection, "SELECT version, sha256 FROM migrations")) if begun else {}


def list_strange(connection: apsw.Connection) -> list[int]:
    """The versions in a store's record of migrations that are not this release's of the same number."""
    known = {version: _digest(sql) for version, _, sql in list_migrations()}
    return [version for version, digest in _list_present(connection).items() if known.get(version) != digest]


def check_version(connection: apsw.Connection) -> None:
    """Raise `SchemaTooNew` for a store whose schema is of a newer release than this one."""
    begun = select_row(connection, "SELECT 1 FROM sqlite_schema WHERE name = 'migrations'")
    # A number that its own name contradicts tells of damage, not of a newer release.
    newer = "SELECT coalesce(max(version), 0) FROM migrations WHERE name LIKE printf('%04d%%', version)"
    version, newest = select_number(connection, newer) if begun else 0, list_migrations()[-1][0]
    if version > newest:
        raise SchemaTooNew(
            f"the store has schema version {version}, this release knows {newest}: upgrade reme-cloud, "
            "or restore the backup made before the upgrade"
        )


def _digest(sql: str) -> str:
    return sha256(sql.encode()).hexdigest()


def ensure_facts(connection: apsw.Connection) -> None:
    """Give a store the facts that every store has."""
    connection.execute("INSERT OR IGNORE INTO store_facts VALUES ('node_id', ?)", (token_hex(8),))
    connection.execute("INSERT OR IGNORE INTO store_facts VALUES ('generation', '1')")
    connection.execute("INSERT OR IGNORE INTO store_facts VALUES (?, ?)", (_SIGNS, SIGNS))


def _sign_anew(connection: apsw.Connection) -> None:
    """Take the signs of every vector anew: a release before took them another way."""
    reached = (-1, -1)
    while True:
        part = select_rows(
            connection,
            "SELECT b.workspace, b.number, v.embedding FROM chunks_bits_default b"
            " JOIN chunks_vec_default v ON v.number = b.number"
            " WHERE (b.workspace, b.number) > (?, ?) ORDER BY b.workspace, b.number LIMIT ?",
            (*reached, _PART),
        )
        if not part:
            break
        connection.executemany(
            "UPDATE chunks_bits_default SET bits = ? WHERE workspace = ? AND number = ?",
            [
                (sign_stored(np.frombuffer(stored, "<f2")), workspace, number)
                for workspace, number, stored in part
                if len(stored) % 2 == 0  # another one is damaged: `reme doctor` finds it
            ],
        )
        reached = part[-1][:2]
    write_fact(connection, _SIGNS, SIGNS)


def read_fact(connection: apsw.Connection, name: str) -> str | None:
    """A fact about the store as a whole, or None."""
    row = select_row(connection, "SELECT value FROM store_facts WHERE name = ?", (name,))
    return None if row is None else str(row[0])


def write_fact(connection: apsw.Connection, name: str, value: str | None) -> None:
    """Keep a fact about the store as a whole; None removes it."""
    if value is None:
        connection.execute("DELETE FROM store_facts WHERE name = ?", (name,))
    else:
        connection.execute("INSERT OR REPLACE INTO store_facts VALUES (?, ?)", (name, value))

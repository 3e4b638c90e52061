"""Repairs a store: derived rows are made anew, and what still reads of a damaged file is saved into a new one."""

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import apsw

from app.backends.sqlite.connections import Pragmas, open_connection
from app.backends.sqlite.derived import DerivedRows
from app.backends.sqlite.doctor import FOREIGN, WRONG_VECTOR, Finding, examine_connection, list_unsound_facts
from app.backends.sqlite.faults import UNREADABLE, translated
from app.backends.sqlite.ledger import SUMMED
from app.backends.sqlite.rows import COLUMNS, read_memory
from app.backends.sqlite.salvage import read_by_number, read_memories
from app.backends.sqlite.schema import ensure_facts, migrate
from app.backends.sqlite.statements import Row, select_row, select_rows
from app.backends.sqlite.tallies import write_tally
from app.backends.tallies import Tally
from app.errors import StoreBusy, StoreError

PRIMARY_TABLES = (
    "store_facts",
    "store_clock",
    "workspaces",
    "users",
    "files_default",
    "chunks_default",
    "chunks_vec_default",
    "receipts",
    "api_keys",
    "jobs",
    "usage_daily",
    "ledger_entries",
    "ledger_reservations",
    "workspace_caps",
    "offloads",
)
"""The tables that cannot be made from others."""
_BATCH = 1000


def repair(path: Path) -> tuple[Finding, ...]:
    """Mend what can be mended and return what it was; () for a sound store, which is left alone.

    The file as it was is copied to `memory.db.<time>.bak` first. The service must be stopped:
    `StoreBusy` otherwise. `SchemaTooNew` for a store of a newer release. Memories that do not read any more are listed
    as lost, not repairable.
    """
    if not path.is_file():
        raise StoreError(f"there is no store at {path}: check the working directory")
    with translated():
        connection = _open_alone(path)
        try:
            found = list(examine_connection(connection))
            if not found:
                return ()
            _copy_aside(path)
            if any(finding.check == "pages" for finding in found):
                found += _save_into_new(connection, path)
            else:
                with connection:
                    _drop_unreadable(connection)
                    _restore_owners(connection)
                rebuild_derived(connection)
        finally:
            connection.close()
        _replace_with_new(path)
    return tuple(found)


def _open_alone(path: Path) -> apsw.Connection:
    connection = open_connection(path, Pragmas(busy_timeout_ms=1000))
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        with suppress(*UNREADABLE):  # what cannot be moved into the file is read from the log
            connection.execute("BEGIN IMMEDIATE; COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except apsw.BusyError as fault:
        connection.close()
        raise StoreBusy(f"another process has {path.name} open: stop the service before a repair") from fault
    return connection


def _copy_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.name}.{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}.bak")
    shutil.copy2(path, aside)
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        shutil.copy2(log, aside.with_name(aside.name + "-wal"))
    return aside


def rebuild_derived(connection: apsw.Connection) -> None:
    """Make terms, signs, records, facets, tallies and the clock anew from memories and vectors, and sums from entries.

    All in one transaction.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(
            "INSERT INTO chunks_fts_default (chunks_fts_default) VALUES ('delete-all');"
            "DELETE FROM chunks_bits_default; DELETE FROM chunks_slab_default;"
            "DELETE FROM chunks_facets_default; DELETE FROM tallies;"
            f"DELETE FROM chunks_vec_default WHERE {WRONG_VECTOR};"
            "UPDATE store_clock SET seq = max(seq, (SELECT coalesce(max(seq), 0) FROM chunks_default)),"
            " hlc = max(hlc, (SELECT coalesce(max(hlc), 0) FROM chunks_default))"
        )
        for (workspace,) in select_rows(connection, "SELECT number FROM workspaces"):
            _rebuild_workspace(connection, workspace)
        if select_row(connection, "SELECT 1 FROM sqlite_schema WHERE name = 'ledger_days'") is not None:
            connection.execute(f"DELETE FROM ledger_days; INSERT INTO ledger_days {SUMMED}")
        connection.execute("COMMIT")
    except BaseException:
        with suppress(apsw.Error):
            connection.execute("ROLLBACK")
        raise


def _rebuild_workspace(connection: apsw.Connection, workspace: int) -> None:
    last, tally = 0, Tally()
    while rows := select_rows(
        connection,
        f"SELECT {COLUMNS} FROM chunks_default WHERE workspace = ? AND number > ? ORDER BY number LIMIT ?",
        (workspace, last, _BATCH),
    ):
        derived = DerivedRows(connection, workspace)
        for row in rows:
            memory = read_memory(row)
            tally.count(memory)
            if memory.deleted_ms is not None:
                derived.touch(row[0], memory)
                continue
            derived.add(row[0], memory, None)
            stored = select_row(connection, "SELECT embedding FROM chunks_vec_default WHERE number = ?", (row[0],))
            if stored is not None:
                derived.add_stored_vector(row[0], memory, stored[0])
        derived.flush()
        last = rows[-1][0]
    write_tally(connection, tally, workspace)


def _new_path(path: Path) -> Path:
    return path.with_name(path.name + ".new")


def _save_into_new(damaged: apsw.Connection, path: Path) -> list[Finding]:
    target = _new_path(path)
    target.unlink(missing_ok=True)
    fresh = open_connection(target, Pragmas())
    try:
        migrate(fresh, now_ms=time.time_ns() // 1_000_000)
        with fresh:  # one transaction, not one for every row
            findings = [finding for table in PRIMARY_TABLES for finding in _save_table(damaged, fresh, table)]
            _drop_unreadable(fresh)
            _restore_owners(fresh)
        rebuild_derived(fresh)
        fresh.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        fresh.close()
    return findings


def _save_table(damaged: apsw.Connection, fresh: apsw.Connection, table: str) -> Iterator[Finding]:
    # The damaged store may be of an earlier release, which had fewer columns and tables.
    present = set(_list_columns(damaged, table))
    columns = [column for column in _list_columns(fresh, table) if column in present]
    if not columns:
        return
    listed, places = ", ".join(columns), ", ".join("?" * len(columns))
    insert = f"INSERT OR REPLACE INTO {table} ({listed}) VALUES ({places})"
    lost = 0
    if columns[0] == "number":
        parts = read_by_number(damaged, listed, table)
    else:
        parts = _read_on(damaged, f"SELECT {listed} FROM {table}")
    with suppress(*UNREADABLE):
        for rows, unread in parts:
            lost += len(unread) + _insert(fresh, insert, rows)
    if lost:
        yield Finding(check="lost", problem=f"rows of {table} do not read any more", rows=lost, repairable=False)


def _list_columns(connection: apsw.Connection, table: str) -> list[str]:
    return [str(row[1]) for row in select_rows(connection, f"PRAGMA table_info({table})")]


def _insert(fresh: apsw.Connection, insert: str, rows: list[Row]) -> int:
    """Insert rows and return how many were refused, because they hold what was never written."""
    try:
        with fresh:
            fresh.executemany(insert, rows)
    except (apsw.ConstraintError, apsw.MismatchError):
        if len(rows) == 1:
            return 1
        return sum(_insert(fresh, insert, [row]) for row in rows)
    return 0


def _read_on(connection: apsw.Connection, sql: str) -> Iterator[tuple[list[Row], list[int]]]:
    """Rows until one does not read; what comes after it is lost, however much it is."""
    rows: list[Row] = []
    unread: list[int] = []
    try:
        for row in connection.execute(sql):
            rows.append(row)
    except UNREADABLE:
        unread.append(len(rows))
    yield rows, unread


def _restore_owners(connection: apsw.Connection) -> None:
    """Make workspaces and sources anew that memories name; where the two differ, most memories are right."""
    connection.execute(
        "UPDATE OR IGNORE workspaces SET (tenant_id, workspace_id) = (SELECT tenant_id, workspace_id"
        " FROM chunks_default WHERE workspace = workspaces.number GROUP BY 1, 2 ORDER BY count(*) DESC LIMIT 1)"
        " WHERE number IN (SELECT workspace FROM chunks_default);"
        "INSERT OR IGNORE INTO workspaces (number, tenant_id, workspace_id, name, metadata, data_key_id,"
        " created_at, updated_at, version)"
        " SELECT workspace, tenant_id, workspace_id, '', '{}', lower(hex(randomblob(16))),"
        " min(created_at), max(updated_at), 1 FROM chunks_default GROUP BY workspace;"
        "INSERT OR IGNORE INTO files_default (path, source, hash, mtime, size, tenant_id, workspace_id)"
        " SELECT path, source, max(hash), max(updated_at) / 1000.0, sum(length(CAST(text AS BLOB))), tenant_id,"
        " workspace_id FROM chunks_default WHERE text <> '' GROUP BY path, source;"
        "UPDATE chunks_default SET (tenant_id, workspace_id) = (SELECT tenant_id, workspace_id FROM workspaces"
        f" WHERE workspaces.number = workspace) WHERE number IN (SELECT c.number {FOREIGN})"
    )


def _drop_unreadable(connection: apsw.Connection) -> None:
    """Remove rows that hold no memory, and facts that say nothing, any more; the copy aside keeps them.

    A store that lost its embedding's name takes that of the next process that writes a vector.
    """
    connection.executemany(
        "DELETE FROM store_facts WHERE name = ?", [(name,) for name in list_unsound_facts(connection)]
    )
    ensure_facts(connection)
    unread = [row[0] for row, memory in read_memories(connection) if memory is None]
    connection.executemany("DELETE FROM chunks_default WHERE number = ?", [(number,) for number in unread])


def _replace_with_new(path: Path) -> None:
    target = _new_path(path)
    if not target.exists():
        return
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    target.replace(path)
    for suffix in ("-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)

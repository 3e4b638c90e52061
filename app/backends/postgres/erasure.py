"""Erases memories for good; their tombstones stay, without content."""

from contextlib import suppress

from app.backends.postgres.connections import Database
from app.backends.postgres.derived import DerivedRows
from app.backends.postgres.rows import SELECT, UPDATE, read_memory, write_row
from app.backends.postgres.stamps import Stamps
from app.backends.postgres.statements import Connection, Row, select_rows
from app.backends.postgres.tallies import write_tally
from app.backends.stored import blank_memory
from app.backends.tallies import Tally
from app.domain.memory import Memory, Scope
from app.errors import StoreError

_TABLES = "chunks_default, chunks_vec_default, chunks_vec_default_next, chunks_fts_default, files_default, users"
_SWEEP_TIMEOUT = "5s"


def erase(
    connection: Connection,
    scope: Scope,
    workspace: int,
    *,
    deleted_before_ms: int | None,
    user_id: str | None,
    now_ms: int,
) -> int:
    """Erase tombstones older than a moment, one user's memories, or all, of a workspace that is held.

    Returns how many memories they were, earlier revisions not counted. The texts stay in the free space of pages until
    `sweep`, and in the server's write-ahead log, its archive and its backups until these are removed.
    """
    where = "workspace = %s AND NOT (deleted_at IS NOT NULL AND text = '')"
    values: list[object] = [workspace]
    if deleted_before_ms is not None:
        where += " AND deleted_at < %s"
        values.append(deleted_before_ms)
    if user_id is not None:
        where += " AND user_id = %s" + (" AND user_id <> ''" if user_id else "")  # the index leaves out ''
        values.append(user_id)
    rows = select_rows(connection, f"{SELECT} WHERE {where} ORDER BY number", values)
    found = [(int(row[0]), read_memory(row)) for row in rows]
    if found:
        _erase_rows(connection, workspace, found, now_ms)
        _forget_files(connection, scope, workspace)
    return sum(not memory.revision_of for _, memory in found)


def _erase_rows(connection: Connection, workspace: int, found: list[tuple[int, Memory]], now_ms: int) -> None:
    stamps = Stamps(connection, now_ms=now_ms, expected=len(found))
    derived, tally = DerivedRows(connection, workspace), Tally()
    derived.remove((number, memory) for number, memory in found if memory.deleted_ms is None)
    derived.forget_vectors(number for number, _ in found)
    derived.flush()
    blanks: list[Row] = []
    for number, memory in found:
        seq, hlc = stamps.take()
        blank = blank_memory(memory, seq=seq, hlc=hlc, now_ms=now_ms)
        blanks.append((*write_row(number, workspace, "", blank)[1:], number))
        tally.count(memory, -1)
        tally.count(blank)
    with connection.cursor() as cursor:
        cursor.executemany(UPDATE, blanks)
    write_tally(connection, tally, workspace)


def _forget_files(connection: Connection, scope: Scope, workspace: int) -> None:
    """Sources of which no text is left go too: their path may tell something."""
    connection.execute(
        "DELETE FROM files_default f WHERE tenant_id = %s AND workspace_id = %s AND NOT EXISTS"
        " (SELECT 1 FROM chunks_default c WHERE c.workspace = %s AND (c.path, c.source) = (f.path, f.source))",
        (scope.tenant_id, scope.workspace_id, workspace),
    )


def sweep(database: Database) -> None:
    """Let the server clear the pages of former rows, as far as no reader needs them, for some seconds at most.

    What it does not get to it clears by itself later (autovacuum).
    """
    set_timeout = "SELECT set_config('statement_timeout', %s, false)"
    with suppress(StoreError), database.read() as connection:
        ((usual,),) = select_rows(connection, "SELECT current_setting('statement_timeout')")
        connection.execute(set_timeout, (_SWEEP_TIMEOUT,))
        try:
            connection.execute(f"VACUUM (SKIP_LOCKED, INDEX_CLEANUP OFF, TRUNCATE OFF) {_TABLES}", prepare=False)
        finally:
            connection.execute(set_timeout, (usual,))

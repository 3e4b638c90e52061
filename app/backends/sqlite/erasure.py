"""Erases memories for good; their tombstones stay, without content."""

import apsw

from app.backends.sqlite.derived import DerivedRows
from app.backends.sqlite.rows import COLUMNS, UPDATE, read_memory, write_row
from app.backends.sqlite.statements import select_row, select_rows
from app.backends.sqlite.tallies import write_tally
from app.backends.stored import blank_memory
from app.backends.tallies import Tally
from app.domain.identifiers import tick_hlc
from app.domain.memory import Memory, Scope

_SELECT = f"SELECT {COLUMNS} FROM chunks_default"

_REVISION_OF = COLUMNS.split(", ").index("revision_of")


def erase(
    connection: apsw.Connection,
    scope: Scope,
    workspace: int,
    *,
    deleted_before_ms: int | None,
    user_id: str | None,
    now_ms: int,
) -> tuple[list[int], int]:
    """Erase tombstones older than a moment, one user's memories, or all; returns
    the numbers of the rows and how many memories they were, earlier revisions not counted.

    What is freed is overwritten (secure_delete, which every writing connection has on), and the full-text index is
    rewritten without the erased terms. Where SQLite has moved rows to other pages before, copies of them may stay in
    the former pages' free space until the store is compacted.
    """
    where, values = "workspace = ? AND NOT (deleted_at IS NOT NULL AND text = '')", [workspace]
    bound: list[object] = list(values)
    if deleted_before_ms is not None:
        where += " AND deleted_at < ?"
        bound.append(deleted_before_ms)
    if user_id is not None:
        where += " AND user_id = ?" + (" AND user_id <> ''" if user_id else "")  # the index leaves out ''
        bound.append(user_id)
    rows = select_rows(connection, f"{_SELECT} WHERE {where}", bound)
    if rows:
        _erase_rows(connection, scope, workspace, [(row[0], row[6], read_memory(row)) for row in rows], now_ms)
    return [row[0] for row in rows], sum(not row[_REVISION_OF] for row in rows)


def _erase_rows(
    connection: apsw.Connection,
    scope: Scope,
    workspace: int,
    found: list[tuple[int, str, Memory]],
    now_ms: int,
) -> None:
    clock = select_row(connection, "SELECT seq, hlc FROM store_clock")
    seq, hlc = clock if clock is not None else (0, 0)
    derived, tally = DerivedRows(connection, workspace), Tally()
    derived.remove((number, memory) for number, _, memory in found if memory.deleted_ms is None)
    derived.forget_vectors(number for number, _, _ in found)
    for number, _, memory in found:
        seq, hlc = seq + 1, tick_hlc(hlc, now_ms)
        blank = blank_memory(memory, seq=seq, hlc=hlc, now_ms=now_ms)
        connection.execute(UPDATE, (*write_row(number, workspace, "", blank)[1:], number))
        tally.count(memory, -1)
        tally.count(blank)
        derived.touch(number, blank)
    derived.flush()
    write_tally(connection, tally, workspace)
    connection.execute("UPDATE store_clock SET seq = ?, hlc = ?", (seq, hlc))
    _forget_files(connection, scope, workspace)
    connection.execute("INSERT INTO chunks_fts_default (chunks_fts_default) VALUES ('optimize')")


def _forget_files(connection: apsw.Connection, scope: Scope, workspace: int) -> None:
    """Sources of which no text is left go too: their path may tell something."""
    connection.execute(
        "DELETE FROM files_default WHERE tenant_id = ? AND workspace_id = ?"
        " AND (path, source) NOT IN (SELECT path, source FROM chunks_default WHERE workspace = ?)",
        (scope.tenant_id, scope.workspace_id, workspace),
    )

"""Workspaces."""

import json
from secrets import token_hex
from typing import Any

import apsw

from app.backends.cursors import make_cursor, read_cursor
from app.backends.documents import dump_json
from app.backends.sqlite.connections import Readers, Writer
from app.backends.sqlite.fulltext import delete_terms, encode_memory
from app.backends.sqlite.moves import forget_workspace
from app.backends.sqlite.rows import find_workspace
from app.backends.sqlite.statements import select_row, select_rows
from app.domain.memory import JsonObject, Scope
from app.domain.query import Page
from app.domain.workspace import Workspace
from app.errors import AlreadyExists, NotFound
from app.ports import Clock

_SELECT = "SELECT tenant_id, workspace_id, name, metadata, data_key_id, created_at, updated_at, version FROM workspaces"
_TABLES = ("chunks_bits_default", "chunks_slab_default", "chunks_facets_default", "tallies")


def _read(row: tuple[Any, ...]) -> Workspace:
    return Workspace(
        scope=Scope(tenant_id=row[0], workspace_id=row[1]),
        name=row[2],
        metadata=json.loads(row[3]),
        data_key_id=row[4],
        created_ms=row[5],
        updated_ms=row[6],
        version=row[7],
    )


def ensure_workspace(connection: apsw.Connection, scope: Scope, now_ms: int) -> int:
    """The number of a workspace, which is made if it is missing."""
    number = find_workspace(connection, scope)
    if number is None:
        connection.execute(
            "INSERT INTO workspaces"
            " (tenant_id, workspace_id, name, metadata, data_key_id, created_at, updated_at, version)"
            " VALUES (?, ?, '', '{}', ?, ?, ?, 1)",
            (scope.tenant_id, scope.workspace_id, token_hex(16), now_ms, now_ms),
        )
        number = connection.last_insert_rowid()
    return number


def require_workspace(connection: apsw.Connection, scope: Scope) -> Workspace:
    """A workspace, or `NotFound`."""
    row = select_row(
        connection, f"{_SELECT} WHERE tenant_id = ? AND workspace_id = ?", (scope.tenant_id, scope.workspace_id)
    )
    if row is None:
        raise NotFound(f"workspace {scope.workspace_id} does not exist")
    return _read(row)


class SqliteWorkspaceStore:
    """Workspaces in the SQLite file."""

    def __init__(self, writer: Writer, readers: Readers, *, clock: Clock) -> None:
        self._writer, self._readers, self._clock = writer, readers, clock

    def put_workspace(self, scope: Scope, *, name: str | None, metadata: JsonObject | None, create: bool) -> Workspace:
        """Make a workspace, or change one."""

        def work(connection: apsw.Connection) -> Workspace:
            now_ms = self._clock.now_ms()
            if create:
                if find_workspace(connection, scope) is not None:
                    raise AlreadyExists(
                        f"workspace {scope.workspace_id} exists: change it with PATCH, or take another id"
                    )
                ensure_workspace(connection, scope, now_ms)
            old = require_workspace(connection, scope)
            connection.execute(
                "UPDATE workspaces SET name = ?, metadata = ?, updated_at = ?, version = version + ?"
                " WHERE tenant_id = ? AND workspace_id = ?",
                (
                    old.name if name is None else name,
                    dump_json(old.metadata if metadata is None else metadata),
                    now_ms,
                    int(not create),
                    scope.tenant_id,
                    scope.workspace_id,
                ),
            )
            return require_workspace(connection, scope)

        return self._writer.write(work)

    def get_workspace(self, scope: Scope) -> Workspace:
        """A workspace, or `NotFound`."""
        with self._readers.lend() as connection:
            return require_workspace(connection, scope)

    def list_workspaces(self, tenant_id: str, *, limit: int, cursor: str = "") -> Page[Workspace]:
        """A page of a tenant's workspaces in the order of their ids."""
        listing = f"workspaces/{tenant_id}"
        after = read_cursor(listing, cursor)
        with self._readers.lend() as connection:
            rows = select_rows(
                connection,
                f"{_SELECT} WHERE tenant_id = ? AND workspace_id > ? ORDER BY workspace_id LIMIT ?",
                (tenant_id, after, limit + 1),
            )
        items = tuple(_read(row) for row in rows[:limit])
        last = items[-1].scope.workspace_id if items else ""
        return Page(items=items, next_cursor=make_cursor(listing, last) if len(rows) > limit else "")

    def delete_workspace(self, scope: Scope) -> int:
        """Remove a workspace with all that it holds for good."""
        removed = self._writer.write(lambda connection: _remove(connection, scope))
        self._writer.checkpoint()
        return removed


def _remove(connection: apsw.Connection, scope: Scope) -> int:
    number = find_workspace(connection, scope)
    if number is None:
        raise NotFound(f"workspace {scope.workspace_id} does not exist")
    row = select_row(connection, "SELECT coalesce(sum(memories), 0) FROM tallies WHERE workspace = ?", (number,))
    owner = (scope.tenant_id, scope.workspace_id)
    _remove_terms(connection, number)
    forget_workspace(connection, number)
    connection.execute(
        "DELETE FROM chunks_vec_default WHERE number IN (SELECT number FROM chunks_default WHERE workspace = ?)",
        (number,),
    )
    for table in (*_TABLES, "chunks_default"):
        connection.execute(f"DELETE FROM {table} WHERE workspace = ?", (number,))
    for table in ("files_default", "users", "receipts", "jobs", "workspaces"):
        connection.execute(f"DELETE FROM {table} WHERE tenant_id = ? AND workspace_id = ?", owner)
    return 0 if row is None else int(row[0])


def _remove_terms(connection: apsw.Connection, number: int) -> None:
    """Take a workspace's texts out of the full-text index and rewrite it, so that the file does not keep them."""
    rows = select_rows(
        connection,
        "SELECT number, when_to_use, text FROM chunks_default WHERE workspace = ? AND deleted_at IS NULL",
        (number,),
    )
    delete_terms(connection, [(key, encode_memory(when, text, number)[0]) for key, when, text in rows])
    connection.execute("INSERT INTO chunks_fts_default (chunks_fts_default) VALUES ('optimize')")

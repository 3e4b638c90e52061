"""Workspaces."""

from secrets import token_hex

from app.backends.cursors import make_cursor, read_cursor
from app.backends.documents import dump_json
from app.backends.postgres.connections import Database
from app.backends.postgres.derived import forget_workspace
from app.backends.postgres.erasure import sweep
from app.backends.postgres.statements import Connection, Row, select_number, select_row, select_rows
from app.domain.memory import JsonObject, Scope
from app.domain.query import Page
from app.domain.workspace import Workspace
from app.errors import AlreadyExists, NotFound
from app.ports import Clock

_SELECT = "SELECT tenant_id, workspace_id, name, metadata, data_key_id, created_at, updated_at, version FROM workspaces"
_HOLD = "SELECT number FROM workspaces WHERE tenant_id = %s AND workspace_id = %s FOR NO KEY UPDATE"
_USE = "SELECT number FROM workspaces WHERE tenant_id = %s AND workspace_id = %s FOR KEY SHARE"
_REMOVE = "SELECT number FROM workspaces WHERE tenant_id = %s AND workspace_id = %s FOR UPDATE"
_INSERT = (
    "INSERT INTO workspaces"
    " (tenant_id, workspace_id, name, metadata, data_key_id, created_at, updated_at, version)"
    " VALUES (%s, %s, '', '{}', %s, %s, %s, 1) ON CONFLICT DO NOTHING"
)


def _read(row: Row) -> Workspace:
    return Workspace(
        scope=Scope(tenant_id=row[0], workspace_id=row[1]),
        name=row[2],
        metadata=row[3],
        data_key_id=row[4],
        created_ms=row[5],
        updated_ms=row[6],
        version=row[7],
    )


def hold_workspace(connection: Connection, scope: Scope) -> int | None:
    """The number of a workspace, which nobody else changes or removes until the transaction ends; None without one.

    The one lock under which its memories are written: whoever holds it sees every write that was acknowledged.
    """
    return _find(connection, scope, _HOLD)


def ensure_workspace(connection: Connection, scope: Scope, now_ms: int) -> int:
    """The number of a workspace, made if it is missing, which nobody removes until the transaction ends.

    Writers of memories of the same workspace are not kept waiting.
    """
    return _ensure(connection, scope, now_ms, _USE)


def ensure_held_workspace(connection: Connection, scope: Scope, now_ms: int) -> int:
    """The same, and nobody else changes it either (`hold_workspace`)."""
    return _ensure(connection, scope, now_ms, _HOLD)


def _ensure(connection: Connection, scope: Scope, now_ms: int, lock: str) -> int:
    while (number := _find(connection, scope, lock)) is None:
        connection.execute(_INSERT, (scope.tenant_id, scope.workspace_id, token_hex(16), now_ms, now_ms))
    return number


def _find(connection: Connection, scope: Scope, lock: str) -> int | None:
    row = select_row(connection, lock, (scope.tenant_id, scope.workspace_id))
    return None if row is None else int(row[0])


def require_workspace(connection: Connection, scope: Scope) -> Workspace:
    """A workspace, or `NotFound`."""
    row = select_row(
        connection, f"{_SELECT} WHERE tenant_id = %s AND workspace_id = %s", (scope.tenant_id, scope.workspace_id)
    )
    if row is None:
        raise NotFound(f"workspace {scope.workspace_id} does not exist")
    return _read(row)


class PostgresWorkspaceStore:
    """Workspaces in the database."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def put_workspace(self, scope: Scope, *, name: str | None, metadata: JsonObject | None, create: bool) -> Workspace:
        """Make a workspace, or change one."""
        document = None if metadata is None else dump_json(metadata)

        def work(connection: Connection) -> Workspace:
            now_ms = self._clock.now_ms()
            owner = (scope.tenant_id, scope.workspace_id)
            if create and connection.execute(_INSERT, (*owner, token_hex(16), now_ms, now_ms)).rowcount == 0:
                raise AlreadyExists(f"workspace {scope.workspace_id} exists: change it with PATCH, or take another id")
            connection.execute(
                "UPDATE workspaces SET name = coalesce(%s, name), metadata = coalesce(%s, metadata),"
                " updated_at = %s, version = version + %s WHERE tenant_id = %s AND workspace_id = %s",
                (name, document, now_ms, int(not create), *owner),
            )
            return require_workspace(connection, scope)

        return self._database.write(work)

    def get_workspace(self, scope: Scope) -> Workspace:
        """A workspace, or `NotFound`."""
        return self._database.ask(lambda connection: require_workspace(connection, scope))

    def list_workspaces(self, tenant_id: str, *, limit: int, cursor: str = "") -> Page[Workspace]:
        """A page of a tenant's workspaces in the order of their ids."""
        listing = f"workspaces/{tenant_id}"
        after = read_cursor(listing, cursor)
        rows = self._database.ask(
            lambda connection: select_rows(
                connection,
                f"{_SELECT} WHERE tenant_id = %s AND workspace_id > %s ORDER BY workspace_id LIMIT %s",
                (tenant_id, after, limit + 1),
            )
        )
        items = tuple(_read(row) for row in rows[:limit])
        last = items[-1].scope.workspace_id if items else ""
        return Page(items=items, next_cursor=make_cursor(listing, last) if len(rows) > limit else "")

    def delete_workspace(self, scope: Scope) -> int:
        """Remove a workspace with all that it holds for good."""
        removed = self._database.write(lambda connection: _remove(connection, scope))
        sweep(self._database)
        return removed


def _remove(connection: Connection, scope: Scope) -> int:
    number = _find(connection, scope, _REMOVE)
    if number is None:
        raise NotFound(f"workspace {scope.workspace_id} does not exist")
    memories = select_number(
        connection, "SELECT coalesce(sum(memories), 0) FROM tallies WHERE workspace = %s", (number,)
    )
    owner = (scope.tenant_id, scope.workspace_id)
    forget_workspace(connection, number)
    for table in ("tallies", "chunks_default"):
        connection.execute(f"DELETE FROM {table} WHERE workspace = %s", (number,))
    for table in ("files_default", "users", "receipts", "jobs", "workspaces"):
        connection.execute(f"DELETE FROM {table} WHERE tenant_id = %s AND workspace_id = %s", owner)
    return memories

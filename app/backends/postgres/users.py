"""The users of a workspace."""

from app.backends.cursors import make_cursor, read_cursor
from app.backends.documents import dump_json
from app.backends.postgres.connections import Database
from app.backends.postgres.statements import Connection, Row, select_row, select_rows
from app.backends.postgres.workspaces import ensure_workspace
from app.domain.memory import JsonObject, Scope
from app.domain.query import Page
from app.domain.workspace import User
from app.errors import NotFound
from app.ports import Clock

_COLUMNS = "user_id, name, metadata, created_at, updated_at"
_PLACE = "FROM users WHERE tenant_id = %s AND workspace_id = %s"
_SELECT = f"SELECT {_COLUMNS} {_PLACE}"
_PUT = (
    "INSERT INTO users VALUES (%s, %s, %s, coalesce(%s, ''), coalesce(%s, '{}')::json, %s, %s)"
    " ON CONFLICT (tenant_id, workspace_id, user_id) DO UPDATE SET name = coalesce(%s, users.name),"
    f" metadata = coalesce(%s::json, users.metadata), updated_at = excluded.updated_at RETURNING {_COLUMNS}"
)


def _read(scope: Scope, row: Row) -> User:
    return User(
        scope=scope,
        user_id=row[0],
        name=row[1],
        metadata=row[2],
        created_ms=row[3],
        updated_ms=row[4],
    )


class PostgresUserStore:
    """Users in the database."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def put_user(self, scope: Scope, user_id: str, *, name: str | None, metadata: JsonObject | None) -> User:
        """Make or change a user."""
        document = None if metadata is None else dump_json(metadata)

        def work(connection: Connection) -> User:
            now_ms = self._clock.now_ms()
            ensure_workspace(connection, scope, now_ms)
            values = (scope.tenant_id, scope.workspace_id, user_id, name, document, now_ms, now_ms, name, document)
            (row,) = select_rows(connection, _PUT, values)
            return _read(scope, row)

        return self._database.write(work)

    def get_user(self, scope: Scope, user_id: str) -> User:
        """A user, or `NotFound`."""
        row = self._database.ask(
            lambda connection: select_row(
                connection, f"{_SELECT} AND user_id = %s", (scope.tenant_id, scope.workspace_id, user_id)
            )
        )
        if row is None:
            raise _miss(scope, user_id)
        return _read(scope, row)

    def list_users(self, scope: Scope, *, limit: int, cursor: str = "") -> Page[User]:
        """A page of users in the order of their ids."""
        listing = f"users/{scope.tenant_id}/{scope.workspace_id}"
        after = read_cursor(listing, cursor)
        rows = self._database.ask(
            lambda connection: select_rows(
                connection,
                f"{_SELECT} AND user_id > %s ORDER BY user_id LIMIT %s",
                (scope.tenant_id, scope.workspace_id, after, limit + 1),
            )
        )
        items = tuple(_read(scope, row) for row in rows[:limit])
        return Page(items=items, next_cursor=make_cursor(listing, items[-1].user_id) if len(rows) > limit else "")

    def delete_user(self, scope: Scope, user_id: str) -> None:
        """Remove a user, or `NotFound`."""

        def work(connection: Connection) -> None:
            removed = connection.execute(
                f"DELETE {_PLACE} AND user_id = %s", (scope.tenant_id, scope.workspace_id, user_id)
            )
            if removed.rowcount == 0:
                raise _miss(scope, user_id)

        self._database.write(work)


def _miss(scope: Scope, user_id: str) -> NotFound:
    return NotFound(f"user {user_id[:140]!r} is not in workspace {scope.workspace_id}")

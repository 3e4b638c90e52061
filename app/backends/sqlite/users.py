"""The users of a workspace."""

import json
from typing import Any

import apsw

from app.backends.cursors import make_cursor, read_cursor
from app.backends.documents import dump_json
from app.backends.sqlite.connections import Readers, Writer
from app.backends.sqlite.statements import select_row, select_rows
from app.backends.sqlite.workspaces import ensure_workspace
from app.domain.memory import JsonObject, Scope
from app.domain.query import Page
from app.domain.workspace import User
from app.errors import NotFound
from app.ports import Clock

_SELECT = "SELECT user_id, name, metadata, created_at, updated_at FROM users WHERE tenant_id = ? AND workspace_id = ?"


def _read(scope: Scope, row: tuple[Any, ...]) -> User:
    return User(
        scope=scope,
        user_id=row[0],
        name=row[1],
        metadata=json.loads(row[2]),
        created_ms=row[3],
        updated_ms=row[4],
    )


class SqliteUserStore:
    """Users in the SQLite file."""

    def __init__(self, writer: Writer, readers: Readers, *, clock: Clock) -> None:
        self._writer, self._readers, self._clock = writer, readers, clock

    def put_user(self, scope: Scope, user_id: str, *, name: str | None, metadata: JsonObject | None) -> User:
        """Make or change a user."""

        def work(connection: apsw.Connection) -> User:
            now_ms = self._clock.now_ms()
            ensure_workspace(connection, scope, now_ms)
            connection.execute(
                "INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                " name = coalesce(?, name), metadata = coalesce(?, metadata), updated_at = excluded.updated_at",
                (
                    scope.tenant_id,
                    scope.workspace_id,
                    user_id,
                    name or "",
                    dump_json(metadata or {}),
                    now_ms,
                    now_ms,
                    name,
                    None if metadata is None else dump_json(metadata),
                ),
            )
            return _find(connection, scope, user_id)

        return self._writer.write(work)

    def get_user(self, scope: Scope, user_id: str) -> User:
        """A user, or `NotFound`."""
        with self._readers.lend() as connection:
            return _find(connection, scope, user_id)

    def list_users(self, scope: Scope, *, limit: int, cursor: str = "") -> Page[User]:
        """A page of users in the order of their ids."""
        listing = f"users/{scope.tenant_id}/{scope.workspace_id}"
        after = read_cursor(listing, cursor)
        with self._readers.lend() as connection:
            rows = select_rows(
                connection,
                f"{_SELECT} AND user_id > ? ORDER BY user_id LIMIT ?",
                (scope.tenant_id, scope.workspace_id, after, limit + 1),
            )
        items = tuple(_read(scope, row) for row in rows[:limit])
        return Page(items=items, next_cursor=make_cursor(listing, items[-1].user_id) if len(rows) > limit else "")

    def delete_user(self, scope: Scope, user_id: str) -> None:
        """Remove a user, or `NotFound`."""

        def work(connection: apsw.Connection) -> None:
            _find(connection, scope, user_id)
            connection.execute(
                "DELETE FROM users WHERE tenant_id = ? AND workspace_id = ? AND user_id = ?",
                (scope.tenant_id, scope.workspace_id, user_id),
            )

        self._writer.write(work)


def _find(connection: apsw.Connection, scope: Scope, user_id: str) -> User:
    row = select_row(connection, f"{_SELECT} AND user_id = ?", (scope.tenant_id, scope.workspace_id, user_id))
    if row is None:
        raise NotFound(f"user {user_id[:140]!r} is not in workspace {scope.workspace_id}")
    return _read(scope, row)

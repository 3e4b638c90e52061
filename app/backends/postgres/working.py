"""What is known of offloaded texts."""

from collections.abc import Sequence
from typing import Any

from app.backends.cursors import make_cursor, read_cursor
from app.backends.postgres.connections import Database
from app.backends.postgres.statements import Connection, Row, select_row, select_rows
from app.backends.postgres.workspaces import ensure_held_workspace, hold_workspace
from app.domain.memory import Scope
from app.domain.query import Page
from app.domain.working import Offload, OffloadKind, Tier
from app.errors import InvalidRequest, NotFound
from app.ports import Clock

_COLUMNS = (
    "tenant_id, workspace_id, id, kind, chat_id, name, bytes, lines, sha256, object_name, created_at, last_read_at,"
    " tier"
)
_SELECT = f"SELECT {_COLUMNS}, number FROM offloads"
_OWN = "tenant_id = %s AND workspace_id = %s"
_INSERT = f"INSERT INTO offloads ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
_UPDATE = (
    "UPDATE offloads SET kind = %s, chat_id = %s, name = %s, bytes = %s, lines = %s, sha256 = %s, object_name = %s,"
    f" created_at = %s, last_read_at = %s, tier = %s WHERE {_OWN} AND id = %s"
)
_WARM_UP = "CASE tier WHEN 'archive' THEN tier ELSE 'hot' END"
"""The tier of what is used again; an archived object stays compressed."""
_OLDEST = "SELECT number FROM offloads WHERE created_at < %s ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED"
"""Several nodes expire offloads at once: each takes others."""


def _read(row: Row) -> Offload:
    return Offload(
        scope=Scope(tenant_id=row[0], workspace_id=row[1]),
        id=row[2],
        kind=OffloadKind(row[3]),
        chat_id=row[4],
        name=row[5],
        bytes=row[6],
        lines=row[7],
        sha256=row[8],
        object_name=row[9],
        created_ms=row[10],
        last_read_ms=row[11],
        tier=Tier(row[12]),
    )


def _name(scope: Scope, offload_id: str) -> tuple[str, str, str]:
    return scope.tenant_id, scope.workspace_id, offload_id


def _write(offload: Offload) -> tuple[Any, ...]:
    return (
        offload.kind.value,
        offload.chat_id,
        offload.name,
        offload.bytes,
        offload.lines,
        offload.sha256,
        offload.object_name,
        offload.created_ms,
        offload.last_read_ms,
        offload.tier.value,
    )


def _find(connection: Connection, scope: Scope, offload_id: str, *, locked: bool = False) -> Offload | None:
    sql = f"{_SELECT} WHERE {_OWN} AND id = %s{' FOR UPDATE' if locked else ''}"
    row = select_row(connection, sql, _name(scope, offload_id))
    return None if row is None else _read(row)


def _put(connection: Connection, offload: Offload) -> Offload | None:
    """Keep an offload in a workspace that is held, and return the one that it replaces."""
    name, earlier = _name(offload.scope, offload.id), _find(connection, offload.scope, offload.id, locked=True)
    if earlier is None:
        connection.execute(_INSERT, (*name, *_write(offload)))
    else:
        connection.execute(_UPDATE, (*_write(offload), *name))
    return earlier


class PostgresWorkingStore:
    """Offloads in the database. Whoever writes several of a workspace holds it, so that nodes wait in one order."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def put_offloads(self, offloads: Sequence[Offload]) -> tuple[Offload, ...]:
        """Keep all in one step; returns those that were replaced."""

        def work(connection: Connection) -> tuple[Offload, ...]:
            scopes = {offload.scope for offload in offloads}
            for scope in sorted(scopes, key=lambda scope: (scope.tenant_id, scope.workspace_id)):
                ensure_held_workspace(connection, scope, self._clock.now_ms())
            replaced = [_put(connection, offload) for offload in offloads]
            return tuple(earlier for earlier in replaced if earlier is not None)

        return self._database.write(work)

    def renew_offloads(self, scope: Scope, offload_ids: Sequence[str]) -> tuple[Offload, ...]:
        """Let the age of those that are there begin anew."""
        where = f"{_OWN} AND id = ANY(%s)"
        wanted = (scope.tenant_id, scope.workspace_id, list(offload_ids))

        def work(connection: Connection) -> tuple[Offload, ...]:
            hold_workspace(connection, scope)
            now_ms = self._clock.now_ms()
            rows = select_rows(
                connection,
                f"UPDATE offloads SET created_at = %s, last_read_at = %s, tier = {_WARM_UP} WHERE {where}"
                f" RETURNING {_COLUMNS}",
                (now_ms, now_ms, *wanted),
            )
            found = {offload.id: offload for offload in map(_read, rows)}
            return tuple(found[each] for each in offload_ids if each in found)

        known = f"SELECT 1 FROM offloads WHERE {where} LIMIT 1"
        if self._database.ask(lambda connection: select_row(connection, known, wanted)) is None:
            return ()  # what is offloaded for the first time costs no write
        return self._database.write(work)

    def get_offload(self, scope: Scope, offload_id: str) -> Offload:
        """An offload, or `NotFound`."""
        offload = self._database.ask(lambda connection: _find(connection, scope, offload_id))
        return _require(scope, offload_id, offload)

    def list_offloads(self, scope: Scope, *, chat_id: str = "", limit: int, cursor: str = "") -> Page[Offload]:
        """A page in the order in which they first came."""
        owner = (scope.tenant_id, scope.workspace_id)
        return self._page(
            f"offloads/{scope.tenant_id}/{scope.workspace_id}/{chat_id}",
            f"{_OWN} AND chat_id = %s" if chat_id else _OWN,
            (*owner, chat_id) if chat_id else owner,
            limit=limit,
            cursor=cursor,
        )

    def mark_read(self, scope: Scope, offload_id: str) -> None:
        """Note that an offload was read now."""
        sql = (
            f"UPDATE offloads SET last_read_at = greatest(last_read_at, %s), tier = {_WARM_UP} WHERE {_OWN} AND id = %s"
        )

        def work(connection: Connection) -> None:
            connection.execute(sql, (self._clock.now_ms(), *_name(scope, offload_id)))

        self._database.write(work)

    def delete_offload(self, scope: Scope, offload_id: str) -> Offload:
        """Remove an offload and return it, or `NotFound`."""
        name = _name(scope, offload_id)
        removed = self._database.write(lambda connection: _remove(connection, f"{_OWN} AND id = %s", name))
        return _require(scope, offload_id, removed[0] if removed else None)

    def forget_offloads(self, scope: Scope) -> tuple[Offload, ...]:
        """Remove all of a workspace, and return them."""

        def work(connection: Connection) -> tuple[Offload, ...]:
            hold_workspace(connection, scope)
            return _remove(connection, _OWN, (scope.tenant_id, scope.workspace_id))

        return self._database.write(work)

    def expire_offloads(self, *, created_before_ms: int, limit: int) -> tuple[Offload, ...]:
        """Remove some that were offloaded before a moment, and return them; those that another node removes not."""
        where, values = f"number = ANY(ARRAY({_OLDEST}))", (created_before_ms, limit)
        return self._database.write(lambda connection: _remove(connection, where, values))

    def list_aged(self, tiers: Sequence[Tier], *, read_before_ms: int, limit: int, cursor: str = "") -> Page[Offload]:
        """Those of these tiers that were neither offloaded nor read since a moment."""
        names = [tier.value for tier in tiers]
        return self._page(
            f"aged/{','.join(names)}",
            "tier = ANY(%s) AND last_read_at < %s",
            (names, read_before_ms),
            limit=limit,
            cursor=cursor,
        )

    def move_offload(self, offload: Offload, *, tier: Tier, object_name: str) -> bool:
        """Give an offload another tier and object, unless it was changed, read or removed since."""
        sql = f"UPDATE offloads SET tier = %s, object_name = %s WHERE {_OWN} AND id = %s"

        def work(connection: Connection) -> bool:
            if _find(connection, offload.scope, offload.id, locked=True) != offload:
                return False
            connection.execute(sql, (tier.value, object_name, *_name(offload.scope, offload.id)))
            return True

        return self._database.write(work)

    def list_by_object(self, *, after: str = "", limit: int) -> tuple[Offload, ...]:
        """Offloads in the order of their objects' names, those after a name."""
        sql = f"{_SELECT} WHERE object_name > %s ORDER BY object_name LIMIT %s"
        rows = self._database.ask(lambda connection: select_rows(connection, sql, (after, limit)))
        return tuple(_read(row) for row in rows)

    def _page(self, listing: str, where: str, values: tuple[Any, ...], *, limit: int, cursor: str) -> Page[Offload]:
        if limit < 1:
            raise InvalidRequest(f"limit {limit} is not allowed: ask for at least 1")
        after = read_cursor(listing, cursor) or "0"
        if not after.isdecimal():
            raise InvalidRequest(f"the cursor {cursor[:60]!r} is not of this listing: start again without one")
        sql = f"{_SELECT} WHERE number > %s AND {where} ORDER BY number LIMIT %s"
        rows = self._database.ask(lambda connection: select_rows(connection, sql, (int(after), *values, limit + 1)))
        items = tuple(_read(row) for row in rows[:limit])
        return Page(
            items=items, next_cursor=make_cursor(listing, str(rows[limit - 1][-1])) if len(rows) > limit else ""
        )


def _remove(connection: Connection, where: str, values: tuple[Any, ...]) -> tuple[Offload, ...]:
    rows = select_rows(connection, f"DELETE FROM offloads WHERE {where} RETURNING {_COLUMNS}", values)
    return tuple(_read(row) for row in rows)


def _require(scope: Scope, offload_id: str, offload: Offload | None) -> Offload:
    if offload is None:
        raise NotFound(f"offload {offload_id[:40]!r} is not in workspace {scope.workspace_id}")
    return offload

"""What is known of offloaded texts."""

from collections.abc import Sequence
from typing import Any

import apsw

from app.backends.cursors import make_cursor, read_cursor
from app.backends.sqlite.connections import Readers, Writer
from app.backends.sqlite.statements import Row, list_places, select_row, select_rows
from app.backends.sqlite.workspaces import ensure_workspace
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
_OWN = "tenant_id = ? AND workspace_id = ?"
_WARM_UP = "CASE tier WHEN 'archive' THEN tier ELSE 'hot' END"
"""The tier of what is used again; an archived object stays compressed."""


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


def _write(offload: Offload) -> tuple[Any, ...]:
    return (
        offload.scope.tenant_id,
        offload.scope.workspace_id,
        offload.id,
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


def _find(connection: apsw.Connection, scope: Scope, offload_id: str) -> Offload | None:
    row = select_row(
        connection, f"{_SELECT} WHERE {_OWN} AND id = ?", (scope.tenant_id, scope.workspace_id, offload_id)
    )
    return None if row is None else _read(row)


def _require(connection: apsw.Connection, scope: Scope, offload_id: str) -> Offload:
    offload = _find(connection, scope, offload_id)
    if offload is None:
        raise NotFound(f"offload {offload_id[:40]!r} is not in workspace {scope.workspace_id}")
    return offload


class SqliteWorkingStore:
    """Offloads in the SQLite file."""

    def __init__(self, writer: Writer, readers: Readers, *, clock: Clock) -> None:
        self._writer, self._readers, self._clock = writer, readers, clock

    def put_offloads(self, offloads: Sequence[Offload]) -> tuple[Offload, ...]:
        """Keep all in one step; returns those that were replaced."""

        def work(connection: apsw.Connection) -> tuple[Offload, ...]:
            replaced = []
            for offload in offloads:
                ensure_workspace(connection, offload.scope, self._clock.now_ms())
                earlier = _find(connection, offload.scope, offload.id)
                if earlier is not None:
                    replaced.append(earlier)
                connection.execute(
                    f"INSERT INTO offloads ({_COLUMNS}) VALUES ({list_places(13)})"
                    " ON CONFLICT (tenant_id, workspace_id, id) DO UPDATE SET kind = excluded.kind,"
                    " chat_id = excluded.chat_id, name = excluded.name, bytes = excluded.bytes,"
                    " lines = excluded.lines, sha256 = excluded.sha256, object_name = excluded.object_name,"
                    " created_at = excluded.created_at, last_read_at = excluded.last_read_at, tier = excluded.tier",
                    _write(offload),
                )
            return tuple(replaced)

        return self._writer.write(work)

    def renew_offloads(self, scope: Scope, offload_ids: Sequence[str]) -> tuple[Offload, ...]:
        """Let the age of those that are there begin anew."""

        def work(connection: apsw.Connection) -> tuple[Offload, ...]:
            now_ms = self._clock.now_ms()
            connection.executemany(
                f"UPDATE offloads SET created_at = ?, last_read_at = ?, tier = {_WARM_UP} WHERE {_OWN} AND id = ?",
                [(now_ms, now_ms, scope.tenant_id, scope.workspace_id, each) for each in offload_ids],
            )
            found = (_find(connection, scope, each) for each in offload_ids)
            return tuple(offload for offload in found if offload is not None)

        with self._readers.lend() as connection:  # what is offloaded for the first time costs no write
            if all(_find(connection, scope, each) is None for each in offload_ids):
                return ()
        return self._writer.write(work)

    def get_offload(self, scope: Scope, offload_id: str) -> Offload:
        """An offload, or `NotFound`."""
        with self._readers.lend() as connection:
            return _require(connection, scope, offload_id)

    def list_offloads(self, scope: Scope, *, chat_id: str = "", limit: int, cursor: str = "") -> Page[Offload]:
        """A page in the order in which they first came."""
        owner = (scope.tenant_id, scope.workspace_id)
        return self._page(
            f"offloads/{scope.tenant_id}/{scope.workspace_id}/{chat_id}",
            f"{_OWN} AND chat_id = ?" if chat_id else _OWN,
            (*owner, chat_id) if chat_id else owner,
            limit=limit,
            cursor=cursor,
        )

    def mark_read(self, scope: Scope, offload_id: str) -> None:
        """Note that an offload was read now."""

        def work(connection: apsw.Connection) -> None:
            connection.execute(
                f"UPDATE offloads SET last_read_at = max(last_read_at, ?), tier = {_WARM_UP} WHERE {_OWN} AND id = ?",
                (self._clock.now_ms(), scope.tenant_id, scope.workspace_id, offload_id),
            )

        self._writer.write(work)

    def delete_offload(self, scope: Scope, offload_id: str) -> Offload:
        """Remove an offload and return it, or `NotFound`."""

        def work(connection: apsw.Connection) -> Offload:
            offload = _require(connection, scope, offload_id)
            connection.execute(
                f"DELETE FROM offloads WHERE {_OWN} AND id = ?", (scope.tenant_id, scope.workspace_id, offload_id)
            )
            return offload

        return self._writer.write(work)

    def forget_offloads(self, scope: Scope) -> tuple[Offload, ...]:
        """Remove all of a workspace, and return them."""
        return self._remove(_OWN, (scope.tenant_id, scope.workspace_id))

    def expire_offloads(self, *, created_before_ms: int, limit: int) -> tuple[Offload, ...]:
        """Remove some that were offloaded before a moment, and return them."""
        where = "number IN (SELECT number FROM offloads WHERE created_at < ? ORDER BY created_at LIMIT ?)"
        return self._remove(where, (created_before_ms, limit))

    def list_aged(self, tiers: Sequence[Tier], *, read_before_ms: int, limit: int, cursor: str = "") -> Page[Offload]:
        """Those of these tiers that were neither offloaded nor read since a moment."""
        names = [tier.value for tier in tiers]
        return self._page(
            f"aged/{','.join(names)}",
            f"tier IN ({list_places(len(names))}) AND last_read_at < ?",
            (*names, read_before_ms),
            limit=limit,
            cursor=cursor,
        )

    def move_offload(self, offload: Offload, *, tier: Tier, object_name: str) -> bool:
        """Give an offload another tier and object, unless it was changed, read or removed since."""

        def work(connection: apsw.Connection) -> bool:
            if _find(connection, offload.scope, offload.id) != offload:
                return False
            connection.execute(
                f"UPDATE offloads SET tier = ?, object_name = ? WHERE {_OWN} AND id = ?",
                (tier.value, object_name, offload.scope.tenant_id, offload.scope.workspace_id, offload.id),
            )
            return True

        return self._writer.write(work)

    def list_by_object(self, *, after: str = "", limit: int) -> tuple[Offload, ...]:
        """Offloads in the order of their objects' names, those after a name."""
        with self._readers.lend() as connection:
            rows = select_rows(
                connection, f"{_SELECT} WHERE object_name > ? ORDER BY object_name LIMIT ?", (after, limit)
            )
        return tuple(_read(row) for row in rows)

    def _page(self, listing: str, where: str, values: tuple[Any, ...], *, limit: int, cursor: str) -> Page[Offload]:
        if limit < 1:
            raise InvalidRequest(f"limit {limit} is not allowed: ask for at least 1")
        after = read_cursor(listing, cursor) or "0"
        if not after.isdecimal():
            raise InvalidRequest(f"the cursor {cursor[:60]!r} is not of this listing: start again without one")
        with self._readers.lend() as connection:
            rows = select_rows(
                connection,
                f"{_SELECT} WHERE number > ? AND {where} ORDER BY number LIMIT ?",
                (int(after), *values, limit + 1),
            )
        items = tuple(_read(row) for row in rows[:limit])
        return Page(
            items=items, next_cursor=make_cursor(listing, str(rows[limit - 1][-1])) if len(rows) > limit else ""
        )

    def _remove(self, where: str, values: tuple[Any, ...]) -> tuple[Offload, ...]:
        def work(connection: apsw.Connection) -> tuple[Offload, ...]:
            rows = select_rows(connection, f"DELETE FROM offloads WHERE {where} RETURNING {_COLUMNS}", values)
            return tuple(_read(row) for row in rows)

        return self._writer.write(work)

"""The mark on what is being moved elsewhere, and the writer that keeps to it.

Triggers refuse what is marked, in every process that has the file open. They are made with the first mark and removed
with the last, so that a store that nobody moves pays nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import TypeVar

import apsw

from app.backends.copies import ALL, MARKS, dump_mark, load_mark, name_mark
from app.backends.sqlite.connections import Writer
from app.backends.sqlite.schema import read_fact, write_fact
from app.backends.sqlite.statements import select_number, select_rows
from app.domain.copying import MoveMark
from app.domain.memory import Scope
from app.errors import StoreBusy, StoreError

T = TypeVar("T")

_THROUGH = "through"
"""A fact that only its own transaction ever sees: the triggers let it through."""
_REFUSED = "this was moved"
_NOW = "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
"""The lease runs by the clock of the machine, which all processes of a file share."""
_STANDS = f"coalesce(json_extract(value, '$.until_ms') > {_NOW}, true)"
_GUARDED = {
    "chunks_default": ("INSERT", "UPDATE", "DELETE"),
    "chunks_vec_default": ("INSERT", "DELETE"),
    "workspaces": ("INSERT", "UPDATE", "DELETE"),
    "users": ("INSERT", "UPDATE", "DELETE"),
    "offloads": ("INSERT", "UPDATE", "DELETE"),
    "jobs": ("INSERT",),  # a job of a marked workspace must not stand in the way of those behind it
    "api_keys": ("INSERT", "UPDATE", "DELETE"),
}

_passes: ContextVar[bool] = ContextVar("passes", default=False)


class GuardedWriter(Writer):
    """A writer that says in an error of the service which mark refused a piece of work."""

    def write(self, work: Callable[[apsw.Connection], T]) -> T:
        """Run a piece of work in a transaction and return its value once it is durable."""
        piece = _let_through(work) if _passes.get() else work
        try:
            return super().write(piece)
        except StoreError as error:
            if not isinstance(error.__cause__, apsw.ConstraintError) or _REFUSED not in str(error.__cause__):
                raise
            marks = super().write(list_marks)
            raise StoreBusy(
                marks[0].message
                if len(marks) == 1
                else "the workspace is being moved, or was moved: `reme migrate --dry-run` tells where to"
            ) from None


@contextmanager
def passing() -> Iterator[None]:
    """Let this thread write to what is marked."""
    token = _passes.set(True)
    try:
        yield
    finally:
        _passes.reset(token)


def _let_through(work: Callable[[apsw.Connection], T]) -> Callable[[apsw.Connection], T]:
    def piece(connection: apsw.Connection) -> T:
        write_fact(connection, _THROUGH, "1")
        value = work(connection)
        write_fact(connection, _THROUGH, None)
        return value

    return piece


def list_marks(connection: apsw.Connection) -> list[MoveMark]:
    """The marks that stand."""
    sql = f"SELECT name, value FROM store_facts WHERE substr(name, 1, ?) = ? AND {_STANDS} ORDER BY name"
    return [load_mark(*row) for row in select_rows(connection, sql, (len(MARKS), MARKS))]


def put_mark(connection: apsw.Connection, mark: MoveMark, lease_ms: int | None) -> None:
    """Keep a mark for `lease_ms` from now, or for good, and have it kept to."""
    until_ms = None if lease_ms is None else select_number(connection, f"SELECT {_NOW}") + lease_ms
    write_fact(connection, name_mark(mark.scope), dump_mark(replace(mark, until_ms=until_ms)))
    for table, events in _GUARDED.items():
        for event in events:
            connection.execute(_write_trigger(table, event))


def find_mark(connection: apsw.Connection, scope: Scope | None) -> MoveMark | None:
    """The mark that stands on exactly this."""
    return next((mark for mark in list_marks(connection) if mark.scope == scope), None)


def drop_mark(connection: apsw.Connection, scope: Scope | None) -> bool:
    """Remove a mark, and the triggers with the last one; returns whether it was there."""
    was_there = read_fact(connection, name_mark(scope)) is not None
    write_fact(connection, name_mark(scope), None)
    if not list_marks(connection):
        connection.execute("DELETE FROM store_facts WHERE substr(name, 1, ?) = ?", (len(MARKS), MARKS))
        for table, events in _GUARDED.items():
            for event in events:
                connection.execute(f"DROP TRIGGER IF EXISTS {_name_trigger(table, event)}")
    return was_there


def _name_trigger(table: str, event: str) -> str:
    return f"move_{table}_{event.lower()}"


def _write_trigger(table: str, event: str) -> str:
    row = "NEW" if event == "INSERT" else "OLD"
    own = "" if table == "api_keys" else f", '{MARKS}' || {row}.tenant_id || ' ' || {row}.workspace_id"
    return (
        f"CREATE TRIGGER IF NOT EXISTS {_name_trigger(table, event)} BEFORE {event} ON {table}"
        f" WHEN EXISTS (SELECT 1 FROM store_facts WHERE name IN ('{ALL}'{own}) AND {_STANDS})"
        f" AND NOT EXISTS (SELECT 1 FROM store_facts WHERE name = '{_THROUGH}')"
        f" BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
    )

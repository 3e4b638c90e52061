"""The mark on what is being moved elsewhere, and the database that keeps to it.

Triggers refuse what is marked, to every process. They are made with the first mark and removed with the last, so that
a store that nobody moves pays nothing. To make them waits for the transactions that have written to the tables.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import TypeVar

import psycopg

from app.backends.copies import ALL, MARKS, dump_mark, load_mark, name_mark
from app.backends.postgres.connections import Database
from app.backends.postgres.schema import read_fact, write_fact
from app.backends.postgres.statements import Connection, select_number, select_rows
from app.domain.copying import MoveMark
from app.domain.memory import Scope
from app.errors import StoreBusy, StoreError

T = TypeVar("T")

_REFUSED = "RM001"
"""The SQLSTATE of the triggers; the class RM is nobody else's."""
_NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
"""The lease runs by the server's clock, which all processes share."""
_STANDS = f"coalesce((value::json ->> 'until_ms')::bigint > {_NOW}, true)"
_PLACED = "INSERT OR UPDATE OR DELETE"
_GUARDED = {
    "chunks_default": _PLACED,
    "chunks_vec_default": _PLACED,
    "chunks_vec_default_next": _PLACED,
    "workspaces": _PLACED,
    "users": _PLACED,
    "offloads": _PLACED,
    "jobs": "INSERT",  # a job of a marked workspace must not stand in the way of those behind it
    "api_keys": _PLACED,
}
_FUNCTION = f"""
CREATE OR REPLACE FUNCTION refuse_moved() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    standing text;
    place text;
    changed record;
BEGIN
    IF TG_OP = 'DELETE' THEN changed := OLD; ELSE changed := NEW; END IF;
    IF TG_TABLE_NAME = 'chunks_vec_default' THEN
        SELECT tenant_id || ' ' || workspace_id INTO place FROM workspaces WHERE number = changed.workspace;
    ELSIF TG_TABLE_NAME NOT IN ('api_keys', 'chunks_vec_default_next') THEN
        place := changed.tenant_id || ' ' || changed.workspace_id;
    END IF;
    SELECT name INTO standing FROM store_facts
        WHERE name IN ('{ALL}', '{MARKS}' || place) AND TG_TABLE_NAME <> 'chunks_vec_default_next' AND {_STANDS}
        LIMIT 1;
    IF standing IS NOT NULL AND coalesce(current_setting('reme.passes', true), '') <> 'on' THEN
        RAISE EXCEPTION '%', standing USING ERRCODE = '{_REFUSED}';
    END IF;
    RETURN changed;
END
$$
"""
"""The two tables of vectors change their names when the store moves to another embedding."""

_passes: ContextVar[bool] = ContextVar("passes", default=False)


class GuardedDatabase(Database):
    """A database that says in an error of the service which mark refused a transaction."""

    def write(
        self,
        work: Callable[[Connection], T],
        *,
        statement_timeout_s: float | None = None,
        pipelined: bool = False,
    ) -> T:
        """Run a piece of work in a READ COMMITTED transaction and return its value once it is durable."""
        piece = _let_through(work) if _passes.get() else work
        try:
            return super().write(piece, statement_timeout_s=statement_timeout_s, pipelined=pipelined)
        except StoreError as error:
            fault = error.__context__
            if not isinstance(fault, psycopg.Error) or fault.sqlstate != _REFUSED:
                raise
            name = fault.diag.message_primary or ""
        value = self.ask(lambda connection: read_fact(connection, name))
        raise StoreBusy("this was being moved: repeat" if value is None else load_mark(name, value).message)


@contextmanager
def passing() -> Iterator[None]:
    """Let this thread write to what is marked."""
    token = _passes.set(True)
    try:
        yield
    finally:
        _passes.reset(token)


def _let_through(work: Callable[[Connection], T]) -> Callable[[Connection], T]:
    def piece(connection: Connection) -> T:
        connection.execute("SELECT set_config('reme.passes', 'on', true)")
        return work(connection)

    return piece


def list_marks(connection: Connection) -> list[MoveMark]:
    """The marks that stand."""
    sql = f"SELECT name, value FROM store_facts WHERE starts_with(name, %s) AND {_STANDS} ORDER BY name"
    return [load_mark(*row) for row in select_rows(connection, sql, (MARKS,))]


def find_mark(connection: Connection, scope: Scope | None) -> MoveMark | None:
    """The mark that stands on exactly this."""
    return next((mark for mark in list_marks(connection) if mark.scope == scope), None)


def put_mark(connection: Connection, mark: MoveMark, lease_ms: int | None) -> None:
    """Keep a mark for `lease_ms` from now, or for good."""
    until_ms = None if lease_ms is None else select_number(connection, f"SELECT {_NOW}") + lease_ms
    write_fact(connection, name_mark(mark.scope), dump_mark(replace(mark, until_ms=until_ms)))


def guard(connection: Connection) -> None:
    """Have marks kept to; whoever has written to the tables is waited for."""
    connection.execute(_FUNCTION)
    for table, events in _GUARDED.items():
        connection.execute(
            f"CREATE OR REPLACE TRIGGER move_guard BEFORE {events} ON {table} FOR EACH ROW"
            " EXECUTE FUNCTION refuse_moved()"
        )


def drop_mark(connection: Connection, scope: Scope | None) -> bool:
    """Remove a mark, and the triggers with the last one; returns whether it was there."""
    was_there = read_fact(connection, name_mark(scope)) is not None
    write_fact(connection, name_mark(scope), None)
    if not list_marks(connection):
        connection.execute("DELETE FROM store_facts WHERE starts_with(name, %s)", (MARKS,))
        for table in _GUARDED:
            connection.execute(f"DROP TRIGGER IF EXISTS move_guard ON {table}")
        connection.execute("DROP FUNCTION IF EXISTS refuse_moved()")
    return was_there

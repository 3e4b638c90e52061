"""Runs SELECTs; rows come back as tuples of what the columns hold. Places are written `%s`."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import psycopg

Row: TypeAlias = tuple[Any, ...]
Connection: TypeAlias = psycopg.Connection[Row]


def select_rows(connection: Connection, sql: str, values: Sequence[Any] = ()) -> list[Row]:
    """Every row of a statement."""
    return connection.execute(sql, values or None).fetchall()


def select_row(connection: Connection, sql: str, values: Sequence[Any] = ()) -> Row | None:
    """The first row of a statement, or None."""
    return connection.execute(sql, values or None).fetchone()


def select_number(connection: Connection, sql: str, values: Sequence[Any] = ()) -> int:
    """The integer that a statement yields; 0 where it yields no row."""
    row = select_row(connection, sql, values)
    return 0 if row is None else int(row[0])

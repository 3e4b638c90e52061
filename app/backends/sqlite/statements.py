"""Runs SELECTs; rows come back as tuples of what the columns hold."""

from collections.abc import Sequence
from typing import Any

import apsw

Row = tuple[Any, ...]


def select_rows(connection: apsw.Connection, sql: str, values: Sequence[Any] = ()) -> list[Row]:
    """Every row of a statement."""
    return connection.execute(sql, values).fetchall()


def select_row(connection: apsw.Connection, sql: str, values: Sequence[Any] = ()) -> Row | None:
    """The first row of a statement, or None."""
    return connection.execute(sql, values).fetchone()


def select_number(connection: apsw.Connection, sql: str, values: Sequence[Any] = ()) -> int:
    """The integer that a statement yields; 0 where it yields no row."""
    row = connection.execute(sql, values).fetchone()
    return 0 if row is None else int(row[0])


def list_places(count: int) -> str:
    """Question marks for an IN list."""
    return ",".join("?" * count)


def round_up(values: Sequence[Any]) -> Row:
    """Values padded with the last one to a power of two, so that few distinct statements are prepared."""
    size = 1 << max(0, len(values) - 1).bit_length()
    return (*values, *([values[-1]] * (size - len(values))))

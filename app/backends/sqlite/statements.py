"""Runs SELECTs; rows come back as tuples of what the columns hold."""

from collections.abc import Sequence
from typing import Any

import apsw
import numpy as np
from numpy.typing import NDArray

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


def select_numbers(connection: apsw.Connection, sql: str, values: Sequence[Any] = ()) -> NDArray[np.int64]:
    """The integers that a statement yields in its first column, named `number`.

    They come as one text, which for thousands of rows takes a third of the time that rows take.
    """
    row = connection.execute(f"SELECT group_concat(number) FROM ({sql})", values).fetchone()
    text = None if row is None else row[0]
    return np.fromstring(str(text), np.int64, sep=",") if text is not None else np.empty(0, np.int64)


def list_places(count: int) -> str:
    """Question marks for an IN list."""
    return ",".join("?" * count)


def round_up(values: Sequence[Any]) -> Row:
    """Values padded with the last one to a power of two, so that few distinct statements are prepared."""
    size = 1 << max(0, len(values) - 1).bit_length()
    return (*values, *([values[-1]] * (size - len(values))))

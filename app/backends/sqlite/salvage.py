"""Reads the rows of a table of which some may not read any more."""

from collections.abc import Iterator
from contextlib import suppress

import apsw

from app.backends.sqlite.faults import UNREADABLE
from app.backends.sqlite.rows import COLUMNS, read_memory
from app.backends.sqlite.statements import Row, select_number, select_rows
from app.domain.memory import Memory
from app.errors import StoreCorrupt

_BATCH = 1000


def read_by_number(connection: apsw.Connection, columns: str, table: str) -> Iterator[tuple[list[Row], list[int]]]:
    """Rows in the order of their numbers, part by part, and the numbers of each part that do not read.

    A part that does not read is halved until single rows are left out.
    """
    highest = 0
    for sql in (f"SELECT max(number) FROM {table}", f"SELECT max(seq) FROM sqlite_sequence WHERE name = '{table}'"):
        with suppress(*UNREADABLE):
            highest = max(highest, select_number(connection, f"SELECT coalesce(({sql}), 0)"))
    ranges = [(start, start + _BATCH) for start in range(0, highest + 1, _BATCH)][::-1]
    while ranges:
        start, end = ranges.pop()
        try:
            rows = select_rows(
                connection,
                f"SELECT {columns} FROM {table} WHERE number >= ? AND number < ? ORDER BY number",
                (start, end),
            )
        except UNREADABLE:
            if end - start == 1:
                yield [], [start]
            else:
                middle = (start + end) // 2
                ranges += [(middle, end), (start, middle)]
            continue
        yield rows, []


def read_memories(connection: apsw.Connection) -> Iterator[tuple[Row, Memory | None]]:
    """Every row of memories with the memory that it holds; None, and only its number, where it does not read."""
    for rows, unread in read_by_number(connection, COLUMNS, "chunks_default"):
        for number in unread:
            yield (number,), None
        for row in rows:
            try:
                memory = read_memory(row)
            except StoreCorrupt:
                yield row[:1], None
            else:
                yield row, memory

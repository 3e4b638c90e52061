"""A table of the HTML report: plain text in every cell, escaped by the template."""

from dataclasses import dataclass
from typing import Literal

Tone = Literal["", "missing", "muted", "stale", "partial", "plain"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A cell with a second, smaller line and a tone: ``missing`` for what has no price, ``stale`` for age."""

    text: str
    detail: str = ""
    tone: Tone = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportTable:
    """Rows of cells under columns.

    ``chosen`` holds the indices of the rows to mark, ``right`` those of the columns of figures;
    ``total`` says that the last row is a sum. ``note`` stands below and says why, ``source`` from where.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    chosen: frozenset[int] = frozenset()
    note: str = ""
    source: str = ""
    right: frozenset[int] = frozenset()
    total: bool = False

    @property
    def body(self) -> tuple[tuple[str | Cell, ...], ...]:
        """The rows without the sum."""
        return self.rows[:-1] if self.total else self.rows

    @property
    def sum_row(self) -> tuple[str | Cell, ...]:
        """The sum, empty where the table has none."""
        return self.rows[-1] if self.total and self.rows else ()

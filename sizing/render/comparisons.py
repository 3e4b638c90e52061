"""The requirements' comparison tables for the terminal and for Markdown."""

from sizing.cost.tables import ComparisonRow, ComparisonTable
from sizing.messages import Language, render

CHOSEN = "✓ "

Cells = tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]
"""Columns, and rows of as many cells."""


def list_cells(table: ComparisonTable, language: Language, *, wide: bool) -> Cells:
    """Return columns and rows of a table.

    A narrow one shows option, planning figure, what the option would add to this plan, and the verdict.
    """
    rows = []
    for row in table.rows:
        name = (CHOSEN if row.chosen else "") + row.option
        rows.append((name, *row.cells[1:]) if wide else (name, row.planning, _change(row, language), row.why))
    if wide:
        return table.columns, tuple(rows)
    count = len(table.rows[0].attributes)
    columns = (table.columns[0], table.columns[1 + count], render("report.change-column", language), table.columns[-1])
    return columns, tuple(rows)


def _change(row: ComparisonRow, language: Language) -> str:
    if row.delta_usd is None:
        return ""
    text = f"{row.delta_usd:+,.2f}" if row.delta_usd else "0"
    return render("report.partly", language, {"usd": text, "count": row.partial}) if row.partial else text

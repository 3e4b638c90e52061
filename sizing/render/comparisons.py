"""The requirements' comparison tables, shaped for each renderer."""

from sizing.assessment import Assessment
from sizing.cost.tables import ComparisonRow, ComparisonTable, comparison_tables
from sizing.messages import Language, render
from sizing.render.report_table import Cell, ReportTable

CHOSEN = "✓ "

Cells = tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]
"""Columns, and rows of as many cells."""


def tables_for_page(assessment: Assessment, language: Language) -> tuple[ReportTable, ...]:
    """Return the tables for the HTML report: what the document says of an option stands under its name."""
    return tuple(_page_table(table) for table in comparison_tables(assessment.design, language))


def _page_table(table: ComparisonTable) -> ReportTable:
    attributes = table.columns[1 : 1 + len(table.rows[0].attributes)]
    rows = tuple(
        (
            Cell(text=row.option, detail="; ".join(_pairs(attributes, row.attributes))),
            Cell(text=row.planning, detail=row.correction),
            row.list_price,
            row.workload,
            row.why,
        )
        for row in table.rows
    )
    first, planning, _, price, workload, why = table.columns[0], *table.columns[1 + len(attributes) :]
    return ReportTable(
        title=f"{table.title} ({table.section})",
        columns=(first, planning, price, workload, why),
        rows=rows,
        chosen=table.chosen,
        note=table.why,
        source=table.note,
    )


def _pairs(names: tuple[str, ...], values: tuple[str, ...]) -> list[str]:
    return [f"{name}: {value}" for name, value in zip(names, values, strict=True) if value]


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

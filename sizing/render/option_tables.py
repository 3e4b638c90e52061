"""The requirements' comparison tables as tables of the HTML report, narrow enough to read on a page."""

from sizing.cost.tables import FIGURE_COLUMNS, ComparisonRow, ComparisonTable, comparison_tables
from sizing.design import Design
from sizing.messages import Language
from sizing.render.plan_tables import capitalise
from sizing.render.report_table import Cell, ReportTable


def tabulate_options(drawn: Design, language: Language) -> tuple[ReportTable, ...]:
    """Return every comparison for a design; the attributes of an option stand below its name."""
    return tuple(_tabulate(table, language) for table in comparison_tables(drawn, language))


def _tabulate(table: ComparisonTable, language: Language) -> ReportTable:
    figures = len(FIGURE_COLUMNS)
    names = table.columns[1:-figures]
    return ReportTable(
        title=f"{table.title}（{table.section}）" if language == "zh" else f"{table.title} ({table.section})",
        columns=(table.columns[0], *table.columns[-figures:]),
        rows=tuple((_option(row, names), *row.cells[-figures:]) for row in table.rows),
        chosen=table.chosen,
        note=capitalise(table.why),
        source=table.note,
    )


def _option(row: ComparisonRow, names: tuple[str, ...]) -> Cell:
    attributes = (f"{name}: {value}" for name, value in zip(names, row.attributes, strict=True) if value)
    return Cell(text=row.option, detail="; ".join(attributes))

"""The report as people read it: a table in the terminal, or Markdown."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from sizing.messages import Language, render
from sizing.watch.comparison import Comparison
from sizing.watch.month_report import WatchReport
from sizing.watch.report_document import name_component, sentence

WIDTH = 120
"""Columns where the output is no terminal, so that a run reads the same everywhere."""

LISTED = 6
"""Days or products that a note lists before it counts the rest."""

Rows = list[tuple[str, ...]]


def to_markdown(report: WatchReport, language: Language) -> str:
    """Return the report as Markdown, for a chat or a job summary."""
    parts = [f"## {_title(report, language)}", _subtitle(report, language)]
    parts.append(f"### {_section('findings', language)}")
    parts.append("\n".join(f"- {line}" for line in findings(report, language)))
    for header, rows in _tables(report, language):
        if header:
            parts.append(f"### {header}")
        parts.append(_pipe_table(rows))
    parts.append(f"### {_section('notes', language)}")
    parts.append("\n".join(f"- {line}" for line in notes(report, language)))
    return "\n\n".join(parts) + "\n"


def to_table(report: WatchReport, language: Language, *, color: bool, width: int = WIDTH) -> str:
    """Return the report as tables for a terminal of ``width`` columns."""
    import io

    from rich import box
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console = Console(
        file=io.StringIO(), width=width, force_terminal=color, no_color=not color, highlight=False, markup=False
    )
    console.print(Text(_title(report, language), style="bold"))
    console.print(_subtitle(report, language))
    console.print()
    style = "bold red" if report.has_findings else "green"
    for line in findings(report, language):
        console.print(Padding(Text(("! " if report.has_findings else "") + line, style=style), (0, 0, 0, 2)))
    for header, rows in _tables(report, language):
        console.print()
        if header:
            console.print(Text(header, style="bold"))
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
        for index, column in enumerate(rows[0]):
            table.add_column(column, justify="left" if index == 0 else "right", overflow="fold")
        for row in rows[1:]:
            table.add_row(*row)
        console.print(table)
    console.print()
    console.print(Text(_section("notes", language), style="bold"))
    for line in notes(report, language):
        console.print(Padding(line, (0, 0, 0, 2)))
    assert isinstance(console.file, io.StringIO)  # noqa: S101
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


def findings(report: WatchReport, language: Language) -> Iterator[str]:
    """Yield what was found, or that nothing was."""
    if not report.has_findings:
        yield render("watch.no-findings", language)
    for alarm in report.alarms:
        yield sentence(alarm, language)
    for anomaly in report.anomalies:
        yield sentence(anomaly, language)


def notes(report: WatchReport, language: Language) -> Iterator[str]:
    """Yield what a reader must know to judge the figures."""
    forecast = report.total.forecast
    values = {"known": forecast.days_known, "ahead": forecast.days_ahead}
    yield render(f"watch.forecast.{forecast.method}", language, values)
    for percent, bounds in forecast.intervals.items():
        yield render("watch.forecast.interval", language, {"percent": percent, "bounds": _interval(bounds)})
    if report.total.error is not None:
        months = ", ".join(str(month) for month in report.total.error.months)
        yield render("watch.note.error", language, {"months": months})
    if report.missing_days:
        yield render("watch.note.missing", language, {"days": _list(day.isoformat() for day in report.missing_days)})
    for code, values_ in report.notes:
        yield render(code, language, values_)
    unbilled = [row for row in report.components if row.plan and row.plan.expected and not row.month_to_date_usd]
    if unbilled:
        names = _list((name_component(row.name, language) for row in unbilled), limit=len(unbilled))
        yield render("watch.note.unbilled", language, {"components": names})
    if report.other_products:
        yield render("watch.note.other", language, {"products": _list(report.other_products)})


def _title(report: WatchReport, language: Language) -> str:
    return render("watch.title", language, {"month": report.month})


def _subtitle(report: WatchReport, language: Language) -> str:
    known = report.days_known
    return render(
        "watch.subtitle",
        language,
        {"through": report.through, "known": known, "days": report.month.days, "today": report.today},
    )


def _section(name: str, language: Language) -> str:
    return render(f"watch.section.{name}", language)


def _tables(report: WatchReport, language: Language) -> Iterator[tuple[str, Rows]]:
    yield "", _component_rows(report, language)
    yield _section("services", language), _service_rows(report, language)
    yield _section("files", language), _file_rows(report, language)


def _component_rows(report: WatchReport, language: Language) -> Rows:
    columns = ["component", "to-date", "month-end", "interval-95"]
    if report.plan_file:
        columns[1:1] = ["plan"]
        columns += ["difference", "ratio"]
    with_budgets = any(row.budget for row in (*report.components, report.total))
    if with_budgets:
        columns += ["budget", "used"]
    with_errors = any(row.error for row in (*report.components, report.total))
    if with_errors:
        columns += ["error"]
    rows: Rows = [tuple(render(f"watch.column.{column}", language) for column in columns)]
    rows += [tuple(_cell(row, column, language) for column in columns) for row in report.components]
    rows.append(tuple(_cell(report.total, column, language) for column in columns))
    if any(report.adjustments.values()):
        for name, usd in (*report.adjustments.items(), ("bill", report.bill_usd)):
            if usd or name == "bill":
                cells = {"component": name_component(name, language), "to-date": _usd(usd)}
                rows.append(tuple(cells.get(column, "") for column in columns))
    return rows


def _cell(row: Comparison, column: str, language: Language) -> str:
    forecast, budget = row.forecast, row.budget
    match column:
        case "component":
            return name_component(row.name, language) + (" *" if row.shared else "")
        case "service":
            return row.name
        case "plan":
            return _plan(row, language)
        case "to-date":
            return _usd(row.month_to_date_usd)
        case "month-end":
            return _usd(forecast.month_end_usd)
        case "interval-95":
            return _interval(forecast.intervals[95]) if 95 in forecast.intervals else ""
        case "difference":
            return "" if row.difference_usd is None else f"{_usd(row.difference_usd, signed=True)}"
        case "ratio":
            return "" if row.ratio is None else f"× {row.ratio:.2f}"
        case "budget":
            return "" if budget is None else _usd(budget.monthly_usd)
        case "used":
            used = "" if budget is None else f"{row.month_to_date_usd / budget.monthly_usd * 100:.0f} %"
            return f"{used} !" if row.alarms else used
        case _:
            return "" if row.error is None else f"{row.error.percent} %"


def _plan(row: Comparison, language: Language) -> str:
    if row.plan is None:
        return ""
    if row.unpriced and not row.plan.expected:
        return render("watch.no-price", language)
    return _usd(row.plan.expected) + ("+" if row.unpriced else "")


def _interval(bounds: tuple[Decimal, Decimal]) -> str:
    low, high = bounds
    return f"{low:,.0f}–{high:,.0f}" if high >= 100 else f"{low:,.2f}–{high:,.2f}"


def _service_rows(report: WatchReport, language: Language) -> Rows:
    planned = ("plan", "to-date", "month-end", "interval-95", "difference", "ratio")
    columns = ("service", *(planned if report.plan_file else planned[1:4]))
    rows: Rows = [tuple(render(f"watch.column.{column}", language) for column in columns)]
    rows += [tuple(_cell(row, column, language) for column in columns) for row in report.services]
    return rows


def _file_rows(report: WatchReport, language: Language) -> Rows:
    columns = ("file", "format", "days", "lines", "sum")
    rows: Rows = [tuple(render(f"watch.column.{column}", language) for column in columns)]
    for file in report.files:
        days = f"{file.first_day} – {file.last_day}" if file.lines else ""
        amount = f"{file.amount:,.2f} {file.currency}"
        rows.append((file.name, f"{file.bill_format}, {file.encoding}", days, f"{file.lines:,}", amount))
    return rows


def _pipe_table(rows: Sequence[Sequence[str]]) -> str:
    header, *body = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _usd(usd: Decimal | None, *, signed: bool = False) -> str:
    if usd is None:
        return ""
    sign = "-" if usd < 0 else "+" if signed and usd > 0 else ""
    return f"{sign}${abs(usd):,.2f}"


def _list(items: Iterable[str], limit: int = LISTED) -> str:
    listed = list(items)
    shown = ", ".join(listed[:limit])
    return shown if len(listed) <= limit else f"{shown} (+{len(listed) - limit})"

"""``reme-size diff``: what changes between the bills of two workloads or saved reports."""

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sizing.billing.charge import CLASS
from sizing.commands.amounts import FiniteAmount
from sizing.commands.price_options import list_format_option, prices_option, rate_option
from sizing.messages import LANGUAGES, Language

if TYPE_CHECKING:
    from sizing.catalogue import Catalogue
    from sizing.cost.difference import CostDifference, LineChange
    from sizing.cost.report import CostLine, CostReport

MARKS = {"added": "+", "removed": "-", "changed": "~"}


@click.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@list_format_option("table", "json")
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Language of the list.")
@click.option(
    "--max-increase", type=FiniteAmount(), metavar="USD", help="Exit with 3 when the month costs more by over this."
)
@prices_option
@rate_option
@click.option("--fail-on-unknown", is_flag=True, help="Exit with 3 when a changed line has no list price.")
def diff(
    before: Path,
    after: Path,
    format_: str,
    lang: Language,
    max_increase: float | None,
    price_files: tuple[Path, ...],
    rate: tuple[str, ...],
    fail_on_unknown: bool,
) -> None:
    """Compare two workload files (.toml, .yaml) or two saved JSON reports.

    \b
      reme-size diff small.toml large.toml
      reme-size diff last-month.json this-month.json --max-increase 100
    """
    from sizing.catalogue import load_catalogue
    from sizing.cost.difference import compare_reports

    prices = load_catalogue(price_files, rate)
    difference = compare_reports(_read(before, prices), _read(after, prices))
    changes = sorted(difference.changed, key=_size, reverse=True)
    if format_ == "json":
        click.echo(json.dumps(_describe(difference, changes), ensure_ascii=False, indent=2))
    else:
        _print(difference, changes, lang)
    delta = difference.delta.expected
    unknown = sum(change.delta is None for change in changes)
    if unknown and (max_increase is not None or fail_on_unknown):
        click.echo(f"reme-size: changed lines without a list price, not in the sum: {unknown}", err=True)
    if max_increase is not None and delta > Decimal(repr(max_increase)):
        click.echo(f"reme-size: the month costs {delta:,.2f} USD more, above {max_increase:,.2f}", err=True)
        raise SystemExit(3)
    if unknown and fail_on_unknown:
        raise SystemExit(3)


def _read(path: Path, prices: "Catalogue") -> "CostReport":
    """Return the bill of a saved report as it was priced then, or of a workload at these prices."""
    from sizing.workload_document import load_document, read_workload

    document = load_document(path)
    if document.get("kind") == "reme-size/report":
        from sizing.render.document import read_cost

        return read_cost(document)
    from sizing.cost.report import price_design
    from sizing.design import design

    return price_design(design(read_workload(document), prices))


def _size(change: "LineChange") -> Decimal:
    """Order by how much changes; what is unknown comes first."""
    return Decimal("Infinity") if change.delta is None else abs(change.delta.expected)


def _describe(difference: "CostDifference", changes: list["LineChange"]) -> dict[str, object]:
    return {
        "delta_usd": str(difference.delta.expected),
        "unknown": sum(change.delta is None for change in changes),
        "lines": [
            {
                "id": change.id,
                "change": change.change,
                "before": _write(change.before),
                "after": _write(change.after),
                "before_usd": _usd(change.before),
                "after_usd": _usd(change.after),
                "delta_usd": None if change.delta is None else str(change.delta.expected),
            }
            for change in changes
        ],
    }


def _usd(line: "CostLine | None") -> str | None:
    return None if line is None or line.monthly_usd is None else str(line.monthly_usd.expected)


def _write(line: "CostLine | None") -> str:
    if line is None:
        return ""
    from sizing.render.labels import show_quantity

    sku = f" {line.sku}" if line.id.endswith(f"/{CLASS}") else ""
    return f"{show_quantity(line.quantity[1])} {line.unit}{sku}"


def _print(difference: "CostDifference", changes: list["LineChange"], lang: Language) -> None:
    import sys

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from sizing.messages import render
    from sizing.render.labels import name_line

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for code in ("line", "before", "after"):
        grid.add_column(render(f"diff.{code}", lang), overflow="fold")
    grid.add_column(render("diff.delta", lang), justify="right")
    shown = [change for change in changes if change.delta is None or change.delta.expected]
    sites = {line.site for change in shown for line in (change.before, change.after) if line is not None}
    for change in shown:
        line = change.after or change.before
        assert line is not None, "a change has a line on one side at least"  # noqa: S101
        name = f"{MARKS[change.change]} {line.resource}: {name_line(line, lang)}"
        if len(sites) > 1:
            name += f" ({line.site})"
        delta = render("diff.unknown", lang) if change.delta is None else f"{change.delta.expected:+,.2f}"
        grid.add_row(*(Text(cell) for cell in (name, _write(change.before), _write(change.after), delta)))
    console = Console(width=None if sys.stdout.isatty() else 110)
    if shown:
        console.print(grid)
    if len(changes) > len(shown):
        console.print(Text(render("diff.range-only", lang, {"count": len(changes) - len(shown)})))
    unknown = sum(change.delta is None for change in changes)
    values = {"delta": f"{difference.delta.expected:+,.2f}", "count": len(changes), "unknown": unknown}
    console.print(Text(render("diff.total", lang, values)))

"""``reme-size diff``: what changes between the bills of two workloads or saved reports."""

import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click

from sizing.errors import InvalidWorkload
from sizing.messages import LANGUAGES, Language


@click.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option("--format", "format_", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True)
@click.option("--max-increase", type=float, metavar="USD", help="Exit with 3 when the month costs more by over this.")
def diff(before: Path, after: Path, format_: str, lang: Language, max_increase: float | None) -> None:
    """Compare two workload files (.toml, .yaml) or two saved JSON reports.

    \b
      reme-size diff small.toml large.toml
      reme-size diff last-month.json this-month.json --max-increase 100
    """
    old, new = (_read_lines(path) for path in (before, after))
    changes, delta, unknown = compare_lines(old, new)
    if format_ == "json":
        click.echo(
            json.dumps({"delta_usd": str(delta), "unknown": unknown, "lines": changes}, ensure_ascii=False, indent=2)
        )
    else:
        _print(changes, delta, unknown, lang)
    if max_increase is not None and delta > Decimal(repr(max_increase)):
        click.echo(f"reme-size: the month costs {delta:,.2f} USD more, above {max_increase:,.2f}", err=True)
        raise SystemExit(3)


Lines = dict[str, dict[str, Any]]


def _read_lines(path: Path) -> Lines:
    """Return the cost lines of a report or of a workload by id."""
    from sizing.workload_document import load_document, read_workload

    document = load_document(path)
    if document.get("kind") == "reme-size/report":
        try:
            lines = document["cost"]["lines"]  # type: ignore[index]
            return {line["id"]: line for line in lines}
        except (KeyError, TypeError):
            raise InvalidWorkload("file", str(path), "a report written by reme-size --format json") from None
    from sizing.catalogue import catalogue
    from sizing.cost.report import price_design
    from sizing.design import design
    from sizing.render.document import describe_cost

    report = price_design(design(read_workload(document), catalogue()))
    return {line["id"]: line for line in describe_cost(report)["lines"]}


def compare_lines(before: Lines, after: Lines) -> tuple[list[dict[str, Any]], Decimal, int]:
    """Return the changed lines, the sum of the known changes, and how many are unknown.

    A line that has no list price on a side where it exists is unknown, never zero.
    """
    changes: list[dict[str, Any]] = []
    total, unknown = Decimal(0), 0
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        was, becomes = _usd(old), _usd(new)
        same = (
            old is not None
            and new is not None
            and (old["sku"], old["quantity"], was) == (new["sku"], new["quantity"], becomes)
        )
        if same:
            continue
        known = (old is None or was is not None) and (new is None or becomes is not None)
        delta = (becomes or Decimal(0)) - (was or Decimal(0)) if known else None
        if delta is None:
            unknown += 1
        else:
            total += delta
        line = new or old
        assert line is not None  # noqa: S101
        changes.append(
            {
                "id": key,
                "component": line["component"],
                "change": "added" if old is None else "removed" if new is None else "changed",
                "before": _describe(old),
                "after": _describe(new),
                "before_usd": None if was is None else str(was),
                "after_usd": None if becomes is None else str(becomes),
                "delta_usd": None if delta is None else str(delta),
            }
        )
    changes.sort(key=lambda change: -abs(Decimal(change["delta_usd"] or "Infinity")))
    return changes, total, unknown


def _usd(line: dict[str, Any] | None) -> Decimal | None:
    if line is None or line.get("monthly_usd") is None:
        return None
    try:
        return Decimal(line["monthly_usd"]["expected"])
    except (KeyError, TypeError, InvalidOperation):
        raise InvalidWorkload("monthly_usd", line.get("monthly_usd"), "low, expected and high as decimals") from None


def _describe(line: dict[str, Any] | None) -> str:
    return "" if line is None else f"{Decimal(line['quantity']['expected']):g} {line['unit']} {line['sku']}"


def _print(changes: list[dict[str, Any]], delta: Decimal, unknown: int, lang: Language) -> None:
    import sys

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from sizing.messages import render

    marks = {"added": "+", "removed": "-", "changed": "~"}
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for code in ("line", "before", "after"):
        grid.add_column(render(f"diff.{code}", lang), overflow="fold")
    grid.add_column(render("diff.delta", lang), justify="right")
    for change in changes:
        usd = change["delta_usd"]
        shown = render("diff.unknown", lang) if usd is None else f"{Decimal(usd):+,.2f}"
        cells = (f"{marks[change['change']]} {change['id']}", change["before"], change["after"], shown)
        grid.add_row(*(Text(cell) for cell in cells))
    console = Console(width=None if sys.stdout.isatty() else 140)
    if changes:
        console.print(grid)
    console.print(
        Text(render("diff.total", lang, {"delta": f"{delta:+,.2f}", "count": len(changes), "unknown": unknown}))
    )

"""``reme-size prices``: list, check and compare prices."""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sizing.catalogue import STALE_AFTER_DAYS, Catalogue, Price, catalogue, known_rates, load_catalogue, read_prices
from sizing.commands.price_options import list_format_option, prices_option, rate_option

if TYPE_CHECKING:
    from rich.table import Table

EXIT_FINDING = 3


@click.group(context_settings={"max_content_width": 110})
def prices() -> None:
    """List, check and compare prices."""


@prices.command("list")
@click.argument("pattern", required=False, default="")
@click.option("--region", help="Only prices that apply in this region.")
@list_format_option("table", "json", "csv")
@prices_option
def list_prices(pattern: str, region: str | None, format_: str, price_files: tuple[Path, ...]) -> None:
    """List prices whose name contains PATTERN, e.g. aws/rds, valkey, gpt-4o-mini.

    \b
      reme-size prices list aws/s3/standard
      reme-size prices list qwen --format json
    """
    found = [
        price
        for price in load_catalogue(price_files).prices.values()
        if pattern.lower() in price.name.lower() and region in (None, price.region)
    ]
    found.sort(key=lambda price: price.name)
    if format_ == "json":
        click.echo(json.dumps([describe_price(price) for price in found], ensure_ascii=False, indent=2))
    elif format_ == "csv":
        click.echo(_csv(found), nl=False)
    else:
        _print_prices(found)
    if not found:
        click.echo(f"reme-size: no price matches {pattern!r}; `reme-size prices list` shows all", err=True)
        raise SystemExit(2)


def describe_price(price: Price) -> dict[str, object]:
    """Return a price as plain data."""
    return {
        "name": price.name,
        "unit": price.unit,
        "usd": None if price.usd is None else str(price.usd),
        "amount": None if price.amount is None else str(price.amount),
        "currency": price.currency,
        "per_usd": str(price.per_usd),
        "as_of": price.as_of,
        "evidence": price.evidence,
        "source": price.source,
        "note": price.note,
        "origin": price.origin,
    }


def _csv(found: Iterable[Price]) -> str:
    import csv
    from io import StringIO

    from sizing.catalogue import COLUMNS

    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for price in found:
        amount = "" if price.amount is None else price.amount
        row = [price.provider, price.service, price.sku, price.region, price.unit, amount, price.currency]
        writer.writerow([*row, price.as_of, price.evidence, "list", price.source, price.note])
    return buffer.getvalue()


def _print_prices(found: list[Price]) -> None:
    grid = _grid(("Price", "USD", "Unit", "Original", "As of", "Evidence", "Source"))
    for price in found:
        original = "" if price.currency in ("", "USD") else f"{price.amount} {price.currency} / {price.per_usd}"
        usd = "no list price" if price.usd is None else f"{price.usd:.6f}".rstrip("0").rstrip(".")
        grid.add_row(price.name, usd, price.unit, original, price.as_of or "–", price.evidence, price.source)
    _print(grid)


def _grid(columns: tuple[str, ...]) -> "Table":
    from rich import box
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        grid.add_column(column, overflow="fold")
    return grid


def _print(grid: "Table") -> None:
    import sys

    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 160).print(grid, markup=False)


@prices.command("check")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--max-age",
    type=click.IntRange(1),
    default=STALE_AFTER_DAYS,
    show_default=True,
    help="Days before a price is stale.",
)
@click.option("--fail-stale", is_flag=True, help="Exit with 3 when a price is stale or undated.")
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), help="Date that age is measured from.  [default: today]")
@rate_option
def check_prices(
    files: tuple[Path, ...], max_age: int, fail_stale: bool, today: datetime | None, rate: tuple[str, ...]
) -> None:
    """Check price FILES (default: ours): form, evidence, second sources, age.

    Exits with 2 where a file is unusable, with 3 where two sources of one price disagree by more than
    5 %, and with --fail-stale also where a price is stale.
    """
    if files:
        read = [read_prices(file, known_rates(rate), str(file)) for file in files]
        listed = [price for found, _ in read for price in found]
        known = {**catalogue().prices, **{price.key: price for price in listed}}
        checked = Catalogue(known, tuple(price for _, checks in read for price in checks))
    else:
        checked = load_catalogue((), rate)
        listed = list(checked.prices.values())
    day = today.date() if today else datetime.now(UTC).date()
    disagreeing = _report_check(listed, checked, day, max_age)
    stale = sum(price.is_stale(day, max_age) for price in listed if price.usd is not None)
    if disagreeing or (fail_stale and stale):
        raise SystemExit(EXIT_FINDING)


def _report_check(listed: list[Price], checked: Catalogue, day: date, max_age: int) -> int:
    priced = [price for price in listed if price.usd is not None]
    click.echo(f"{len(listed)} prices: {len(priced)} known, {len(listed) - len(priced)} searched and not found")
    for evidence in ("high", "medium", "low"):
        click.echo(f"  evidence {evidence}: {sum(price.evidence == evidence for price in priced)}")
    stale = [price for price in priced if price.is_stale(day, max_age)]
    undated = sum(price.age_days(day) is None for price in stale)
    click.echo(f"  stale: {len(stale)} older than {max_age} days or undated ({undated} undated)")
    agreed, differing = cross_check(checked)
    click.echo(f"second sources: {agreed + len(differing)}, of which {agreed} agree within 1 %")
    beyond = 0
    for price, listed_price, ratio in differing:
        figures = f"{_usd(str(listed_price.usd))} against {_usd(str(price.usd))}"
        click.echo(f"  {price.name}: {figures} ({(ratio - 1) * 100:+.1f} %), {price.source}")
        beyond += abs(ratio - 1) > Decimal("0.05")
    return beyond if any(price.origin != "catalogue" for price in listed) else 0


def cross_check(checked: Catalogue) -> tuple[int, list[tuple[Price, Price, Decimal]]]:
    """Compare every second source with the listed price: how many agree within 1 %, and those that do not.

    Of a price that differs the ratio second / listed is returned too.
    """
    agreed, differing = 0, []
    for price in checked.checks:
        listed = checked.prices.get(price.key)
        if listed is None or not listed.usd or price.usd is None:
            continue
        ratio = price.usd / listed.usd
        if abs(ratio - 1) <= Decimal("0.01"):
            agreed += 1
        else:
            differing.append((price, listed, ratio))
    return agreed, differing


@prices.command("compare")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path), required=False)
@list_format_option("table", "json")
@rate_option
def compare_prices(old: Path, new: Path | None, format_: str, rate: tuple[str, ...]) -> None:
    """Compare two price files, or our list prices with one: what is added, removed, dearer, cheaper.

    \b
      reme-size prices compare negotiated.csv            # from our list prices to yours
      reme-size prices compare prices-2026-05.csv prices-2026-11.csv
    """
    rates = known_rates(rate)
    before = {price.key: price for price in read_prices(old, rates, str(old))[0]}
    if new is None:
        before, after = {key: price for key, price in catalogue().prices.items() if key in before}, before
    else:
        after = {price.key: price for price in read_prices(new, rates, str(new))[0]}
    changes = find_changes(before, after)
    if format_ == "json":
        click.echo(json.dumps(changes, ensure_ascii=False, indent=2))
        return
    grid = _grid(("Price", "Before USD", "After USD", "Change"))
    for change in changes:
        grid.add_row(change["name"], _usd(change["before_usd"]), _usd(change["after_usd"]), change["change"])
    _print(grid)
    click.echo(f"{len(changes)} of {len({**before, **after})} prices differ")


def _usd(text: str | None) -> str:
    return "–" if text is None else f"{Decimal(text):.6f}".rstrip("0").rstrip(".")


def find_changes(
    before: dict[tuple[str, str, str, str], Price], after: dict[tuple[str, str, str, str], Price]
) -> list[dict[str, str | None]]:
    """Return every price that differs between two sets, by name."""
    changes: list[dict[str, str | None]] = []
    for key in sorted({**before, **after}):
        old, new = before.get(key), after.get(key)
        was, becomes = (None if price is None else price.usd for price in (old, new))
        if old is not None and new is not None and was == becomes:
            continue
        known = new or old
        assert known is not None  # noqa: S101
        if was and becomes:
            change = f"{(becomes / was - 1) * 100:+.1f} %"
        else:
            change = "removed" if new is None else "added" if old is None else "now known" if becomes else "now unknown"
        changes.append(
            {
                "name": known.name,
                "before_usd": None if was is None else str(was),
                "after_usd": None if becomes is None else str(becomes),
                "change": change,
            }
        )
    return changes

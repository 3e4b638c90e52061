"""``reme-size watch``: actual costs beside the plan."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sizing.commands.files import write_whole
from sizing.commands.price_options import rate_option
from sizing.errors import BillError, MissingExtra, SizingError
from sizing.messages import LANGUAGES, Language, render
from sizing.watch.bill_lines import FIRST_DAY
from sizing.watch.formats import FORMATS

if TYPE_CHECKING:
    from sizing.watch.bill_reading import BillOptions
    from sizing.watch.budgets import Budget
    from sizing.watch.daily import Month
    from sizing.watch.ledger import Ledger
    from sizing.watch.month_report import Note, WatchReport
    from sizing.watch.plan_report import PlanReport

FINDING = 3
"""The exit code of a report with a finding."""

SHOW_AFTER_SECONDS = 1.0
MINIMUM_WIDTH = 80

EPILOG = """\b
Examples:
  reme-size watch cur-2026-11.csv.gz
  reme-size --users 300 --format json > plan.json
  reme-size watch --plan plan.json cur-2026-10.csv.gz cur-2026-11.csv.gz
  reme-size watch --preset document aws.csv alibaba.csv openai.csv
  reme-size watch --budgets budgets.toml --anomaly-days 1 bill.csv || notify

\b
Bills: AWS Cost and Usage Report (legacy or Data Exports 2.0), Alibaba Cloud bill
details (Chinese or English), or a CSV with date,service,cost[,currency,type,id].
Plain, .gz or .zip; UTF-8 or GB 18030.

Exit codes: 0 nothing found, 2 unusable input, 3 a budget is reached or a day
stands out.
"""


def _read_day(_context: click.Context, _option: click.Parameter, value: str | None) -> date | None:
    if value is None:
        return None
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a date. Write it as YYYY-MM-DD.") from None
    if day < FIRST_DAY:
        raise click.BadParameter(f"{value} lies before {FIRST_DAY}, when no cloud billed.")
    return day


def _read_month(_context: click.Context, _option: click.Parameter, value: str | None) -> "Month | None":
    if value is None:
        return None
    from sizing.watch.daily import Month

    try:
        if len(value) != len("2026-11"):
            raise ValueError(value)
        return Month.of(date.fromisoformat(f"{value}-01"))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a month. Write it as YYYY-MM.") from None


def _read_usd(_context: click.Context, _option: click.Parameter, value: str) -> Decimal:
    try:
        usd = Decimal(value)
    except InvalidOperation:
        usd = Decimal("NaN")
    if not usd.is_finite() or usd < 0:
        raise click.BadParameter(f"{value!r} is not an amount. Write USD of 0 or more, e.g. 5 or 0.50.")
    return usd


@click.command("watch", epilog=EPILOG)
@click.argument("bills", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--plan", type=click.Path(path_type=Path), help="Report of reme-size --format json; budgets are 1.2 x it."
)
@click.option("--preset", type=click.Choice(["document"]), help="The budgets of §8.3 in place of 1.2 x the plan.")
@click.option("--budgets", type=click.Path(path_type=Path), help="Own budgets (TOML); they go before all others.")
@click.option("--bill-format", type=click.Choice(FORMATS), help="Do not detect the format from the header.")
@click.option("--currency", metavar="CODE", help="Currency of bills that state none.")
@rate_option
@click.option("--month", metavar="YYYY-MM", callback=_read_month, help="Month to report; default: the bills' latest.")
@click.option("--today", metavar="DATE", callback=_read_day, help="Day of the report; default: today in UTC.")
@click.option("--lag-days", type=click.IntRange(0, 31), default=0, help="Days before today not yet billed in full.")
@click.option("--anomaly-floor", metavar="USD", default="1", callback=_read_usd, help="Smallest rise that alarms [1].")
@click.option("--anomaly-days", type=click.IntRange(1, 366), help="Look at the last N complete days only.")
@click.option("--component-tag", metavar="NAME", help="Cost allocation tag whose value names the component.")
@click.option("--services", type=click.Path(path_type=Path), help="CSV that names the component of products.")
@click.option("--negatives-as-credits", is_flag=True, help="Count negative charges as credits.")
@click.option(
    "--format", "format_", type=click.Choice(["table", "json", "markdown", "csv"]), default="table", show_default=True
)
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file instead.")
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True)
@click.pass_context
def watch(
    context: click.Context,
    bills: tuple[Path, ...],
    plan: Path | None,
    preset: str | None,
    budgets: Path | None,
    bill_format: str | None,
    currency: str | None,
    rate: tuple[str, ...],
    month: "Month | None",
    today: date | None,
    lag_days: int,
    anomaly_floor: Decimal,
    anomaly_days: int | None,
    component_tag: str | None,
    services: Path | None,
    negatives_as_credits: bool,
    format_: str,
    output: Path | None,
    lang: Language,
) -> None:
    """Hold actual BILLS against the plan: budgets, anomalies, forecast.

    Reads one or more bills, gives every cost to a component of the plan, and reports the month so far,
    its forecast, and what alarms.
    """
    from sizing.catalogue import known_rates, parse_rate

    day = today or datetime.now(UTC).date()
    try:
        if find_spec("pandas") is None:
            raise MissingExtra("reme-size watch", "report")
        from sizing.watch.bill_reading import BillOptions
        from sizing.watch.month_report import WatchOptions, assess_month
        from sizing.watch.services import read_rules

        planned, limits = _read_limits(plan, preset, budgets)
        rates = known_rates(rate)
        if currency is not None and currency.upper() not in rates:
            raise BillError(
                f"--currency {currency} has no rate; known: {', '.join(rates)}. Add --rate {currency}=UNITS_PER_USD."
            )
        ledger = _read(
            bills,
            BillOptions(
                rates=rates,
                today=day,
                bill_format=bill_format,
                currency=currency.upper() if currency else None,
                component_tag=component_tag,
                negatives_as_credits=negatives_as_credits,
                rules=read_rules(services) if services else (),
            ),
        )
        options = WatchOptions(
            today=day,
            month=month,
            lag_days=lag_days,
            anomaly_floor_usd=anomaly_floor,
            anomaly_days=anomaly_days,
        )
        report = assess_month(ledger, limits, planned, options)
        extra: list[Note] = [*_say_rates(ledger, dict(parse_rate(text) for text in rate), lang)]
        if not limits:
            extra.append(("watch.note.no-budget", {}))
        report = replace(report, notes=(*extra, *report.notes))
        text = _render(report, format_, lang, terminal=output is None and sys.stdout.isatty())
        if output is None:
            click.echo(text, nl=False)
        else:
            write_whole(output, text)
    except SizingError as error:
        click.echo(f"reme-size: error: {error}", err=True)
        context.exit(error.exit_code)
    context.exit(FINDING if report.has_findings else 0)


def _read_limits(
    plan: Path | None, preset: str | None, budgets: Path | None
) -> "tuple[PlanReport | None, dict[str, Budget]]":
    from sizing.watch.budgets import merge_budgets, plan_budgets, preset_budgets, read_budgets
    from sizing.watch.plan_report import read_plan

    planned = read_plan(plan) if plan else None
    base = preset_budgets(preset) if preset else plan_budgets(planned) if planned else {}
    return planned, merge_budgets(base, read_budgets(budgets) if budgets else {})


def _read(bills: tuple[Path, ...], options: "BillOptions") -> "Ledger":
    from sizing.watch.bill_reading import read_bills

    if not bills:
        raise BillError("No bill is named. Name one or more CSV files: reme-size watch bill.csv")
    if Path("-") in bills:
        raise BillError("- is no bill: standard input cannot be read twice to find its encoding. Save it to a file.")
    seen: set[Path] = set()
    for bill in bills:
        if bill.resolve() in seen:
            raise BillError(f"{bill} is named twice. Name every bill once.")
        seen.add(bill.resolve())
    with _show_progress(sum(bill.stat().st_size for bill in bills if bill.is_file())) as advance:
        return read_bills(bills, options, advance)


@contextmanager
def _show_progress(total_bytes: int) -> Iterator[Callable[[int], None]]:
    """Give a function that takes the bytes read; it shows a bar from the second second on a terminal on."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from time import monotonic

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    progress = Progress(
        BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True
    )
    task = progress.add_task("", total=total_bytes)
    started = monotonic()
    shown = False

    def advance(size: int) -> None:
        nonlocal shown
        progress.update(task, advance=size)
        if not shown and monotonic() - started > SHOW_AFTER_SECONDS:
            progress.start()
            shown = True

    try:
        yield advance
    finally:
        if shown:
            progress.stop()


def _say_rates(ledger: "Ledger", given: dict[str, Decimal], language: Language) -> "Iterator[Note]":
    """Yield a note for each currency that was converted."""
    for currency, rate in ledger.rates.items():
        if rate != 1:
            source = render(f"watch.rate.{'user' if currency in given else 'catalogue'}", language)
            yield "watch.rate", {"currency": currency, "rate": f"{rate:f}", "source": source}


def _render(report: "WatchReport", form: str, language: Language, *, terminal: bool) -> str:
    if form in {"json", "csv"}:
        from sizing.watch.report_document import to_csv, to_json

        return to_json(report, language) if form == "json" else to_csv(report)
    from sizing.watch.report_text import WIDTH, to_markdown, to_table

    if form == "markdown":
        return to_markdown(report, language)
    width = max(MINIMUM_WIDTH, shutil.get_terminal_size().columns) if terminal else WIDTH
    return to_table(report, language, color=terminal and "NO_COLOR" not in os.environ, width=width)

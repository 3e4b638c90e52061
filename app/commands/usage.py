"""``reme usage``: what was used and what it cost."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.commands.opening import local_admin, open_services, read_settings
from app.commands.options import place_options
from app.commands.printing import print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from app.service.planned_use import UseComparison
    from app.service.usage import UsageReport

DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--from", "from_day", type=DAY, help="First day (UTC).  [default: the first metered]")
@click.option("--to", "to_day", type=DAY, help="Last day (UTC).  [default: today]")
@click.option("--workspace", "-w", help="Only this workspace.  [default: all of the tenant]")
@click.option("--tenant", default="default", show_default=True, help="Tenant whose use is shown.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(("table", "json", "workload")),
    default="table",
    show_default=True,
    help="Form of the report.",
)
@click.option("--workload", "as_workload", is_flag=True, help="The same as --format workload.")
@click.option(
    "--plan",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Show planned and metered use side by side: a report of `reme-size --format json`, or a workload file.",
)
@place_options
def usage(
    from_day: datetime | None,
    to_day: datetime | None,
    workspace: str | None,
    tenant: str,
    format_: str,
    as_workload: bool,
    plan: Path | None,
    working_dir: Path | None,
    config_file: Path | None,
) -> None:
    """Show what was used, by operation and model, and what the models' tokens cost at list prices.

    \b
      reme usage
      reme usage --from 2026-11-01 --to 2026-11-30 --format json
      reme usage --workload > metered.yaml && reme-size --file metered.yaml
      reme usage --plan plan.json

    The workload is the metered use as a file for `reme-size`, so that the next plan starts from facts.
    """
    if as_workload:
        format_ = "workload"
    if plan is not None and format_ == "workload":
        raise click.UsageError("--plan compares: it is printed as a table or as JSON, not as a workload.")
    principal = local_admin(tenant)
    days = {"from_day": _write_day(from_day), "to_day": _write_day(to_day)}
    with open_services(read_settings(working_dir, config_file), make=False) as services:
        if format_ == "workload":
            import yaml

            document = services.usage.as_workload(principal, workspace_id=workspace, **days)
            click.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), nl=False)
            return
        if plan is not None:
            from app.service.planned_use import read_planned

            _print_comparison(
                services.usage.compare(principal, read_planned(plan), workspace_id=workspace, **days), format_
            )
            return
        report = services.usage.report(principal, workspace_id=workspace, **days)
    if format_ == "json":
        from app.api.v1.resources import write_usage

        print_json(write_usage(report))
    elif report.lines:
        _print_usage(report)
    else:
        click.echo("reme: nothing was metered in these days", err=True)


def _write_day(day: datetime | None) -> str:
    return "" if day is None else day.date().isoformat()


def _print_usage(report: "UsageReport") -> None:
    columns = ("Operation", "Task", "Model", "Calls", "Items", "Input tokens", "Cached", "Output tokens", "USD")
    rows = [
        (
            line.operation,
            line.task or "–",
            line.model or "–",
            f"{line.calls:,}",
            f"{line.items:,}",
            f"{line.input_tokens:,}",
            f"{line.cached_tokens:,}",
            f"{line.output_tokens:,}",
            "no list price" if line.cost_usd is None else f"{line.cost_usd:,.4f}",
        )
        for line in report.lines
    ]
    print_table(columns, rows, right=range(3, 9))
    partial = "" if report.cost_usd is not None else f", without {', '.join(report.unpriced_models)}"
    click.echo(f"\n{report.from_day} to {report.to_day}: models cost {report.priced_usd:,.4f} USD{partial}")


def _print_comparison(compared: "Sequence[UseComparison]", format_: str) -> None:
    if format_ == "json":
        print_json(
            [
                {
                    "figure": each.figure,
                    "unit": each.unit,
                    "planned": None if each.planned is None else float(each.planned),
                    "metered": None if each.metered is None else float(each.metered),
                    "ratio": each.ratio,
                }
                for each in compared
            ]
        )
        return
    rows = [
        (
            each.figure,
            each.unit,
            _show(each.planned),
            _show(each.metered),
            "–" if each.ratio is None else f"{each.ratio:,.2f}",
        )
        for each in compared
    ]
    print_table(("Figure", "Unit", "Planned", "Metered", "Metered/planned"), rows, right=range(2, 5))


def _show(amount: "float | Decimal | None") -> str:
    return "no list price" if amount is None else f"{amount:,.2f}"

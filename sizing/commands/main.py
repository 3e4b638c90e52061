"""``reme-size``: plan and price a workload; the subcommands do the rest."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from sizing.commands.amounts import FiniteAmount
from sizing.commands.price_options import prices_option, rate_option
from sizing.commands.subcommands import SubcommandGroup, run_program
from sizing.commands.workload_options import GROUPS, GroupedOption, collect_document, workload_parameters
from sizing.errors import InvalidWorkload, SizingError
from sizing.messages import LANGUAGES, Language

if TYPE_CHECKING:
    from sizing.assessment import Assessment
    from sizing.catalogue import Catalogue

FORMATS = ("table", "json", "markdown", "html", "csv", "infracost-json")
EXIT_FINDING = 3
HTML_SAMPLES = 1000

SUBCOMMANDS = {
    "batch": ("sizing.commands.batch", "Plan and price many workloads from a CSV file."),
    "completion": ("sizing.commands.completion", "Print the completion script of a shell."),
    "diff": ("sizing.commands.diff", "Compare the bills of two workloads or reports."),
    "init": ("sizing.commands.init", "Write a commented workload file to start from."),
    "prices": ("sizing.commands.prices", "List, check and compare prices."),
    "schema": ("sizing.commands.schema", "Print the JSON Schema of workloads or plans."),
    "watch": ("sizing.commands.watch", "Hold actual bills against plan and budgets."),
}
"""Module and one-line help of every subcommand; loaded when used, so that the report starts fast."""


class SizeGroup(SubcommandGroup):
    """The root command: lists options under headings."""

    program = "reme-size"
    subcommands = SUBCOMMANDS

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*workload_parameters(), *super().get_params(ctx)]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for group, heading in GROUPS.items():
            records = []
            for parameter in self.get_params(ctx):
                record = parameter.get_help_record(ctx)
                named = parameter.group if isinstance(parameter, GroupedOption) else "output"
                if record is not None and named == group:
                    records.append(record)
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)
        self.format_commands(ctx, formatter)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name not in SUBCOMMANDS and Path(name).suffix in (".toml", ".yaml", ".yml"):
            raise click.UsageError(f"No such command {name!r}. Did you mean: reme-size --file {name}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=SizeGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option("--apply", "apply", metavar="NAME[,NAME]", help="Apply strategies that save money before the report.")
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), default="table", show_default=True, help="Form of the report."
)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file instead of the terminal."
)
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Language of the report.")
@click.option("--details", is_flag=True, help="Show every line, alternative, strategy and price.")
@click.option(
    "--samples",
    type=click.IntRange(0, 1_000_000),
    help="Draws of the simulation (P10/P50/P90).  [default: 1000 for html, else none]",
)
@prices_option
@rate_option
@click.option(
    "--budget",
    type=FiniteAmount(),
    metavar="USD",
    help="Exit with 3 when the expected monthly total is above this.",
)
@click.option("--fail-on-partial", is_flag=True, help="Exit with 3 when a line has no list price.")
@click.option(
    "--today", type=click.DateTime(["%Y-%m-%d"]), help="Date that prices' age is measured from.  [default: today]"
)
@click.version_option(package_name="reme-cloud", prog_name="reme-size")
@click.pass_context
def cli(context: click.Context, /, **values: Any) -> None:
    """Turn a head count and a guess into a tier, a sized plan and a bill.

    \b
      reme-size --users 500
      reme-size --users 300..500..900 --region aws:eu-west-1 --availability 99.9
      reme-size --file workload.toml --format html -o report.html
      reme-size --users 500 --apply vector-store,arm64

    A number may be a range low..expected..high; what is not given is assumed, with its origin shown
    in brackets below. Everything works offline. Exit codes: 0 fine, 1 failure, 2 bad input, 3 a finding.
    """
    if context.invoked_subcommand is not None:
        given = [name for name, source in _sources(context) if source is click.core.ParameterSource.COMMANDLINE]
        if given:
            names = ", ".join("--" + name.replace("_", "-") for name in sorted(given))
            raise click.UsageError(
                f"{names} belongs to the report: leave it out, or leave out the command {context.invoked_subcommand!r}."
            )
        return
    document = collect_document(values)
    if not document:
        click.echo(context.get_help())
        raise SystemExit(2)
    _report(document, values)


def _sources(context: click.Context) -> list[tuple[str, click.core.ParameterSource | None]]:
    return [(name, context.get_parameter_source(name)) for name in context.params]


def _report(document: dict[str, object], values: dict[str, Any]) -> None:
    from sizing.assessment import assess
    from sizing.commands.progress import track
    from sizing.workload_document import read_workload

    workload = read_workload(document)
    samples = values["samples"]
    if samples is None:
        samples = HTML_SAMPLES if values["format_"] == "html" else 0
    elif 0 < samples < 10:
        raise InvalidWorkload("samples", samples, "0, or 10 and more")
    applied = tuple(name.strip() for name in (values["apply"] or "").split(",") if name.strip())
    today = values["today"].date() if values["today"] else None
    with track("simulating", samples) as advance:
        assessment = assess(workload, _prices(values), apply=applied, samples=samples, today=today, advance=advance)
    _write(assessment, values)
    _gate(assessment, values["budget"], fail_on_partial=values["fail_on_partial"])


def _gate(assessment: "Assessment", budget: float | None, *, fail_on_partial: bool) -> None:
    """Exit with 3 on a finding, and never let a missing price pass for a low cost unnoticed."""
    total, gaps = assessment.report.total.expected, len(assessment.report.unpriced)
    if gaps and (budget is not None or fail_on_partial):
        click.echo(f"reme-size: partial: lines without a list price, not in the total: {gaps}", err=True)
    over = budget is not None and total > budget
    if over:
        click.echo(f"reme-size: over budget: {total:,.2f} USD a month is above {budget:,.2f}", err=True)
    if over or (gaps and fail_on_partial):
        raise SystemExit(EXIT_FINDING)


def _prices(values: dict[str, Any]) -> "Catalogue":
    from sizing.catalogue import load_catalogue

    return load_catalogue(tuple(values["price_files"]), tuple(values["rate"]))


def _write(assessment: "Assessment", values: dict[str, Any]) -> None:
    language: Language = values["lang"]
    form, output = values["format_"], values["output"]
    if form == "table" and output is None:
        from rich.console import Console

        from sizing.render.text import DEFAULT_WIDTH, MIN_WIDTH, print_report

        console = Console(width=None if sys.stdout.isatty() else DEFAULT_WIDTH, soft_wrap=False)
        console.width = max(console.width, MIN_WIDTH)
        print_report(assessment, language, console, details=values["details"])
        return
    if form == "html" and output is None and sys.stdout.isatty():
        raise click.UsageError("A page is no terminal text: write it to a file with -o report.html.")
    text = render_report(assessment, form, language, details=values["details"])
    if output is None:
        click.echo(text, nl=False)
    else:
        from sizing.commands.files import write_whole

        write_whole(output, text)
        click.echo(f"reme-size: wrote {output} ({len(text.encode()):,} bytes)", err=True)


def render_report(assessment: "Assessment", form: str, language: Language, *, details: bool) -> str:
    """Return the report in one of FORMATS."""
    if form == "json":
        from sizing.render.document import to_json

        return to_json(assessment)
    if form == "markdown":
        from sizing.render.markdown import to_markdown

        return to_markdown(assessment, language)
    if form == "html":
        from sizing.render.html import to_html
        from sizing.render.option_tables import tabulate_options

        return to_html(assessment, language, tabulate_options(assessment.design, language))
    if form == "csv":
        from sizing.render.csv_table import to_csv

        return to_csv(assessment)
    if form == "infracost-json":
        from sizing.render.infracost import to_infracost

        return to_infracost(assessment)
    from sizing.render.text import to_text

    return to_text(assessment, language, details=details)


def run(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: our errors become one line on stderr and their exit code."""
    run_program(cli, "reme-size", _explain, arguments)


def _explain(error: Exception) -> tuple[str, int] | None:
    return (str(error), error.exit_code) if isinstance(error, SizingError) else None

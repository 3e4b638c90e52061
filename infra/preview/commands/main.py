"""``reme-preview``: what a change of a Pulumi program does to every stack."""

import signal
from typing import NoReturn

import click

from infra.errors import InfraError
from sizing.commands.subcommands import EXIT_INPUT, SubcommandGroup, run_program
from sizing.errors import SizingError

EXIT_FINDING = 3

SUBCOMMANDS = {
    "compare": ("infra.preview.commands.compare", "Compare previews or states that were made elsewhere."),
    "post": ("infra.preview.commands.post", "Write a result as the comment of a pull request."),
    "run": ("infra.preview.commands.run", "Preview a change of every stack."),
    "schema": ("infra.preview.commands.schema", "Print the JSON Schema of a result or of the guardrails."),
    "show": ("infra.preview.commands.show", "Show a saved result."),
}
"""Module and one-line help of every subcommand; loaded when used, so that help is quick."""


class PreviewGroup(SubcommandGroup):
    """The root command."""

    program = "reme-preview"
    subcommands = SUBCOMMANDS


@click.group(
    cls=PreviewGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="reme-cloud", prog_name="reme-preview")
@click.pass_context
def cli(context: click.Context) -> None:
    """Show what a change does to every stack: resources, monthly cost, policies.

    \b
      reme-preview run --base origin/main
      reme-preview run --live --stack aws-prod
      reme-preview compare base.json head.json
      reme-preview post preview.json --github OWNER/NAME --number 7

    Without --live it needs no account: providers of this program apply the base to an empty state, and Pulumi's own
    engine previews the change on it. It works with any Pulumi program on AWS and Alibaba Cloud. Limits stand in
    reme-guardrails.yaml, as they are in the base.
    Exit codes: 0 fine, 1 failure, 2 bad input, 3 a finding that blocks.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
        raise SystemExit(EXIT_INPUT)


def run(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: our errors become one line on stderr and their exit code."""
    # As after Ctrl-C, what runs is ended and every folder is taken away: a forge cancels its jobs with this signal.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run_program(cli, "reme-preview", _explain, arguments)


def _explain(error: Exception) -> tuple[str, int] | None:
    known = isinstance(error, InfraError | SizingError)
    return (str(error), getattr(error, "exit_code", EXIT_INPUT)) if known else None

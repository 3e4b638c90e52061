"""``reme-deploy``: stacks planned, deployed, updated and removed without knowing Pulumi."""

from typing import NoReturn

import click

from infra.errors import InfraError
from sizing.commands.subcommands import EXIT_INPUT, SubcommandGroup, run_program

SUBCOMMANDS = {
    "destroy": ("infra.deployment.commands.destroy", "Remove everything of a stack or an environment."),
    "image": ("infra.deployment.commands.image", "Build the service's image, and push it to the stack's registry."),
    "plan": ("infra.deployment.commands.plan", "Show tier, reasons and monthly cost; needs no account."),
    "promote": ("infra.deployment.commands.promote", "Bring a new version into service, and watch it."),
    "rollback": ("infra.deployment.commands.rollback", "Go back to the version before."),
    "status": ("infra.deployment.commands.status", "Show outputs, the last update and the service's health."),
    "up": ("infra.deployment.commands.up", "Deploy a stack or an environment, or what changed of it."),
}
"""Module and one-line help of every subcommand; loaded when used, so that help is quick."""


class DeployGroup(SubcommandGroup):
    """The root command."""

    program = "reme-deploy"
    subcommands = SUBCOMMANDS


@click.group(
    cls=DeployGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="reme-cloud", prog_name="reme-deploy")
@click.pass_context
def cli(context: click.Context) -> None:
    """Deploy the memory service to a cloud.

    \b
      reme-deploy plan aws-prod
      reme-deploy up aws-dev
      reme-deploy promote aws-prod --version 0.2.0
      reme-deploy status aws-prod --json

    NAME is a stack, such as aws-dev, or an environment, such as global: its stacks are done region by region, and a
    failure stops before the next. Stacks are files in infra/stacks. Credentials are those of the cloud's own tools.
    Exit codes: 0 fine, 1 failure, 2 bad input, 3 a finding (unhealthy, rolled back).
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
        raise SystemExit(EXIT_INPUT)


def run(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: our errors become one line on stderr and their exit code."""
    run_program(cli, "reme-deploy", _explain, arguments)


def _explain(error: Exception) -> tuple[str, int] | None:
    return (str(error), getattr(error, "exit_code", EXIT_INPUT)) if isinstance(error, InfraError) else None

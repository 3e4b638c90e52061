"""``reme-deploy``: stacks planned, deployed, updated and removed without knowing Pulumi."""

import difflib
import sys
from importlib import import_module

import click

from infra.errors import InfraError

EXIT_FAILURE = 1
EXIT_INPUT = 2

SUBCOMMANDS = {
    "destroy": ("infra.deployment.commands.destroy", "Remove everything of a stack or an environment."),
    "plan": ("infra.deployment.commands.plan", "Show tier, reasons and monthly cost; needs no account."),
    "promote": ("infra.deployment.commands.promote", "Bring a new version into service, and watch it."),
    "rollback": ("infra.deployment.commands.rollback", "Go back to the version before."),
    "status": ("infra.deployment.commands.status", "Show outputs, the last update and the service's health."),
    "up": ("infra.deployment.commands.up", "Deploy a stack or an environment, or what changed of it."),
}
"""Module and one-line help of every subcommand; loaded when used, so that help is quick."""


class DeployGroup(click.Group):
    """The root command: loads subcommands when they are named."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in SUBCOMMANDS:
            return None
        command = getattr(import_module(SUBCOMMANDS[cmd_name][0]), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(SUBCOMMANDS.items())])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        near = difflib.get_close_matches(name, SUBCOMMANDS, n=1)
        if name not in SUBCOMMANDS and near:
            raise click.UsageError(f"No such command {name!r}. Did you mean: reme-deploy {near[0]}", ctx)
        return super().resolve_command(ctx, args)


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
      reme-deploy plan prod
      reme-deploy up aws-dev
      reme-deploy promote prod --version 0.2.0
      reme-deploy status prod --json

    NAME is a stack, such as aws-dev, or an environment, such as global: its stacks are done region by region, and a
    failure stops before the next. Stacks are files in infra/stacks. Credentials are those of the cloud's own tools.
    Exit codes: 0 fine, 1 failure, 2 bad input, 3 a finding (unhealthy, rolled back).
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
        raise SystemExit(EXIT_INPUT)


def run(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: our errors become one line on stderr and their exit code."""
    try:
        code = cli.main(arguments, prog_name="reme-deploy", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("reme-deploy: interrupted", err=True)
        code = EXIT_FAILURE
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except InfraError as error:
        click.echo(f"reme-deploy: error: {error}", err=True)
        code = getattr(error, "exit_code", EXIT_INPUT)
    except BrokenPipeError:
        sys.stderr.close()
        code = EXIT_FAILURE
    except Exception as error:
        kind = type(error).__name__
        click.echo(
            f"reme-deploy: failed: {kind}: {error}. This is a defect of reme-deploy, please report it.", err=True
        )
        code = EXIT_FAILURE
    raise SystemExit(code if isinstance(code, int) else 0)

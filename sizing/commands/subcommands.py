"""What the command lines share: subcommands that are loaded when they are named, and how a run ends.

A word that is no subcommand gets the nearest that is.
"""

import difflib
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import ClassVar, NoReturn

import click

EXIT_FAILURE = 1
EXIT_INPUT = 2
Explain = Callable[[Exception], tuple[str, int] | None]
"""The sentence and the exit code of an error that the program knows; None for a defect."""


class SubcommandGroup(click.Group):
    """The root command of one of the command lines.

    `subcommands` has the module and the one-line help of each by its name, so that help is quick. `functions` names
    the function of a module where it is not called as the subcommand is.
    """

    program: ClassVar[str]
    subcommands: ClassVar[Mapping[str, tuple[str, str]]]
    functions: ClassVar[Mapping[str, str]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names, sorted."""
        return sorted(self.subcommands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The subcommand of a name, loaded; None where there is none."""
        if cmd_name not in self.subcommands:
            return None
        command = getattr(import_module(self.subcommands[cmd_name][0]), self.functions.get(cmd_name, cmd_name))
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The subcommands, of which none is loaded."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(self.subcommands.items())])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The subcommand of the first word; raises UsageError with the nearest where it is none."""
        name = args[0] if args else ""
        near = difflib.get_close_matches(name, self.subcommands, n=1)
        if name not in self.subcommands and near:
            raise click.UsageError(f"No such command {name!r}. Did you mean: {self.program} {near[0]}", ctx)
        return super().resolve_command(ctx, args)


def run_program(group: click.Group, program: str, explain: Explain, arguments: list[str] | None = None) -> NoReturn:
    """Run a command line and exit: an error that `explain` knows becomes one line on stderr and its exit code."""
    try:
        code = group.main(arguments, prog_name=program, standalone_mode=False)
    except click.exceptions.Abort:
        click.echo(f"{program}: interrupted", err=True)
        code = EXIT_FAILURE
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        code = EXIT_FAILURE
    except Exception as error:
        known = explain(error)
        if known is None:
            kind = type(error).__name__
            said = f"failed: {kind}: {error}. This is a defect of {program}, please report it."
        else:
            said = f"error: {known[0]}"
        click.echo(f"{program}: {said}", err=True)
        code = EXIT_FAILURE if known is None else known[1]
    raise SystemExit(code if isinstance(code, int) else 0)

"""``reme``: run the memory service, and work on its store without it."""

import difflib
import sys
from importlib import import_module

import click

from app.errors import MemoryServiceError

EXIT_FAILURE = 1
EXIT_INPUT = 2
EXIT_FINDING = 3

SUBCOMMANDS = {
    "add": ("app.commands.add", "Remember a text."),
    "completion": ("app.commands.completion", "Print the completion script of a shell."),
    "config": ("app.commands.config", "Show the settings in force and where each comes from."),
    "doctor": ("app.commands.doctor", "Examine the store, and repair it."),
    "export": ("app.commands.exporting", "Write a workspace as JSON lines."),
    "import": ("app.commands.importing", "Read JSON lines into a workspace."),
    "index": ("app.commands.index", "Show or remake a vector index beside the store."),
    "keys": ("app.commands.keys", "Issue, list, rotate and revoke API keys."),
    "mcp": ("app.commands.mcp", "Offer memory to an MCP client over standard input and output."),
    "migrate": ("app.commands.migrate", "Move workspaces, or everything, to another store."),
    "reembed": ("app.commands.reembed", "Move the store to another embedding."),
    "search": ("app.commands.search", "Find memories."),
    "serve": ("app.commands.serve", "Run the service over HTTP."),
    "usage": ("app.commands.usage", "Show what was used and what it cost."),
    "weights": ("app.commands.weights", "Keep weights of models in the object store."),
}
"""Module and one-line help of every subcommand; loaded when used, so that help is quick."""
FUNCTIONS = {"export": "export_memories", "import": "import_memories"}
"""Commands whose name is no good name for a function."""


class ServiceGroup(click.Group):
    """The root command: loads subcommands when they are named, and takes a bare `key=value` for `serve`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in SUBCOMMANDS:
            return None
        command = getattr(import_module(SUBCOMMANDS[cmd_name][0]), FUNCTIONS.get(cmd_name, cmd_name))
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(SUBCOMMANDS.items())])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Upstream's documentation starts the service with `reme backend=http http.port=8002`.
        if args and "=" in args[0] and not args[0].startswith("-"):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        near = difflib.get_close_matches(name, SUBCOMMANDS, n=1)
        if name not in SUBCOMMANDS and near:
            raise click.UsageError(f"No such command {name!r}. Did you mean: reme {near[0]}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=ServiceGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="reme-cloud", prog_name="reme")
@click.pass_context
def cli(context: click.Context) -> None:
    """Run the memory service, and work on its store.

    \b
      reme serve
      reme add "Ada prefers coffee without sugar" --user ada
      reme search "what does Ada drink?"
      reme keys issue laptop --role admin

    The store is .reme/memory.db in the working directory, or the database that the settings name. All commands
    but `serve` work on it directly, as its administrator, also while the service runs. Settings come from arguments,
    REME_* variables and --config; `reme config` shows them. Exit codes: 0 fine, 1 failure, 2 bad input, 3 a finding.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
        raise SystemExit(EXIT_INPUT)


def exit_code_of(error: MemoryServiceError) -> int:
    """2 for what the caller asked wrongly, 1 for what went wrong here."""
    return EXIT_INPUT if 400 <= error.status < 500 else EXIT_FAILURE


def run(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: our errors become one line on stderr and their exit code."""
    try:
        code = cli.main(arguments, prog_name="reme", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("reme: interrupted", err=True)
        code = EXIT_FAILURE
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except MemoryServiceError as error:
        click.echo(f"reme: error: {error.message}", err=True)
        code = exit_code_of(error)
    except BrokenPipeError:
        sys.stderr.close()
        code = EXIT_FAILURE
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("app", "sizing"):
            code = _report_defect(error)
        else:
            click.echo(f"reme: error: the library {error.name!r} is missing: install reme-cloud[app]", err=True)
            code = EXIT_FAILURE
    except Exception as error:
        code = _report_defect(error)
    raise SystemExit(code if isinstance(code, int) else 0)


def _report_defect(error: Exception) -> int:
    kind = type(error).__name__
    click.echo(f"reme: failed: {kind}: {error}. This is a defect of reme, please report it.", err=True)
    return EXIT_FAILURE

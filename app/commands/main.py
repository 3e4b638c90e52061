"""``reme``: run the memory service, and work on its store without it."""

from typing import NoReturn

import click

from app.errors import MemoryServiceError
from sizing.commands.subcommands import EXIT_FAILURE, EXIT_INPUT, SubcommandGroup, run_program

EXIT_FINDING = 3

SUBCOMMANDS = {
    "add": ("app.commands.add", "Remember a text."),
    "backup": ("app.commands.backup", "Keep a copy of the whole store, and look after copies."),
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
    "restore": ("app.commands.restore", "Make a backup the store."),
    "search": ("app.commands.search", "Find memories."),
    "serve": ("app.commands.serve", "Run the service over HTTP."),
    "usage": ("app.commands.usage", "Show what was used and what it cost."),
    "weights": ("app.commands.weights", "Keep weights of models in the object store."),
}
"""Module and one-line help of every subcommand; loaded when used, so that help is quick."""
FUNCTIONS = {"export": "export_memories", "import": "import_memories"}
"""Commands whose name is no good name for a function."""


class ServiceGroup(SubcommandGroup):
    """The root command; it takes a bare `key=value` for `serve`."""

    program = "reme"
    subcommands = SUBCOMMANDS
    functions = FUNCTIONS

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Upstream's documentation starts the service with `reme backend=http http.port=8002`.
        if args and "=" in args[0] and not args[0].startswith("-"):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


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


def run(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: our errors become one line on stderr and their exit code."""
    run_program(cli, "reme", _explain, arguments)


def _explain(error: Exception) -> tuple[str, int] | None:
    if isinstance(error, MemoryServiceError):
        return error.message, exit_code_of(error)
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] not in ("app", "sizing"):
        return f"the library {error.name!r} is missing: install reme-cloud[app]", EXIT_FAILURE
    return None

"""Reference pages of `reme-preview` and `reme-deploy`: their help, and schemas of what the preview reads and writes."""

from collections.abc import Callable

import click

from infra.deployment.commands.main import cli as deploy
from infra.preview.commands.main import cli as preview
from infra.preview.commands.schema import guardrails_schema
from infra.preview.result import result_schema
from tools.reference_pages import REFERENCE, page, walk_commands, write_schema


def write_help(title: str, command: click.Command, name: str) -> str:
    """The help page of every command of a command line."""
    parts = ["The help pages of the program, as it prints them."]
    for names, found, context in walk_commands(command, (name,)):
        parts.append(f"## {' '.join(names)}\n\n```text\n{found.get_help(context).rstrip()}\n```")
    return page(title, *parts)


PREVIEW_FILES: dict[str, Callable[[], str]] = {
    f"{REFERENCE}/deploy-cli.md": lambda: write_help("Command line of deployments", deploy, "reme-deploy"),
    f"{REFERENCE}/preview-cli.md": lambda: write_help("Command line of previews", preview, "reme-preview"),
    f"{REFERENCE}/schemas/preview.schema.json": lambda: write_schema(dict(result_schema())),
    f"{REFERENCE}/schemas/guardrails.schema.json": lambda: write_schema(guardrails_schema()),
}

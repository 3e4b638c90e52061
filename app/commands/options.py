"""Options that several commands share: where the store is, which workspace, the form of the output."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def place_options(command: F) -> F:
    """Add ``--working-dir`` and ``--config``: where the store is and how it is set up."""
    for option in (
        click.option("--config", "config_file", type=click.Path(path_type=Path), help="Settings file, .toml or .yaml."),
        click.option(
            "--working-dir",
            type=click.Path(path_type=Path),
            help="Folder whose .reme/memory.db is the store.  [default: REME_WORKING_DIR, or here]",
        ),
    ):
        command = option(command)
    return command


def workspace_option(command: F) -> F:
    """Add ``--workspace`` and ``--tenant``."""
    for option in (
        click.option("--tenant", default="default", show_default=True, help="Tenant that the workspace belongs to."),
        click.option("--workspace", "-w", default="default", show_default=True, help="Workspace of the memories."),
    ):
        command = option(command)
    return command


def json_option(command: F) -> F:
    """Add ``--json``: output for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def kind_option(*, multiple: bool) -> Callable[[F], F]:
    """Add ``--kind``: what a memory is about."""
    kinds = click.Choice(("personal", "task", "tool", "working"))
    if multiple:
        return click.option("--kind", "kinds", type=kinds, multiple=True, help="Only this kind of memory. Repeatable.")
    return click.option(
        "--kind", type=kinds, default="personal", show_default=True, help="What the memory is about: a person, a task …"
    )

"""What several commands take: the name, the project's folder, the answer to the question."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from infra.deployment.errors import BadRequest

Command = TypeVar("Command", bound=Callable[..., Any])


def target_options(command: Command) -> Command:
    """The stack or environment, and the folder that it lies in."""
    command = click.option(
        "--project",
        "folder",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        default=".",
        help="Folder of Pulumi.yaml.  [default: the working directory or the nearest above it]",
    )(command)
    return click.argument("name", metavar="NAME")(command)


def yes_option(command: Command) -> Command:
    """Leave out the question."""
    return click.option("--yes", "-y", is_flag=True, help="Do not ask.")(command)


def say(line: str) -> None:
    """A line of progress on stderr."""
    click.echo(f"reme-deploy: {line}", err=True)


def ask(question: str, *, yes: bool) -> bool:
    """Whether to go on; raises BadRequest where nobody is there to answer."""
    if yes:
        return True
    try:
        return click.confirm(question, err=True)
    except click.exceptions.Abort:
        raise BadRequest("nobody answered: give --yes where no terminal is") from None

"""What `run` and `compare` are told besides the files: use, waivers, whether policies are asked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from infra.preview.assembly import Terms
from sizing.pricing.usage import NO_USAGE, load_usage

Command = TypeVar("Command", bound=Callable[..., Any])


def terms_options(command: Command) -> Command:
    """Options of what all stacks are judged by."""
    path = click.Path(path_type=Path, dir_okay=False, exists=True)
    for decorate in (
        click.option("--usage", "usage_file", type=path, help="Quantities of what is billed by use."),
        click.option(
            "--waivers", "waivers_file", type=path, help="Waivers.  [default: the base's policies/waivers.csv]"
        ),
        click.option("--policies/--no-policies", default=True, show_default=True, help="Whether policies are asked."),
    ):
        command = decorate(command)
    return command


def read_terms(usage_file: Path | None, waivers_file: Path | None, *, policies: bool) -> Terms:
    """The terms of these options; raises InvalidUsage for a usage file that is wrong."""
    usage = load_usage(usage_file) if usage_file is not None else NO_USAGE
    return Terms(usage=usage, policies=policies, waivers=waivers_file)

"""Options that several commands share: own prices, own exchange rates, the form of a list."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def prices_option(command: F) -> F:
    """Add ``--prices``: price files whose rows replace ours."""
    path = click.Path(path_type=Path)
    text = "Price file whose rows replace ours. Repeatable."
    return click.option("--prices", "price_files", multiple=True, type=path, help=text)(command)


def rate_option(command: F) -> F:
    """Add ``--rate``: exchange rates in place of ours."""
    text = "Exchange rate, units per USD, instead of ours. Repeatable."
    return click.option("--rate", multiple=True, metavar="CNY=7.0", help=text)(command)


def list_format_option(*forms: str) -> Callable[[F], F]:
    """Add ``--format`` with these forms, the first by default."""
    choice = click.Choice(forms)
    text = "Form of the list."
    return click.option("--format", "format_", type=choice, default=forms[0], show_default=True, help=text)

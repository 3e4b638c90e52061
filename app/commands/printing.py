"""What commands print: tables that fit a terminal, JSON for programs, moments, text that others wrote."""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import click

DEFAULT_WIDTH = 110
"""Columns where output goes to no terminal, as in the tables of `reme-size`."""
MIN_WIDTH = 60

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters and changes of direction: a stored text must not steer the terminal that shows it."""


def print_json(document: object) -> None:
    """Print JSON for a program to read."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def clean(text: str) -> str:
    """A stored text as a terminal may show it."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def show_moment(ms: int) -> str:
    """A moment as "2026-11-22 11:52" in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Print a table; `right` lists the columns of figures."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, column in enumerate(columns):
        grid.add_column(column, overflow="fold", justify="right" if index in right else "left")
    for row in rows:
        grid.add_row(*(Text(clean(cell)) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else DEFAULT_WIDTH)
    console.width = max(console.width, MIN_WIDTH)
    console.print(grid)

"""The report for a terminal, laid out by rich (which knows the width of Chinese characters)."""

from typing import TYPE_CHECKING

from sizing.assessment import Assessment
from sizing.messages import Language
from sizing.render.blocks import Bullets, Heading, Paragraph, Table
from sizing.render.outline import outline

if TYPE_CHECKING:
    from rich.console import Console

MIN_WIDTH = 60
DEFAULT_WIDTH = 100
"""Columns where the output is no terminal, such as a file or a pipe."""


def print_report(assessment: Assessment, language: Language, console: "Console", *, details: bool) -> None:
    """Print the report to a console."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table as Grid
    from rich.text import Text

    for block in outline(assessment, language, details=details):
        if isinstance(block, Heading):
            console.print()
            console.print(Text(block.text, style="bold cyan"))
        elif isinstance(block, Paragraph):
            console.print(Text(block.text, style="bold" if block.strong else ""))
        elif isinstance(block, Bullets):
            for item in block.items:
                grid = Grid.grid(padding=(0, 1))
                grid.add_row("•", Text(item))
                console.print(grid)
        elif isinstance(block, Table):
            grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
            for index, column in enumerate(block.columns):
                grid.add_column(
                    escape(column), justify="right" if index in block.right else "left", overflow="fold", no_wrap=False
                )
            for number, row in enumerate(block.rows):
                last = block.total and number == len(block.rows) - 1
                if last:
                    grid.add_section()
                grid.add_row(*(Text(cell) for cell in row), style="bold" if last else "")
            console.print(grid)


def to_text(assessment: Assessment, language: Language, *, details: bool = False, width: int = DEFAULT_WIDTH) -> str:
    """Return the report as plain text of a given width."""
    from io import StringIO

    from rich.console import Console

    buffer = StringIO()
    console = Console(file=buffer, width=max(width, MIN_WIDTH), color_system=None, force_terminal=False)
    print_report(assessment, language, console, details=details)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"

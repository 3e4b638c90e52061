"""Progress of long work on stderr: a bar on a terminal, a line now and then elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

import click

LINE_EVERY_S = 10.0
"""Often enough to see in a log that work goes on, seldom enough to keep the log short."""


@contextmanager
def track(title: str, unit: str, *, every_s: float = LINE_EVERY_S) -> Iterator[Callable[[int, int], None]]:
    """Yield a function to call with how much is done and how much there is; 0 for an unknown end."""
    if not sys.stderr.isatty():
        yield _write_lines(title, unit, every_s)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=max(total, done) if total else None)

        yield show


def _write_lines(title: str, unit: str, every_s: float) -> Callable[[int, int], None]:
    last = monotonic()

    def show(done: int, total: int) -> None:
        nonlocal last
        if monotonic() - last >= every_s:
            last = monotonic()
            of = f" of {max(total, done):,}" if total else ""
            click.echo(f"reme: {title}: {done:,}{of} {unit}", err=True)

    return show

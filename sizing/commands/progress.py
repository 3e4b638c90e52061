"""A progress bar for what may take over a second, on a terminal only."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

BAR_FROM_STEPS = 3000
"""Fewer draws than this take less than a second."""


@contextmanager
def track(title: str, steps: int) -> Iterator[Callable[[int], None] | None]:
    """Yield a function to call with the steps done, None where no bar is shown."""
    if steps < BAR_FROM_STEPS or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=steps)
        pending = 0

        def advance(done: int) -> None:
            nonlocal pending
            pending += done
            if pending >= 100:
                bar.advance(task, pending)
                pending = 0

        yield advance

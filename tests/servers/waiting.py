"""Waiting for what becomes true, without guessing how long it takes."""

from collections.abc import Callable
from time import monotonic, sleep

PATIENCE_S = 180.0
"""How long is waited at the most; reached only when something is broken, however busy the machine."""
PAUSE_S = 0.02


class NeverHappened(AssertionError):
    """What was waited for did not become true; the message says what it was."""


def wait_until(condition: Callable[[], bool], what: str | Callable[[], str], *, patience_s: float = PATIENCE_S) -> None:
    """Ask again and again until a condition holds.

    Raises NeverHappened with `what`, or with what it returns, when the patience ends. Errors of the condition go through.
    """
    until = monotonic() + patience_s
    while not condition():
        if monotonic() > until:
            raise NeverHappened(f"waited {patience_s:.0f} s for {what() if callable(what) else what}")
        sleep(PAUSE_S)

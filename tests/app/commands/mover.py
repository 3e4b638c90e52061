"""A mover that dies at a point of its work: `python -m tests.app.commands.mover WHERE METHOD NUMBER WHEN ARGUMENTS…`.

It is `reme ARGUMENTS…`, and kills itself when it comes to the call of a number of a method of the `Copying` of the
source ("here") or of the target ("there"): "before" it, or "after" it, when the store has done it and the mover does
not know.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from app.commands import migrate
from app.commands.main import run
from app.service.migration import Place


class Dying:
    """A `Copying` at one of whose calls the process ends."""

    def __init__(self, copying: Any, method: str, number: int, when: str) -> None:
        self._copying, self._method, self._number, self._when = copying, method, number, when
        self._calls = 0

    def __getattr__(self, name: str) -> Any:
        wanted = getattr(self._copying, name)
        return wanted if name != self._method else lambda *args, **named: self._call(wanted, *args, **named)

    def _call(self, wanted: Any, *args: Any, **named: Any) -> Any:
        self._calls += 1
        if self._calls != self._number:
            return wanted(*args, **named)
        if self._when == "after":
            wanted(*args, **named)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("nobody survives SIGKILL")


def main() -> None:
    """Move, and die."""
    where, method, number, when, *arguments = sys.argv[1:]
    open_place = migrate._open_place

    @contextmanager
    def open_dying(place: str, *, like: Place | None = None, **options: Any) -> Iterator[Place]:
        with open_place(place, like=like, **options) as opened:
            if where != ("here" if like is None else "there"):
                yield opened
                return
            storage: Any = opened.storage
            copying = Dying(storage.copying, method, int(number), when)
            yield replace(opened, storage=replace(storage, copying=copying))

    migrate._open_place = open_dying
    run(arguments)


if __name__ == "__main__":
    main()

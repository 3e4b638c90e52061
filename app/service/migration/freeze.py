"""Keeping writers out of the source for the end of a move."""

import logging
from collections.abc import Sequence
from threading import Event, Thread
from types import TracebackType

from app.domain.copying import MoveMark
from app.errors import StoreError
from app.ports import Copying

log = logging.getLogger("reme.migrate")


class Freeze:
    """Holds marks while it lasts; a thread renews them, three times a lease, so that they lapse when this process dies.

    `settle` makes them last for good; else they are taken away at the end.
    """

    def __init__(self, copying: Copying, marks: Sequence[MoveMark], *, lease_ms: int) -> None:
        self._copying, self._marks, self._lease_ms = copying, tuple(marks), lease_ms
        self._over, self._lost = Event(), Event()
        self._settled = False
        self._thread = Thread(target=self._run, name="reme-freeze", daemon=True)

    def __enter__(self) -> "Freeze":
        held: list[MoveMark] = []
        try:
            for mark in self._marks:
                self._copying.hold(mark, lease_ms=self._lease_ms)
                held.append(mark)
        except BaseException:
            for mark in held:
                self._copying.reopen(mark.scope)
            raise
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if self._settled:
            return
        for mark in self._marks:
            try:
                self._copying.reopen(mark.scope)
            except StoreError as error:  # it lapses by itself
                log.warning("the mark on the source was not taken away: %s", error.message)

    def holds(self) -> bool:
        """Whether nobody can have written since the beginning."""
        return not self._lost.is_set() and self._renew()

    def settle(self) -> bool:
        """Keep writers out for good; False, and nothing is kept, where somebody may have written."""
        self._over.set()
        self._thread.join()
        if not self.holds():
            return False
        self._settled = all(self._copying.settle(mark) for mark in self._marks)
        return self._settled

    def _renew(self) -> bool:
        return all(self._copying.renew(mark, lease_ms=self._lease_ms) for mark in self._marks)

    def _run(self) -> None:
        while not self._over.wait(self._lease_ms / 3000):
            try:
                if not self._renew():
                    self._lost.set()
                    return
            except StoreError:
                continue  # whether it lapsed meanwhile is seen at the next renewal

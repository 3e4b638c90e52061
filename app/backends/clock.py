"""Clocks: the machine's, and one that stands still until it is told to go on."""

import time
from threading import Lock


class SystemClock:
    """The machine's wall clock."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000_000


class SteppingClock:
    """A clock for tests: it shows the same moment until it is set or stepped, backwards too."""

    def __init__(self, now_ms: int = 1_800_000_000_000) -> None:
        self._now_ms = now_ms
        self._lock = Lock()

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC; 2027-01-15 08:00 unless told otherwise."""
        with self._lock:
            return self._now_ms

    def set(self, now_ms: int) -> None:
        """Show another moment."""
        with self._lock:
            self._now_ms = now_ms

    def step(self, ms: int = 1) -> int:
        """Go on by some milliseconds and return the new moment."""
        with self._lock:
            self._now_ms += ms
            return self._now_ms

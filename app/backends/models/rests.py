"""A rest after a failure, so that callers do not wait one after another for a provider that is away."""

from collections.abc import Callable
from threading import Lock
from time import monotonic

from app.errors import ModelError

REST_S = 15.0
"""Ours: an outage is asked about four times a minute, and is noticed to be over within as long."""


class Rest:
    """What is asked within `rest_s` after a failure fails like it, at once; then one caller finds out for all.

    Without a rest (0 s) everybody asks. May be used from any thread.
    """

    def __init__(self, rest_s: float, *, seconds: Callable[[], float] = monotonic) -> None:
        self._rest_s = rest_s
        self._seconds = seconds
        self._lock = Lock()
        self._error: ModelError | None = None
        self._until_s = 0.0

    def check(self, longest_s: float) -> None:
        """Raise what failed last, unless the caller may ask; if it is the one who finds out, it has `longest_s`."""
        with self._lock:
            error = self._error
            if error is None:
                return
            now_s = self._seconds()
            if now_s >= self._until_s:
                self._until_s = now_s + (longest_s if self._rest_s else 0.0)
                return
        raise type(error)(error.message)

    def begin(self, error: ModelError) -> None:
        """Rest because of a failure."""
        with self._lock:
            self._error, self._until_s = error, self._seconds() + self._rest_s

    def end(self) -> None:
        """Everybody may ask: an answer came."""
        self._error = None

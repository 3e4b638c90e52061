"""How many requests a minute go out to a model."""

from collections import deque
from collections.abc import Callable
from threading import Lock
from time import monotonic

from app.errors import ModelUnavailable, SettingsError

WINDOW_S = 60.0


class RequestRate:
    """Lets at most `requests_per_minute` requests start in any 60 seconds, in the order in which they were booked.

    For one process: with several, each has its own. May be used from any thread. `seconds` is a clock that never
    goes back. Raises `SettingsError` for a rate below 1.
    """

    def __init__(self, requests_per_minute: int, *, seconds: Callable[[], float] = monotonic) -> None:
        if requests_per_minute < 1:
            raise SettingsError(f"requests_per_minute is {requests_per_minute}: give 1 or more")
        self._limit = requests_per_minute
        self._seconds = seconds
        self._starts: deque[float] = deque(maxlen=requests_per_minute)
        self._lock = Lock()

    def book(self, within_s: float) -> float:
        """Take the next start that is free and return the seconds until then.

        Raises `ModelUnavailable`, and takes none, where that is later than `within_s`. One that is free now is given
        even where no time is left, which is for the caller to tell.
        """
        with self._lock:
            now = self._seconds()
            start = max(now, self._starts[0] + WINDOW_S) if len(self._starts) == self._limit else now
            wait_s = start - now
            if wait_s > max(0.0, within_s):
                raise ModelUnavailable(
                    f"the next of {self._limit} requests a minute is free in {wait_s:.1f} s, after the deadline in "
                    f"{max(0.0, within_s):.1f} s: repeat later, or raise requests_per_minute"
                )
            self._starts.append(start)
            return wait_s

"""Clocks with which five minutes are short."""

from collections.abc import Callable

from tests.servers.waiting import wait_until


class SteppedClock:
    """Time that passes by waiting only."""

    def __init__(self) -> None:
        self.moment_s = 0.0

    def now_s(self) -> float:
        return self.moment_s

    def sleep_s(self, seconds: float) -> None:
        self.moment_s += seconds


class LoadedClock(SteppedClock):
    """Time that passes with the load: a wait ends when that has got an answer more for each second of it.

    So five minutes are some seconds, and see as many requests however busy the machine is.
    """

    def __init__(self, count_answers: Callable[[], int]) -> None:
        super().__init__()
        self._count = count_answers

    def sleep_s(self, seconds: float) -> None:
        wanted = self._count() + seconds
        wait_until(lambda: self._count() >= wanted, f"{seconds:.0f} more answers to the load")
        super().sleep_s(seconds)

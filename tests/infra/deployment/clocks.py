"""Clocks with which five minutes are short."""

import time


class SteppedClock:
    """Time that passes by waiting only."""

    def __init__(self) -> None:
        self.moment_s = 0.0

    def now_s(self) -> float:
        return self.moment_s

    def sleep_s(self, seconds: float) -> None:
        self.moment_s += seconds


class QuickClock:
    """The machine's time sixty times as fast: five minutes take five seconds."""

    def now_s(self) -> float:
        return time.monotonic() * 60

    def sleep_s(self, seconds: float) -> None:
        time.sleep(seconds / 60)

"""The clocks."""

import time

from app.backends.clock import SteppingClock, SystemClock
from app.ports import Clock


def test_the_system_clock_shows_the_time() -> None:
    clock: Clock = SystemClock()
    before_ms = int(time.time() * 1000)
    assert before_ms <= clock.now_ms() <= int(time.time() * 1000) + 1


def test_a_stepping_clock_stands_still_until_told_otherwise() -> None:
    clock = SteppingClock(5000)
    as_port: Clock = clock
    assert [as_port.now_ms(), as_port.now_ms()] == [5000, 5000]
    assert (clock.step(), clock.step(10), clock.step(-6)) == (5001, 5011, 5005)
    clock.set(7)
    assert as_port.now_ms() == 7

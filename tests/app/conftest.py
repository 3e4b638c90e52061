"""What tests of the service share."""

import pytest

from app.backends.clock import SteppingClock, SystemClock


@pytest.fixture
def midday(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clock of services in this process stand still, so that no day and no month ends while a test runs."""
    now_ms = SteppingClock().now_ms()
    monkeypatch.setattr(SystemClock, "now_ms", lambda _: now_ms)

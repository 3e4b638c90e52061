"""Green on this machine, and moderators that ask it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any

import pytest
from tenacity import wait_none

from app.backends.clock import SystemClock
from app.backends.green import AccessKey, AccessKeys, GreenChoice, GreenModerator, SettledKey
from app.backends.models import attempts
from app.domain.memory import Scope
from app.domain.moderation import ALLOWED, Finding, Judged, TextSource, Verdict
from app.errors import ModelError
from app.service.moderation import Moderation
from tests.app.moderation.green_server import KEY_ID, KEY_SECRET, GreenServer, green_server
from tests.app.service.conftest import make_bench

SCOPE = Scope(tenant_id="acme", workspace_id="w")
MakeGreen = Callable[..., GreenModerator]
PATIENT: dict[str, Any] = {"timeout_s": 30.0, "deadline_s": 60.0}
"""Limits that an answer on a busy machine keeps."""


class NotingModerator:
    """Refuses texts with a word in them, or fails, and notes what it was asked."""

    def __init__(self, word: str = "bomb", *, failure: ModelError | None = None) -> None:
        self.word = word
        self.failure = failure
        self.asked: list[str] = []

    def name_of(self, source: TextSource) -> str:
        return f"noting:{source}"

    def judge(self, texts: Sequence[str], *, source: TextSource) -> Judged:
        self.asked += texts
        if self.failure is not None:
            return Judged(verdicts=(None,) * len(texts), failure=self.failure)
        found = (Finding(label="violent_weapons"),)
        verdicts = tuple(Verdict(allowed=False, findings=found) if self.word in text else ALLOWED for text in texts)
        return Judged(verdicts=verdicts, calls=len(texts))

    def close(self) -> None:
        """Nothing to close."""


def make_moderation(
    moderator: NotingModerator, *, entries: int = 100, moment: list[float] | None = None, allow_unjudged: bool = False
) -> Moderation:
    """Content moderation by a moderator, at a moment in seconds."""
    seconds = moment or [0.0]
    return Moderation(
        moderator,
        meter=make_bench().store.meter,
        clock=SystemClock(),
        entries=entries,
        allow_unjudged=allow_unjudged,
        seconds=lambda: seconds[0],
    )


@pytest.fixture
def server() -> Iterator[GreenServer]:
    """Green without faults."""
    with green_server() as running:
        yield running


@pytest.fixture
def without_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr(attempts, "_backoff", wait_none())


@pytest.fixture
def make_green(server: GreenServer) -> Iterator[MakeGreen]:
    """Makes moderators with fields of `GreenChoice`; after a failure they do not rest unless told."""
    with ExitStack() as stack:

        def make(keys: AccessKeys | None = None, **fields: Any) -> GreenModerator:
            choice = GreenChoice(**{"address": server.address, "rest_s": 0.0, **PATIENT, **fields})
            settled = SettledKey(AccessKey(id=KEY_ID, secret=KEY_SECRET))
            return stack.enter_context(closing(GreenModerator(choice, keys or settled)))

        yield make


@pytest.fixture
def settings(server: GreenServer) -> dict[str, Any]:
    """The section of the settings that asks this server."""
    return {
        "backend": "green",
        "endpoint": server.address,
        "access_key": KEY_ID,
        "secret_key": KEY_SECRET,
        **PATIENT,
    }

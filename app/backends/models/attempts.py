"""Attempts to get an answer: what is tried again, when, and what is given up."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_any,
    stop_before_delay,
    wait_random_exponential,
)
from tenacity.nap import sleep_using_event
from tenacity.stop import stop_base

from app.backends.models.choices import Endpoint
from app.backends.models.connections import Connections, Oversized, Request
from app.backends.models.rates import RequestRate
from app.errors import MalformedAnswer, ModelError, ModelRefused, ModelTimeout, ModelUnavailable

if TYPE_CHECKING:
    from openai import APIStatusError

T = TypeVar("T")

MOST_ATTEMPTS = 5
MOST_MALFORMED = 3
"""Answers that cannot be used before one gives up; each of them costs tokens."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 8.0
"""The waits of OpenAI's own client (0.5 s, doubled up to 8 s), here with full jitter: a random part of each, as
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ advises for many callers at once."""

_PASSING = frozenset({408, 409, 429})
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_REMEDIES: Mapping[int, str] = {
    400: "check what the model supports",
    401: "check api_key",
    402: "top up the provider's account",
    403: "check what api_key may do",
    404: "check model_name and api_base",
    413: "send less at a time",
}
_backoff = wait_random_exponential(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S)


class Deadline:
    """A moment `seconds` from now, by a clock that never goes back."""

    def __init__(self, seconds: float) -> None:
        self._until = monotonic() + seconds

    @property
    def left_s(self) -> float:
        """The seconds until then; below 0 when it has passed."""
        return self._until - monotonic()


class Setback(Exception):
    """An attempt failed and another may not.

    `wait_s` is how long the provider asked one to wait; `cut_short` that the attempt had less than its time.
    """

    def __init__(self, error: ModelError, *, wait_s: float | None = None, cut_short: bool = False) -> None:
        super().__init__(error.message)
        self.error = error
        self.wait_s = wait_s
        self.cut_short = cut_short


class Unusable(Exception):
    """An answer that came but is not what was asked for; "is" or "has" what, in no words of its text."""


class Line:
    """Calls of one model at one endpoint, within its rate; shared by all that ask it."""

    def __init__(self, connections: Connections, endpoint: Endpoint, model_name: str, rate: RequestRate) -> None:
        self._connections = connections
        self._endpoint = endpoint
        self._rate = rate
        self.name = f"model {model_name!r} at {endpoint.host}"

    def call(self, request: Request, *, deadline: Deadline, timeout_s: float, most_bytes: int) -> bytes:
        """The body of a response that came within `timeout_s` and the deadline.

        Raises `openai.APIStatusError`, which `judge` reads, `Setback` for what may pass, or another `ModelError`.
        """
        from httpx2 import HTTPError, InvalidURL  # noqa: PLC0415 - as lazy as the client itself
        from openai import APIConnectionError, APIStatusError, APITimeoutError  # noqa: PLC0415

        self._connections.closing.wait(self._rate.book(deadline.left_s))
        limit_s = min(timeout_s, deadline.left_s)
        try:
            return self._connections.ask(self._endpoint, request, timeout_s=limit_s, most_bytes=most_bytes)
        except APIStatusError:
            raise
        except (TimeoutError, APITimeoutError):
            cut_short = limit_s < timeout_s
            limit = "the deadline: repeat later, or raise deadline_s"
            if not cut_short:
                limit = f"{timeout_s:g} s: repeat later, or raise timeout_s"
            raise Setback(ModelTimeout(f"{self.name} did not answer within {limit}"), cut_short=cut_short) from None
        except Oversized:
            raise self.malformed(f"is larger than {most_bytes:,} bytes") from None
        except (InvalidURL, UnicodeError):  # a host of no such form, or one that no name service takes
            raise ModelRefused(f"{self.name} has no address that can be used: check api_base") from None
        except (APIConnectionError, HTTPError, OSError) as failure:
            kind = type(failure.__cause__ or failure).__name__
            raise Setback(
                ModelUnavailable(f"{self.name} was not reached, or broke off ({kind}): check api_base, or repeat later")
            ) from None

    def judge(self, failure: "APIStatusError") -> Exception:
        """The `Setback` or `ModelRefused` that a provider's refusal is; says its status and code, nothing it quotes."""
        status = failure.status_code
        code = failure.code if isinstance(failure.code, str) and _CODE.fullmatch(failure.code) else ""
        said = f"{self.name} answered {status}{f' ({code})' if code else ''}"
        if (status in _PASSING or status >= 500) and code != "insufficient_quota":
            wait_s = read_wait(failure.response.headers)
            asked = "" if wait_s is None else f" and asks to wait {wait_s:.1f} s"
            return Setback(ModelUnavailable(f"{said}{asked}: repeat the request later"), wait_s=wait_s)
        if 300 <= status < 400:
            return ModelRefused(f"{said}: redirects are not followed, so give the address it leads to as api_base")
        remedy = _REMEDIES[402] if code == "insufficient_quota" else _REMEDIES.get(status, _REMEDIES[400])
        return ModelRefused(f"{said}: {remedy}")

    def malformed(self, complaint: str) -> Setback:
        """The setback of an answer that is `Unusable`."""
        return Setback(MalformedAnswer(f"the answer of {self.name} {complaint}"))

    def persist(self, attempt: Callable[[], T], deadline: Deadline) -> T:
        """What an attempt returns, as `persist` says, until the connections are closed."""
        return persist(attempt, deadline, self._connections.closing)


def persist(attempt: Callable[[], T], deadline: Deadline, closing: Event) -> T:
    """What an attempt returns, tried again after a `Setback` until the deadline would pass in waiting.

    Waits as long as the provider asks, or else longer each time, and no more once `closing` is set; an answer that was
    malformed is asked for again at once. Raises what else an attempt raises, or the last setback's error; where the
    deadline cut the last attempt short, that of the one before says more.
    """
    setbacks: list[Setback | None] = []
    retrying = Retrying(
        retry=retry_if_exception_type(Setback),
        wait=_wait_s,
        stop=stop_any(
            _TooManyMalformed(), stop_after_attempt(MOST_ATTEMPTS), stop_before_delay(max(0.0, deadline.left_s))
        ),
        before_sleep=lambda state: setbacks.append(_setback(state)),
        sleep=sleep_using_event(closing),
        reraise=True,
    )
    try:
        return retrying(attempt)
    except Setback as setback:
        earlier = setbacks[-1] if setbacks and setback.cut_short else None
        raise (earlier or setback).error from None


class _TooManyMalformed(stop_base):
    """Counts the answers of one question that could not be used."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, retry_state: RetryCallState) -> bool:
        setback = _setback(retry_state)
        self._count += setback is not None and isinstance(setback.error, MalformedAnswer)
        return self._count >= MOST_MALFORMED


def _wait_s(state: RetryCallState) -> float:
    setback = _setback(state)
    if setback is not None and setback.wait_s is not None:
        return setback.wait_s
    if setback is not None and isinstance(setback.error, MalformedAnswer):
        return 0.0
    return _backoff(state)


def _setback(state: RetryCallState) -> Setback | None:
    failure = state.outcome.exception() if state.outcome is not None else None
    return failure if isinstance(failure, Setback) else None


def read_wait(headers: Mapping[str, str]) -> float | None:
    """The seconds that `Retry-After-ms` or `Retry-After` (seconds, or a date) ask to wait; None where neither reads."""
    for name, per_second in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            wait_s = float(headers.get(name, "")) / per_second
        except ValueError:
            continue
        if isfinite(wait_s):
            return max(0.0, wait_s)
    try:
        moment = parsedate_to_datetime(headers.get("retry-after", ""))
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())

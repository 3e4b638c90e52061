"""Rates, waits, tokens and choices: what holds without a server."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from app.backends.models.attempts import read_wait
from app.backends.models.choices import ModelChoice
from app.backends.models.rates import RequestRate
from app.backends.models.tokens import estimate_tokens, read_usage
from app.domain.usage import TokenUsage
from app.errors import ModelUnavailable, SettingsError


def test_no_minute_has_more_starts_than_allowed() -> None:
    now = 0.0
    rate = RequestRate(3, seconds=lambda: now)
    starts = []
    for step in range(12):
        now = step * 5.0
        starts.append(now + rate.book(1000.0))
    assert starts == [0, 5, 10, 60, 65, 70, 120, 125, 130, 180, 185, 190]


def test_a_start_that_is_too_late_is_not_taken() -> None:
    now = 0.0
    rate = RequestRate(1, seconds=lambda: now)
    assert rate.book(0.0) == 0.0
    for _ in range(3):
        with pytest.raises(ModelUnavailable, match=r"free in 60\.0 s"):
            rate.book(59.0)
    assert rate.book(61.0) == 60.0
    now = 119.0
    assert rate.book(2.0) == pytest.approx(1.0)


def test_a_time_that_is_over_is_no_fault_of_the_rate() -> None:
    rate = RequestRate(1, seconds=lambda: 0.0)
    assert rate.book(-1.0) == 0.0
    with pytest.raises(ModelUnavailable, match=r"free in 60\.0 s"):
        rate.book(-1.0)


def test_threads_share_a_rate() -> None:
    rate = RequestRate(10, seconds=lambda: 0.0)
    with ThreadPoolExecutor(8) as pool:
        waits = sorted(pool.map(lambda _: rate.book(1000.0), range(40)))
    assert waits == [minute * 60.0 for minute in range(4) for _ in range(10)]


def test_a_rate_needs_a_request() -> None:
    with pytest.raises(SettingsError, match="requests_per_minute is 0"):
        RequestRate(0)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-1"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ],
)
def test_how_long_a_provider_asks_to_wait(headers: dict[str, str], wait_s: float | None) -> None:
    assert read_wait(headers) == wait_s


def test_a_date_to_wait_for() -> None:
    before = datetime.now(UTC)
    moment = before.replace(microsecond=0) + timedelta(seconds=30)
    wait_s = read_wait({"retry-after": format_datetime(moment, usegmt=True)})
    assert wait_s is not None
    assert moment - datetime.now(UTC) <= timedelta(seconds=wait_s) <= moment - before


@pytest.mark.parametrize(
    ("counted", "usage"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 2}, TokenUsage(input_tokens=9, output_tokens=2)),
        ({"prompt_tokens": 9}, TokenUsage(input_tokens=9, output_tokens=1)),
        ({"prompt_tokens": 9, "prompt_tokens_details": None}, TokenUsage(input_tokens=9, output_tokens=1)),
        (
            {"prompt_tokens": 9, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 8}},
            TokenUsage(input_tokens=9, cached_tokens=8),
        ),
        (
            {"prompt_tokens": 9, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 80}},
            TokenUsage(input_tokens=9, cached_tokens=9),
        ),
        ({"prompt_tokens": 10**30, "completion_tokens": 2}, TokenUsage(input_tokens=2, output_tokens=1)),
        ({"prompt_tokens": 9, "completion_tokens": 10**15}, TokenUsage(input_tokens=2, output_tokens=1)),
        ({"prompt_tokens": "9" * 4000}, TokenUsage(input_tokens=2, output_tokens=1)),
        (None, TokenUsage(input_tokens=2, output_tokens=1)),
        ({}, TokenUsage(input_tokens=2, output_tokens=1)),
        ({"prompt_tokens": -1}, TokenUsage(input_tokens=2, output_tokens=1)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, TokenUsage(input_tokens=2, output_tokens=1)),
    ],
)
def test_tokens_as_counted_or_estimated(counted: object, usage: TokenUsage) -> None:
    assert read_usage(counted, sent="eight ch", received="four") == usage


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abcde", 2), ("我住在", 3), ("我a", 2)])
def test_estimates(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"model_name": " "}, "model_name is empty"),
        ({"api_base": "api.openai.com/v1"}, "api_base is no address"),
        ({"api_base": "ftp://host/v1"}, "api_base is no address"),
        ({"api_base": "http://host:port/v1"}, "api_base is no address"),
        ({"api_base": "http://[::1/v1"}, "api_base is no address"),
        ({"api_base": "http://ho st/v1"}, "api_base is no address"),
        ({"api_base": "http://me:hunter2@host/v1"}, "holds a password"),
        ({"api_base": "http://host/v1?key=hunter2"}, "holds a password or a query"),
        ({"api_key": "hunter2\nX: y"}, "api_key holds blanks"),
        ({"api_key": "hunter2ü"}, "api_key holds blanks or characters beyond ASCII"),
        ({"temperature": 2.5}, "temperature is 2.5: give 0 to 2"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"timeout_s": 0}, "timeout_s is 0"),
        ({"deadline_s": float("inf")}, "deadline_s is inf"),
        ({"structured": "xml"}, "structured is 'xml'"),
    ],
)
def test_choices_that_cannot_be_used(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        ModelChoice(**{"model_name": "m", **fields})
    assert words in caught.value.message
    assert "hunter2" not in caught.value.message


def test_a_key_is_in_no_repr() -> None:
    choice = ModelChoice(model_name="m", api_base="http://host:1/v1", api_key="hunter2")
    assert "hunter2" not in repr(choice) + repr(choice.endpoint)
    assert choice.endpoint.host == "host:1"
    assert ModelChoice(model_name="m", api_base="").endpoint.host == "api.openai.com"

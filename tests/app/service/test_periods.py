"""Dates that questions name."""

from datetime import UTC, datetime

import pytest

from app.service.periods import find_period

DAY_MS = 86_400_000


def moment(year: int, month: int = 1, day: int = 1) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("What did I eat on 5 September 2024?", "What did I eat ?"),
        ("What did I eat on the 5th of Sept 2024?", "What did I eat ?"),
        ("Sep. 5, 2024 dinner", "dinner"),
        ("dinner on 2024-09-05", "dinner"),
        ("2024年9月5日我吃了什么", "我吃了什么"),
        ("dinner after 2024-09-05T18:30:00Z", "dinner after"),
    ],
)
def test_a_day_is_found_and_taken_out(text: str, rest: str) -> None:
    period = find_period(text)
    assert period is not None
    assert (period.from_ms, period.to_ms) == (moment(2024, 9, 5), moment(2024, 9, 5) + DAY_MS)
    assert period.rest == rest


@pytest.mark.parametrize("text", ["trips in December 2024", "trips, Dec 2024", "trips 2024-12", "2024年12月去了哪里"])
def test_a_month_lasts_until_the_next(text: str) -> None:
    period = find_period(text)
    assert period is not None
    assert (period.from_ms, period.to_ms) == (moment(2024, 12), moment(2025))


def test_a_year_lasts_until_the_next() -> None:
    period = find_period("Where did I live in 2023?")
    assert period is not None
    assert (period.from_ms, period.to_ms) == (moment(2023), moment(2024))


@pytest.mark.parametrize(
    "text",
    [
        "What did I eat in March?",
        "What did I eat last week?",
        "31 February 2024 dinner",
        "between 3 May 2024 and 5 May 2024",
        "March 2024",
        "the invoice of 2024",
        "0000年的事",
        "order 2024-13-77",
        "order 2024-12-345",
        "between 2024-03-01 and 5 May 2024",
        "2025年0月的事",
        "2025年2月30日的事",
        "the bill of 2024-03-00",
        "29 February 2023 dinner",
    ],
)
def test_what_names_no_single_time_is_left_alone(text: str) -> None:
    assert find_period(text) is None


def test_a_text_is_of_a_period_if_its_date_lies_in_it() -> None:
    period = find_period("What is planned for March 2025?")
    assert period is not None
    assert period.is_named_in("The inspection is on 14 March 2025")
    assert not period.is_named_in("The inspection is on 14 April 2025")
    assert not period.is_named_in("The inspection is in 2025")
    assert period.covers(moment(2025, 3, 31))
    assert not period.covers(moment(2025, 4, 1))

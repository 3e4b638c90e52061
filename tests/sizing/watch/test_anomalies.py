"""A day above 150 % of the day before alarms; 150 % itself, cents and gaps do not."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sizing.watch.anomalies import find_anomalies
from sizing.watch.daily import TOTAL, DailyCosts, Month, sum_by_day
from tests.sizing.watch.entries import entry

FIRST = date(2026, 11, 1)


def daily(*costs: str | None, component: str = "llm") -> DailyCosts:
    """Return the costs of consecutive days, None where the bill has no data."""
    found = {FIRST + timedelta(days=i): Decimal(usd) for i, usd in enumerate(costs) if usd is not None}
    return DailyCosts({component: found, TOTAL: dict(found)}, tuple(found), FIRST + timedelta(days=len(costs) - 1))


def days_of(costs: DailyCosts, floor: str = "1") -> list[int]:
    return [item.day.day for item in find_anomalies(costs, ("llm",), costs.days, Decimal(floor))]


@pytest.mark.parametrize(
    ("before", "after", "alarms"),
    [
        ("10.00", "15.00", False),
        ("10.00", "15.01", True),
        ("10.0000000000", "15.0000000001", True),
        ("3.33", "4.995", False),
        ("3.33", "4.9951", True),
        ("10.00", "9.00", False),
        ("0", "1.00", True),
        ("0", "0.99", False),
        ("0.02", "0.05", False),
    ],
)
def test_the_rule_is_exact_at_150_percent(before: str, after: str, alarms: bool) -> None:
    assert days_of(daily(before, after)) == ([2] if alarms else [])


@pytest.mark.parametrize(("floor", "alarms"), [("0", True), ("4.99", True), ("5.00", True), ("5.01", False)])
def test_the_rise_must_reach_the_floor(floor: str, alarms: bool) -> None:
    assert bool(days_of(daily("5", "10"), floor)) is alarms


def test_a_day_without_data_is_not_zero() -> None:
    assert days_of(daily("10", None, "100")) == []
    assert days_of(daily("10", None, "10", "100")) == [4]


def test_the_bill_s_first_day_has_nothing_to_be_compared_with() -> None:
    assert days_of(daily("100", "100")) == []


def test_the_first_of_a_month_is_compared_with_the_last_of_the_one_before() -> None:
    costs = {date(2026, 10, 31): Decimal(10), date(2026, 11, 1): Decimal(20)}
    bill = DailyCosts({TOTAL: costs}, tuple(costs), date(2026, 11, 1))
    (found,) = find_anomalies(bill, (TOTAL,), [date(2026, 11, 1)], Decimal(1))
    assert (found.usd, found.before_usd, found.rise_usd) == (Decimal(20), Decimal(10), Decimal(10))


def test_a_component_that_appears_rises_from_nothing() -> None:
    bill = DailyCosts(
        {
            TOTAL: {FIRST: Decimal(10), FIRST + timedelta(days=1): Decimal(12)},
            "cache": {FIRST + timedelta(days=1): Decimal(2)},
        },
        (FIRST, FIRST + timedelta(days=1)),
        FIRST + timedelta(days=1),
    )
    found = list(find_anomalies(bill, ("cache", TOTAL), bill.days, Decimal(1)))
    assert [(item.component, item.before_usd) for item in found] == [("cache", Decimal(0))]


@given(
    before=st.decimals(min_value=0, max_value=1000, places=4),
    after=st.decimals(min_value=0, max_value=1000, places=4),
    floor=st.decimals(min_value=0, max_value=20, places=2),
)
def test_the_rule_for_any_pair(before: Decimal, after: Decimal, floor: Decimal) -> None:
    expected = after * 2 > before * 3 and after - before >= floor
    assert bool(days_of(daily(str(before), str(after)), str(floor))) is expected


def test_days_hold_charges_only_and_end_before_the_incomplete_one() -> None:
    entries = [
        entry(FIRST, "1"),
        entry(FIRST, "2", component="llm"),
        entry(FIRST, "30", kind="fee", lump=True),
        entry(FIRST, "4", kind="tax", lump=True),
        entry(date(2026, 11, 3), "5"),
        entry(date(2026, 11, 4), "0.1"),
    ]
    costs = sum_by_day(entries, date(2026, 11, 3))

    assert costs.costs == {
        TOTAL: {FIRST: 3, date(2026, 11, 3): 5},
        "compute": {FIRST: 1, date(2026, 11, 3): 5},
        "llm": {FIRST: 2},
    }
    assert costs.missing(Month(2026, 11)) == (date(2026, 11, 2),)
    assert costs.on("llm", date(2026, 11, 3)) == 0
    assert costs.on("llm", date(2026, 11, 2)) is None


@pytest.mark.parametrize("month", [Month(2026, 10), Month(2026, 12)])
def test_days_before_the_bill_and_after_it_are_not_missing(month: Month) -> None:
    costs: Mapping[date, Decimal] = {FIRST: Decimal(1)}
    assert DailyCosts({TOTAL: costs}, (FIRST,), date(2026, 11, 3)).missing(month) == ()

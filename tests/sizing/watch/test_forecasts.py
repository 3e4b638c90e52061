"""The month-end forecast: right where it can be known, and intervals that hold what they promise."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from sizing.watch.daily import TOTAL, DailyCosts, Month
from sizing.watch.forecasts import Forecast, forecast_month
from sizing.watch.smoothing import smooth, spread_ahead, student_quantile

NOVEMBER = Month(2026, 11)
LAST = date(2026, 11, 20)
Series = np.ndarray[Any, Any]


def days(first: date, count: int) -> tuple[date, ...]:
    return tuple(first + timedelta(days=i) for i in range(count))


def bill(history: int, costs: dict[str, Series]) -> DailyCosts:
    """Return the costs of the ``history`` days up to LAST."""
    known = days(LAST - timedelta(days=history - 1), history)
    by_component = {
        name: {day: Decimal(repr(round(float(usd), 4))) for day, usd in zip(known, values[:history], strict=True)}
        for name, values in costs.items()
    }
    total = {day: sum((by_component[name][day] for name in costs), Decimal(0)) for day in known}
    return DailyCosts({**by_component, TOTAL: total}, known, LAST)


def spent(daily: DailyCosts) -> dict[str, Decimal]:
    return {
        name: sum((usd for day, usd in by_day.items() if day in NOVEMBER), Decimal(0))
        for name, by_day in daily.costs.items()
        if name != TOTAL
    }


def forecast(daily: DailyCosts, today: date = LAST + timedelta(days=1)) -> dict[str, Forecast]:
    return forecast_month(daily, NOVEMBER, spent(daily), {}, today)


def test_a_constant_cost_goes_on() -> None:
    found = forecast(bill(20, {"nat": np.array([1.08] * 20)}))["nat"]
    assert (found.method, found.model, found.month_end_usd) == ("smoothing", "simple", Decimal("32.40"))
    assert found.intervals == {80: (Decimal("32.40"), Decimal("32.40")), 95: (Decimal("32.40"), Decimal("32.40"))}


def test_a_straight_line_goes_on() -> None:
    values = 10 + 0.5 * np.arange(30)
    found = forecast(bill(20, {"llm": values}))["llm"]
    assert found.model == "holt"
    assert found.month_end_usd == pytest.approx(Decimal(repr(float(values.sum()))), abs=Decimal("0.05"))


def test_weekdays_go_on() -> None:
    known = days(LAST - timedelta(days=41), 42)
    ahead = days(LAST + timedelta(days=1), 10)

    def usd(day: date) -> float:
        return 4.0 if day.weekday() >= 5 else 10.0

    found = forecast(bill(42, {"llm": np.array([usd(day) for day in known])}))["llm"]
    expected = sum(usd(day) for day in (*known[-20:], *ahead))
    assert found.model == "simple+weekdays"
    assert found.month_end_usd == pytest.approx(Decimal(repr(expected)), abs=Decimal("0.5"))


def test_the_total_is_the_sum_of_what_is_shown() -> None:
    dice = np.random.default_rng(3)
    found = forecast(bill(20, {name: dice.normal(mean, 1, 20) for name, mean in (("a", 10), ("b", 20), ("c", 30))}))
    ends = [found[name].month_end_usd or Decimal(0) for name in "abc"]
    assert found[TOTAL].month_end_usd == sum(ends, Decimal(0))


def test_errors_that_move_together_widen_the_total() -> None:
    dice = np.random.default_rng(4)
    noise = dice.normal(0, 1, 30)
    alike = forecast(bill(20, {"a": 10 + noise, "b": 10 + noise}))
    opposed = forecast(bill(20, {"a": 10 + noise, "b": 10 - noise}))

    def width(found: dict[str, Forecast]) -> Decimal:
        low, high = found[TOTAL].intervals[80]
        return high - low

    assert width(opposed) < width(alike) / 10


def test_few_days_give_a_rate_and_no_interval() -> None:
    found = forecast(bill(6, {"llm": np.array([1.0, 2, 3, 4, 5, 6])}))["llm"]
    assert (found.method, found.intervals) == ("rate", {})
    assert found.month_end_usd == Decimal("21") + Decimal("3.5") * 10
    assert forecast(bill(7, {"llm": np.ones(7)}))["llm"].method == "smoothing"


def test_on_the_first_of_a_month_the_rate_is_of_the_days_before() -> None:
    known = days(date(2026, 10, 29), 3)
    daily = DailyCosts({name: dict.fromkeys(known, Decimal(2)) for name in ("llm", TOTAL)}, known, date(2026, 10, 31))
    found = forecast_month(daily, NOVEMBER, {"llm": Decimal("0.1")}, {}, date(2026, 11, 1))["llm"]
    assert found.month_end_usd == Decimal("60.00")
    assert found.days_ahead == 30


def test_gaps_are_filled_and_days_before_the_bill_are_not() -> None:
    known = tuple(day for day in days(date(2026, 11, 5), 16) if day.day not in (9, 10))
    daily = DailyCosts({name: dict.fromkeys(known, Decimal(3)) for name in ("llm", TOTAL)}, known, LAST)
    found = forecast(daily)["llm"]
    assert found.days_ahead == 10 + 2
    assert found.month_end_usd == Decimal(3) * 26


def test_lumps_are_counted_once_and_not_repeated() -> None:
    daily = bill(20, {"compute": np.full(20, 1.0)})
    found = forecast_month(daily, NOVEMBER, {"compute": Decimal(120)}, {"compute": Decimal(100)}, date(2026, 11, 21))
    assert found["compute"].month_end_usd == Decimal("130.00")


def test_fees_alone_are_complete() -> None:
    daily = bill(20, {"compute": np.full(20, 1.0)})
    every = {"compute": Decimal(20), "security": Decimal(9)}
    found = forecast_month(daily, NOVEMBER, every, {"security": Decimal(9)}, date(2026, 11, 21))
    assert (found["security"].method, found["security"].month_end_usd) == ("complete", Decimal(9))
    assert found[TOTAL].month_end_usd == Decimal("39.00")


def test_a_complete_month_is_what_it_cost() -> None:
    known = days(NOVEMBER.first, 30)
    daily = DailyCosts({name: dict.fromkeys(known, Decimal("1.001")) for name in ("llm", TOTAL)}, known, NOVEMBER.last)
    found = forecast_month(daily, NOVEMBER, {"llm": Decimal("30.03")}, {}, date(2026, 12, 5))["llm"]
    assert (found.method, found.days_ahead, found.month_end_usd) == ("complete", 0, Decimal("30.03"))


@pytest.mark.parametrize(("today", "method"), [(date(2026, 11, 20), "none"), (date(2026, 12, 1), "complete")])
def test_a_bill_by_the_month_has_no_forecast_until_the_month_is_over(today: date, method: str) -> None:
    daily = DailyCosts({TOTAL: {}}, (), today)
    found = forecast_month(daily, NOVEMBER, {"llm": Decimal(5)}, {"llm": Decimal(5)}, today)["llm"]
    assert found.method == method
    assert found.month_end_usd == (None if method == "none" else Decimal(5))


def test_what_is_spent_is_never_undone() -> None:
    daily = bill(20, {"llm": np.array([20.0 - i for i in range(20)])})
    found = forecast(daily)["llm"]
    assert found.month_end_usd is not None
    assert found.month_end_usd >= spent(daily)["llm"]
    assert found.intervals[95][0] >= spent(daily)["llm"]


def test_the_spread_of_a_sum_matches_a_simulation() -> None:
    """The closed form of the error of a sum of days, against 20,000 drawn futures."""
    dice = np.random.default_rng(5)
    known = days(date(2026, 9, 1), 60)
    fit = smooth(10 + np.cumsum(dice.normal(0, 0.3, 60)) + dice.normal(0, 0.3, 60), known)
    ahead = days(date(2026, 11, 1), 12)
    deviation, freedom = spread_ahead([fit], ahead)
    sigma = float(np.sqrt(fit.residuals @ fit.residuals / freedom))
    sums = np.zeros(20_000)
    level, trend = np.full(20_000, fit.level), np.full(20_000, fit.trend)
    for day in ahead:
        error = dice.normal(0, sigma, 20_000)
        factor = fit.factors[day.weekday()]
        sums += (level + trend + error) * factor
        level, trend = level + trend + fit.alpha * error, trend + fit.beta * error
    assert sums.mean() == pytest.approx(fit.sum_ahead(ahead), rel=0.01)
    assert sums.std() == pytest.approx(deviation, rel=0.03)


@pytest.mark.parametrize(
    ("freedom", "probability", "tabulated"),
    [(3, 0.9, 1.638), (5, 0.9, 1.476), (5, 0.975, 2.571), (10, 0.975, 2.228), (30, 0.975, 2.042), (1000, 0.9, 1.282)],
)
def test_student_s_quantiles(freedom: int, probability: float, tabulated: float) -> None:
    assert student_quantile(probability, freedom) == pytest.approx(tabulated, rel=0.02 if freedom < 5 else 0.005)


def flat(dice: np.random.Generator, count: int) -> Series:
    return 10 + dice.normal(0, 1, count)


def skewed(dice: np.random.Generator, count: int) -> Series:
    return 10 * np.exp(dice.normal(0, 0.3, count))


def walking(dice: np.random.Generator, count: int) -> Series:
    return 20 + np.cumsum(dice.normal(0, 0.5, count))


def growing(dice: np.random.Generator, count: int) -> Series:
    return 10 + 0.2 * np.arange(count) + dice.normal(0, 1, count)


def weekly(dice: np.random.Generator, count: int) -> Series:
    at_weekend = np.arange(count) % 7 >= 5
    return 10 * (1 - 0.4 * at_weekend) + dice.normal(0, 0.5, count)


def stepping(dice: np.random.Generator, count: int) -> Series:
    noise = dice.normal(0, 0.5, count)
    return 10 + noise + 5 * (np.arange(count) >= dice.integers(5, count))


COVERAGE = [
    # process, days of history, allowed band of the 80 % and of the 95 % interval
    (flat, 10, (0.70, 0.90), (0.87, 1.0)),
    (flat, 20, (0.70, 0.92), (0.88, 1.0)),
    (flat, 50, (0.70, 0.90), (0.88, 1.0)),
    (skewed, 50, (0.68, 0.90), (0.87, 1.0)),
    (walking, 50, (0.60, 0.90), (0.80, 1.0)),
    (growing, 50, (0.60, 0.90), (0.80, 1.0)),
    (weekly, 50, (0.70, 0.95), (0.88, 1.0)),
    # What it cannot foresee: measured, and only kept from getting much worse.
    (growing, 10, (0.30, 0.90), (0.35, 1.0)),
    (stepping, 20, (0.40, 0.90), (0.45, 1.0)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("process", "history", "band_80", "band_95"), COVERAGE)
def test_coverage_of_the_intervals(
    process: Callable[[np.random.Generator, int], Series],
    history: int,
    band_80: tuple[float, float],
    band_95: tuple[float, float],
    record_property: Callable[[str, object], None],
) -> None:
    """How often the month's end, ten days on, lies in the interval over 150 seeded bills."""
    hits = {80: 0, 95: 0}
    for seed in range(150):
        values = np.maximum(process(np.random.default_rng(seed), history + 10), 0.0)
        daily = bill(history, {"llm": values})
        found = forecast(daily)[TOTAL]
        truth = float(spent(daily)["llm"]) + float(values[history:].sum())
        for percent, (low, high) in found.intervals.items():
            hits[percent] += float(low) <= truth <= float(high)
    coverage = {percent: hit / 150 for percent, hit in hits.items()}
    record_property("coverage", coverage)
    print(f"{process.__name__}, {history} days: {coverage[80]:.0%} of 80 %, {coverage[95]:.0%} of 95 %")  # noqa: T201
    assert band_80[0] <= coverage[80] <= band_80[1]
    assert band_95[0] <= coverage[95] <= band_95[1]

"""What a month will have cost at its end."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

from sizing.cost.report import CENT
from sizing.watch.daily import TOTAL, DailyCosts, Month, each_day
from sizing.watch.ledger import add_up
from sizing.watch.smoothing import MINIMUM_DAYS, Smoothing, smooth, spread_ahead, student_quantile

Method = Literal["complete", "smoothing", "rate", "none"]

HISTORY_DAYS = 90
"""Days that the smoothing sees: what lies a quarter back says nothing about this month (ours)."""

LEVELS = (80, 95)
"""Percent of the intervals."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """The month's cost at its end, USD.

    ``method`` is "complete" where nothing is left to come, "smoothing", "rate" where there are too few
    days (the mean of the days so far, no interval), "none" without any daily cost: then ``month_end_usd``
    is None. ``intervals`` are low and high by percent. ``model`` is ``Smoothing.name`` or empty.
    """

    method: Method
    days_known: int
    days_ahead: int
    month_end_usd: Decimal | None
    intervals: Mapping[int, tuple[Decimal, Decimal]]
    model: str = ""
    alpha: float | None = None
    beta: float | None = None


@dataclass(frozen=True, slots=True)
class _Horizon:
    """The days that the fit sees, the days to fill, and what the known days and lumps cost."""

    history: tuple[date, ...]
    ahead: tuple[date, ...]
    known: Mapping[str, Decimal]


def forecast_month(
    daily: DailyCosts, month: Month, spent: Mapping[str, Decimal], lumps: Mapping[str, Decimal], today: date
) -> dict[str, Forecast]:
    """Return the forecast of each component of ``spent``, and of their sum as ``total``.

    ``spent`` is what each component has cost in the month so far, ``lumps`` what of it is no cost of a
    single day. The month's end is: its complete days, its lumps, and the expected sum of the days without
    data; a gap in the middle is filled like the days to come, days before the bill's first one are not.
    """
    horizon = _look_ahead(daily, month, lumps)
    components = tuple(spent)
    if not horizon.history:
        over = today > month.last
        found = {component: _settled(spent[component] if over else None) for component in components}
        return {**found, TOTAL: _settled(add_up(list(spent.values())) if over else None)}
    if not horizon.ahead:
        found = {component: _complete(spent[component], horizon) for component in components}
        return {**found, TOTAL: _complete(add_up(list(spent.values())), horizon)}
    if len(horizon.history) < MINIMUM_DAYS:
        found = {component: _by_rate(daily, month, component, horizon, spent[component]) for component in components}
        return {**found, TOTAL: _add(found.values(), horizon, "rate")}
    return _by_smoothing(daily, horizon, spent)


def _look_ahead(daily: DailyCosts, month: Month, lumps: Mapping[str, Decimal]) -> _Horizon:
    history = tuple(day for day in daily.days if day <= month.last)[-HISTORY_DAYS:]
    inside = [day for day in daily.days if day in month]
    first = max(month.first, daily.days[0]) if daily.days else month.first
    ahead = tuple(day for day in each_day(first, month.last) if day not in set(inside))
    known = {
        component: add_up([by_day[day] for day in inside if day in by_day])
        for component, by_day in daily.costs.items()
        if component != TOTAL
    }
    for component, usd in lumps.items():
        known[component] = known.get(component, Decimal(0)) + usd
    return _Horizon(history, ahead, known)


def _settled(usd: Decimal | None) -> Forecast:
    method: Method = "none" if usd is None else "complete"
    return Forecast(method=method, days_known=0, days_ahead=0, month_end_usd=usd, intervals={})


def _complete(usd: Decimal, horizon: _Horizon) -> Forecast:
    return Forecast(method="complete", days_known=len(horizon.history), days_ahead=0, month_end_usd=usd, intervals={})


def _by_rate(daily: DailyCosts, month: Month, component: str, horizon: _Horizon, spent: Decimal) -> Forecast:
    """Extend the mean of the month's days (of all days on its first one) over the days to come."""
    days = [day for day in horizon.history if day in month] or list(horizon.history)
    by_day = daily.costs.get(component, {})
    mean_usd = add_up([by_day.get(day, Decimal(0)) for day in days]) / len(days)
    expected = _cents(horizon.known.get(component, Decimal(0)) + mean_usd * len(horizon.ahead))
    return Forecast(
        method="rate",
        days_known=len(horizon.history),
        days_ahead=len(horizon.ahead),
        month_end_usd=max(expected, spent),
        intervals={},
    )


def _by_smoothing(daily: DailyCosts, horizon: _Horizon, spent: Mapping[str, Decimal]) -> dict[str, Forecast]:
    import numpy as np

    found: dict[str, Forecast] = {}
    fits: list[Smoothing] = []
    for component, so_far in spent.items():
        by_day = daily.costs.get(component, {})
        known = horizon.known.get(component, Decimal(0))
        if not any(by_day.get(day) for day in horizon.history):  # fees alone: nothing comes day by day
            found[component] = _complete(so_far, horizon)
            continue
        fit = smooth(np.array([float(by_day.get(day, 0)) for day in horizon.history]), horizon.history)
        fits.append(fit)
        ahead_usd = Decimal(repr(max(0.0, fit.sum_ahead(horizon.ahead))))
        month_end = max(_cents(known + ahead_usd), so_far)
        found[component] = Forecast(
            method="smoothing",
            days_known=len(horizon.history),
            days_ahead=len(horizon.ahead),
            month_end_usd=month_end,
            intervals=_intervals(month_end, so_far, [fit], horizon.ahead),
            model=fit.name,
            alpha=fit.alpha,
            beta=fit.beta,
        )
    total = _add(found.values(), horizon, "smoothing")
    assert total.month_end_usd is not None  # noqa: S101
    spent_usd = add_up(list(spent.values()))
    return {
        **found,
        TOTAL: replace(total, intervals=_intervals(total.month_end_usd, spent_usd, fits, horizon.ahead)),
    }


def _add(forecasts: Iterable[Forecast], horizon: _Horizon, method: Method) -> Forecast:
    """Return the sum of the components, so that what is shown adds up."""
    amounts = [forecast.month_end_usd for forecast in forecasts]
    return Forecast(
        method=method,
        days_known=len(horizon.history),
        days_ahead=len(horizon.ahead),
        month_end_usd=add_up([amount for amount in amounts if amount is not None]),
        intervals={},
    )


def _intervals(
    month_end: Decimal, spent: Decimal, fits: list[Smoothing], ahead: Sequence[date]
) -> dict[int, tuple[Decimal, Decimal]]:
    deviation, freedom = spread_ahead(fits, ahead)
    found = {}
    for percent in LEVELS:
        half = Decimal(repr(student_quantile(0.5 + percent / 200, freedom) * deviation))
        # What is spent stays spent.
        found[percent] = (max(_cents(month_end - half), min(spent, month_end)), _cents(month_end + half))
    return found


def _cents(usd: Decimal) -> Decimal:
    return usd.quantize(CENT, rounding=ROUND_HALF_EVEN)

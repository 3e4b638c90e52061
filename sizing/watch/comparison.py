"""Plan against bill, by component and by service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sizing.cost.report import COMPONENTS, Money
from sizing.watch.budgets import Budget, BudgetAlarm, check_budget
from sizing.watch.daily import BY_SERVICE, SPENDING, DailyCosts, Month, each_day, sum_by_day, sum_of_month
from sizing.watch.forecasts import Forecast, forecast_month
from sizing.watch.ledger import Entry, add_up
from sizing.watch.plan_report import PlanLine, PlanReport, add_plan, unpriced
from sizing.watch.services import OTHER

RATIO_STEP = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class PlanError:
    """How far the plan was from the bill over complete months: the mean of |bill - plan| / bill, in %."""

    percent: Decimal
    months: tuple[Month, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Plan and bill of one component, one service, or their total, USD a month.

    ``plan`` is None where there is no plan or it has no such line; ``unpriced`` lines make it partial.
    ``difference_usd`` and ``ratio`` set the forecast against the plan's expected cost; a partial plan has
    neither, for every bill would seem to be above it. ``shared`` tells
    that part of the cost was divided by the plan's shares.
    """

    name: str
    plan: Money | None
    unpriced: int
    month_to_date_usd: Decimal
    forecast: Forecast
    budget: Budget | None = None
    alarms: tuple[BudgetAlarm, ...] = ()
    error: PlanError | None = None
    shared: bool = False

    @property
    def difference_usd(self) -> Decimal | None:
        if self.plan is None or self.unpriced or self.forecast.month_end_usd is None:
            return None
        return self.forecast.month_end_usd - self.plan.expected

    @property
    def ratio(self) -> Decimal | None:
        if self.plan is None or self.difference_usd is None or not self.plan.expected:
            return None
        return (1 + self.difference_usd / self.plan.expected).quantize(RATIO_STEP)


def list_components(plan: PlanReport | None, spent: Mapping[str, Decimal]) -> tuple[str, ...]:
    """Return the components that are planned or billed, ``other`` last."""
    planned = plan.components if plan else ()
    return tuple(component for component in (*COMPONENTS, OTHER) if component in planned or component in spent)


def compare(
    name: str,
    lines: Sequence[PlanLine],
    spent_usd: Decimal,
    forecast: Forecast,
    budget: Budget | None = None,
) -> Comparison:
    """Return plan lines and cost side by side, and the budget's alarms."""
    return Comparison(
        name=name,
        plan=add_plan(lines) if lines else None,
        unpriced=unpriced(lines),
        month_to_date_usd=spent_usd,
        forecast=forecast,
        budget=budget,
        alarms=tuple(check_budget(budget, spent_usd, forecast)) if budget else (),
    )


def compare_services(
    entries: Sequence[Entry], month: Month, plan: PlanReport | None, through: date, today: date
) -> tuple[Comparison, ...]:
    """Return plan and bill by the catalogue's service (``ec2``, ``oss``), dearest first.

    No division by shares touches these: the nodes of all components are one service.
    """
    daily = sum_by_day(entries, through, BY_SERVICE)
    billed = sum_of_month(entries, month, key=BY_SERVICE)
    planned = plan.services if plan else ()
    spent = {service: billed.get(service, Decimal(0)) for service in dict.fromkeys((*planned, *billed))}
    lumps = sum_of_month([entry for entry in entries if entry.lump], month, key=BY_SERVICE)
    forecasts = forecast_month(daily, month, spent, lumps, today)
    rows = [
        compare(service, plan.of_service(service) if plan else (), usd, forecasts[service])
        for service, usd in spent.items()
    ]
    return tuple(sorted(rows, key=lambda row: -row.month_to_date_usd))


def complete_months(entries: Sequence[Entry], daily: DailyCosts) -> tuple[Month, ...]:
    """Return the months that the bill covers whole: every day, or, in a bill by the month, lumps alone."""
    known = set(daily.days)
    found = []
    for month in sorted({Month.of(entry.day) for entry in entries if entry.kind in SPENDING}):
        if month.last > daily.through:
            continue
        inside = [day for day in each_day(month.first, month.last) if day in known]
        if len(inside) in (0, month.days):
            found.append(month)
    return tuple(found)


def measure_plan_error(
    entries: Sequence[Entry], months: Sequence[Month], plan: PlanReport, scope: str | None
) -> PlanError | None:
    """Return the mean absolute percentage error of the plan over months, of a component or (None) in all.

    Months without cost are left out, for nothing can be a percentage of zero. None where no month is
    left, or the plan has no such line or one without a price.
    """
    lines = plan.lines if scope is None else plan.of_component(scope)
    if not lines or unpriced(lines):
        return None
    expected = add_plan(lines).expected
    shares, used = [], []
    for month in months:
        spent = sum_of_month(entries, month)
        billed = add_up(list(spent.values())) if scope is None else spent.get(scope, Decimal(0))
        if billed > 0:
            shares.append(abs(billed - expected) / billed)
            used.append(month)
    if not used:
        return None
    percent = (add_up(shares) / len(shares) * 100).quantize(Decimal("0.1"))
    return PlanError(percent, tuple(used))

"""The report of one month: plan, bill, forecast, budgets, anomalies."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from sizing.errors import BillError
from sizing.watch.anomalies import DEFAULT_FLOOR_USD, Anomaly, find_anomalies
from sizing.watch.budgets import Budget, BudgetAlarm
from sizing.watch.comparison import (
    Comparison,
    compare,
    compare_services,
    complete_months,
    list_components,
    measure_plan_error,
)
from sizing.watch.daily import TOTAL, DailyCosts, Month, sum_by_day, sum_of_month
from sizing.watch.forecasts import Forecast, forecast_month
from sizing.watch.ledger import Entry, FileSummary, Ledger, add_up
from sizing.watch.plan_report import PlanReport, unpriced
from sizing.watch.plan_shares import share_entries
from sizing.watch.services import OTHER
from sizing.watch.smoothing import MINIMUM_DAYS

ADJUSTMENTS = ("tax", "credit", "refund")

Note = tuple[str, Mapping[str, object]]


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchOptions:
    """The user's choices about the report.

    ``lag_days`` are the days before ``today`` that the bill may not have in full yet; ``anomaly_days``
    looks at the last complete days only (None: at all of the month).
    """

    today: date
    month: Month | None = None
    lag_days: int = 0
    anomaly_floor_usd: Decimal = DEFAULT_FLOOR_USD
    anomaly_days: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchReport:
    """One month's costs, USD.

    ``components`` add up to ``total``; with ``adjustments`` (tax, credit, refund) that is ``bill_usd``,
    the sum of the month's lines. ``through`` is the last day that counts as complete, ``missing_days``
    those up to it that the bill has no data for, ``days_known`` the number of the month's days with data.
    """

    month: Month
    today: date
    through: date
    days_known: int
    components: tuple[Comparison, ...]
    total: Comparison
    services: tuple[Comparison, ...]
    adjustments: Mapping[str, Decimal]
    bill_usd: Decimal
    anomalies: tuple[Anomaly, ...]
    missing_days: tuple[date, ...]
    files: tuple[FileSummary, ...]
    rates: Mapping[str, Decimal]
    notes: tuple[Note, ...]
    plan_file: str | None
    other_products: tuple[str, ...]

    @property
    def alarms(self) -> tuple[BudgetAlarm, ...]:
        return tuple(alarm for row in (*self.components, self.total) for alarm in row.alarms)

    @property
    def has_findings(self) -> bool:
        return bool(self.alarms or self.anomalies)


def assess_month(
    ledger: Ledger, budgets: Mapping[str, Budget], plan: PlanReport | None, options: WatchOptions
) -> WatchReport:
    """Return the report of a month, by default the latest that the bills have.

    Raises BillError for a month that the bills have nothing of.
    """
    entries = tuple(share_entries(ledger.entries, plan)) if plan else ledger.entries
    month = _choose_month(entries, options)
    settled = options.today - timedelta(days=1 + options.lag_days)
    through = min(month.last, settled)
    daily = sum_by_day(entries, settled)
    spent = sum_of_month(entries, month)
    components = list_components(plan, spent)
    every = {component: spent.get(component, Decimal(0)) for component in components}
    lumps = sum_of_month([entry for entry in entries if entry.lump], month)
    forecasts = forecast_month(daily, month, every, lumps, options.today)
    rows = tuple(
        compare(
            component,
            plan.of_component(component) if plan else (),
            every[component],
            forecasts[component],
            budgets.get(component),
        )
        for component in components
    )
    total = compare(
        TOTAL, plan.lines if plan else (), add_up(list(every.values())), forecasts[TOTAL], budgets.get(TOTAL)
    )
    if plan:
        months = complete_months(entries, daily)
        rows = tuple(replace(row, error=measure_plan_error(entries, months, plan, row.name)) for row in rows)
        total = replace(total, error=measure_plan_error(entries, months, plan, None))
    shared = {entry.component for entry in entries if entry.shared and entry.day in month}
    rows = tuple(replace(row, shared=row.name in shared) for row in rows)
    adjustments = {kind: add_up(list(sum_of_month(entries, month, (kind,)).values())) for kind in ADJUSTMENTS}
    return WatchReport(
        month=month,
        today=options.today,
        through=through,
        days_known=sum(day in month for day in daily.days),
        components=rows,
        total=total,
        services=compare_services(entries, month, plan, settled, options.today),
        adjustments=adjustments,
        bill_usd=add_up([total.month_to_date_usd, *adjustments.values()]),
        anomalies=tuple(_anomalies(daily, month, components, through, options)),
        missing_days=daily.missing(month),
        files=ledger.files,
        rates=ledger.rates,
        notes=(*ledger.notes, *_notes(entries, daily, month, forecasts[TOTAL], plan, rows, options)),
        plan_file=plan.file if plan else None,
        other_products=_other_products(entries, month),
    )


def _choose_month(entries: Sequence[Entry], options: WatchOptions) -> Month:
    months = sorted({Month.of(entry.day) for entry in entries})
    if options.month is None:
        return months[-1]
    if options.month not in months:
        listed = ", ".join(str(month) for month in months)
        raise BillError(f"--month {options.month}: the bills have nothing of it. They have: {listed}.")
    return options.month


def _anomalies(
    daily: DailyCosts, month: Month, components: Sequence[str], through: date, options: WatchOptions
) -> Iterator[Anomaly]:
    days = [day for day in daily.days if day in month and day <= through]
    if options.anomaly_days is not None:
        first = through - timedelta(days=options.anomaly_days - 1)
        days = [day for day in days if day >= first]
    yield from find_anomalies(daily, (*components, TOTAL), days, options.anomaly_floor_usd)


def _other_products(entries: Sequence[Entry], month: Month) -> tuple[str, ...]:
    """Return the products of ``other`` that cost something, dearest first."""
    costs: dict[str, Decimal] = {}
    for entry in entries:
        if entry.component == OTHER and entry.day in month and entry.usd:
            costs[entry.product] = costs.get(entry.product, Decimal(0)) + entry.usd
    return tuple(sorted(costs, key=lambda product: -costs[product]))


def _notes(
    entries: Sequence[Entry],
    daily: DailyCosts,
    month: Month,
    forecast: Forecast,
    plan: PlanReport | None,
    rows: Sequence[Comparison],
    options: WatchOptions,
) -> Iterator[Note]:
    if not daily.days:
        yield "watch.note.no-daily", {}
    elif forecast.method == "rate":
        yield "watch.note.few-days", {"days": forecast.days_known, "minimum": MINIMUM_DAYS}
    if daily.days and daily.days[0] in month and daily.days[0] > month.first:
        yield "watch.note.starts", {"day": daily.days[0].isoformat()}
    partial = [entry.usd for entry in entries if entry.day in month and entry.day > daily.through and not entry.lump]
    if partial:
        yield "watch.note.incomplete", {"usd": f"{add_up(partial):.2f}", "day": daily.through.isoformat()}
    if any(row.shared for row in rows):
        yield "watch.note.shared", {}
    if plan and unpriced(plan.lines):
        yield "watch.note.unpriced", {"lines": unpriced(plan.lines), "file": plan.file}
    if options.month is None and options.today not in month:
        yield "watch.note.past-month", {"month": str(month), "today": options.today.isoformat()}

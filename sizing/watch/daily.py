"""Costs by day: which days the bill has, and what each component cost on them."""

import calendar
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from operator import attrgetter

from sizing.watch.ledger import Entry, add_up

TOTAL = "total"
SPENDING = ("charge", "fee")
"""What budgets and plans are about; taxes, credits and refunds adjust the bill as a whole."""

Key = Callable[[Entry], str]
BY_COMPONENT: Key = attrgetter("component")
BY_SERVICE: Key = attrgetter("service")


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month."""

    year: int
    month: int

    @classmethod
    def of(cls, day: date) -> "Month":
        return cls(day.year, day.month)

    @property
    def first(self) -> date:
        return date(self.year, self.month, 1)

    @property
    def last(self) -> date:
        return date(self.year, self.month, self.days)

    @property
    def days(self) -> int:
        return calendar.monthrange(self.year, self.month)[1]

    def __contains__(self, day: date) -> bool:
        return (day.year, day.month) == (self.year, self.month)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


@dataclass(frozen=True, slots=True)
class DailyCosts:
    """Costs of complete days, USD: by component (and ``total``) and day.

    A day without any line is missing, not zero; on a day that the bill has, a component without a line
    cost nothing. ``through`` is the last day that counts as complete.
    """

    costs: Mapping[str, Mapping[date, Decimal]]
    days: tuple[date, ...]
    through: date

    def on(self, component: str, day: date) -> Decimal | None:
        """Return the cost of a day, None where the bill has no data for it."""
        if day not in self.costs[TOTAL]:
            return None
        return self.costs.get(component, {}).get(day, Decimal(0))

    def missing(self, month: Month) -> tuple[date, ...]:
        """Return the month's days without data, from the bill's first day to ``through``."""
        if not self.days:
            return ()
        first = max(month.first, self.days[0])
        last = min(month.last, self.through)
        known = set(self.days)
        return tuple(day for day in each_day(first, last) if day not in known)


def each_day(first: date, last: date) -> Iterable[date]:
    """Yield the days from first to last, both included."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)


def sum_by_day(entries: Iterable[Entry], through: date, key: Key = BY_COMPONENT) -> DailyCosts:
    """Add the charges of each complete day; lumps are no cost of a day and are left out."""
    collected: dict[str, dict[date, list[Decimal]]] = {TOTAL: {}}
    for entry in entries:
        if entry.kind == "charge" and not entry.lump and entry.day <= through:
            for component in (TOTAL, key(entry)):
                collected.setdefault(component, {}).setdefault(entry.day, []).append(entry.usd)
    costs = {
        component: {day: add_up(amounts) for day, amounts in by_day.items()} for component, by_day in collected.items()
    }
    return DailyCosts(costs=costs, days=tuple(sorted(costs[TOTAL])), through=through)


def sum_of_month(
    entries: Iterable[Entry], month: Month, kinds: Iterable[str] = SPENDING, key: Key = BY_COMPONENT
) -> dict[str, Decimal]:
    """Add what the month has so far, lumps and its incomplete last day included, by component."""
    wanted = set(kinds)
    amounts: dict[str, list[Decimal]] = {}
    for entry in entries:
        if entry.day in month and entry.kind in wanted:
            amounts.setdefault(key(entry), []).append(entry.usd)
    return {component: add_up(found) for component, found in amounts.items()}

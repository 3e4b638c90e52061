"""Days that cost far more than the day before (§8.3: ``anomaly_threshold: 150%``)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sizing.watch.daily import DailyCosts

ANOMALY_RATIO = Decimal("1.5")
"""A day above 150 % of the day before alarms (§8.3)."""

DEFAULT_FLOOR_USD = Decimal(1)
"""The rise in USD below which nothing alarms: three cents after two are no incident (ours)."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A day's cost and that of the day before, USD."""

    component: str
    day: date
    usd: Decimal
    before_usd: Decimal

    @property
    def rise_usd(self) -> Decimal:
        return self.usd - self.before_usd


def find_anomalies(
    daily: DailyCosts, components: Iterable[str], days: Iterable[date], floor_usd: Decimal = DEFAULT_FLOOR_USD
) -> Iterator[Anomaly]:
    """Yield the days that cost more than 150 % of the day before and at least ``floor_usd`` more.

    A day is compared with the calendar day before it; where the bill has no data for one of the two,
    there is nothing to compare and nothing alarms.
    """
    listed = tuple(components)
    for day in days:
        for component in listed:
            usd, before = daily.on(component, day), daily.on(component, day - timedelta(days=1))
            if usd is None or before is None:
                continue
            if usd > before * ANOMALY_RATIO and usd - before >= floor_usd:
                yield Anomaly(component, day, usd, before)

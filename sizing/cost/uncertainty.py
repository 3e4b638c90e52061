"""How far the cost can move: a seeded simulation, and which driver moves it most."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from sizing.billing.plan_bill import bill_regions
from sizing.design import Design
from sizing.drivers import drivers
from sizing.sizer import RegionBounds, size_regions
from sizing.workload import Point

CENT = Decimal("0.01")
SEED = 20260212
"""The date of the requirements: any fixed number would do."""
DEFAULT_SAMPLES = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Simulation:
    """Percentiles of the monthly total over ``samples`` draws, every driver triangular and independent.

    The sum of all lows and the sum of all highs are wider than this, because not everything is low or
    high at once. ``bins`` is a histogram: lower edges in USD and counts.
    """

    samples: int
    seed: int
    p10_usd: Decimal
    p50_usd: Decimal
    p90_usd: Decimal
    bins: tuple[tuple[Decimal, int], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Swing:
    """What one driver does to the total when it alone goes to its low and to its high end."""

    driver: str
    low_usd: Decimal
    high_usd: Decimal

    @property
    def width_usd(self) -> Decimal:
        return abs(self.high_usd - self.low_usd)


class Pricer:
    """Prices points of one design in floats, every database in the edition of the expected plan."""

    def __init__(self, drawn: Design) -> None:
        self.drawn = drawn
        expected = size_regions(drawn, drawn.workload.point("expected"))
        # Another edition has other prices, or none: a draw must not drop out of the bill.
        self._bounds = [RegionBounds(edition=region.plan.database.edition) for region in expected]

    def total_usd(self, point: Point) -> float:
        """Return USD a month of all priced charges at a point, sized within the design."""
        total = 0.0
        unit_usd = self.drawn.prices.unit_usd
        for charge in bill_regions(self.drawn, size_regions(self.drawn, point, self._bounds)):
            unit = unit_usd(charge.provider, charge.service, charge.sku, charge.region, charge.group)
            if unit is not None:
                total += charge.quantity * unit
        return total


def simulate(
    drawn: Design, samples: int = DEFAULT_SAMPLES, seed: int = SEED, advance: Callable[[int], None] | None = None
) -> Simulation:
    """Draw every driver from its triangle, price each draw, and return the percentiles.

    The same seed gives the same figures. ``advance`` is called after every draw, for a progress bar.
    """
    if samples < 10:
        raise ValueError(f"samples = {samples}; a percentile needs at least 10")
    rng = random.Random(seed)  # noqa: S311 - a simulation, no secret
    pricer = Pricer(drawn)
    estimates = [drawn.workload.drivers[name] for name in drivers()]
    totals = []
    for _ in range(samples):
        values = [e.expected if e.is_exact else rng.triangular(e.low, e.high, e.expected) for e in estimates]
        totals.append(pricer.total_usd(drawn.workload.adjust(Point._make(values))))
        if advance is not None:
            advance(1)
    totals.sort()
    return Simulation(
        samples=samples,
        seed=seed,
        p10_usd=_percentile(totals, 0.10),
        p50_usd=_percentile(totals, 0.50),
        p90_usd=_percentile(totals, 0.90),
        bins=_histogram(totals),
    )


def find_swings(drawn: Design) -> tuple[Swing, ...]:
    """Return every driver that moves the total, the widest first (a tornado)."""
    pricer = Pricer(drawn)
    middle = drawn.workload.point("expected")
    swings = []
    for name in drivers():
        estimate = drawn.workload.drivers[name]
        if estimate.is_exact:
            continue
        low, high = (
            pricer.total_usd(drawn.workload.adjust(middle._replace(**{name: value})))
            for value in (estimate.low, estimate.high)
        )
        swing = Swing(driver=name, low_usd=_cents(low), high_usd=_cents(high))
        if swing.width_usd > 0:
            swings.append(swing)
    return tuple(sorted(swings, key=lambda swing: (-swing.width_usd, swing.driver)))


def _percentile(ordered: list[float], share: float) -> Decimal:
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return _cents(ordered[below] + (ordered[above] - ordered[below]) * (position - below))


def _histogram(ordered: list[float], count: int = 24) -> tuple[tuple[Decimal, int], ...]:
    low, high = ordered[0], ordered[-1]
    width = (high - low) / count or 1.0
    counts = [0] * count
    for total in ordered:
        counts[min(count - 1, int((total - low) / width))] += 1
    return tuple((_cents(low + index * width), number) for index, number in enumerate(counts))


def _cents(usd: float) -> Decimal:
    return Decimal(repr(usd)).quantize(CENT)

"""Everything that a report shows about one workload, computed once for all renderers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from sizing.catalogue import STALE_AFTER_DAYS, Catalogue, Price, catalogue
from sizing.cost.clouds import CloudComparison, compare_clouds
from sizing.cost.difference import compare_reports
from sizing.cost.planning import PlanningFigure, planning_figures
from sizing.cost.report import CostReport, price_design
from sizing.cost.strategies import Outcome, apply_strategies, cheapest_change, weigh_strategies
from sizing.cost.uncertainty import Simulation, Swing, find_swings, simulate
from sizing.design import Design, design
from sizing.plan import Plan
from sizing.planner import draw_plan
from sizing.workload import Workload


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """Strategies that the user applied, and what they save together (None: not priced alike)."""

    names: tuple[str, ...]
    before_usd: Decimal
    saved_usd: Decimal | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Assessment:
    """A workload's plan and bill, with what a reader needs to defend them."""

    workload: Workload
    design: Design
    plan: Plan
    report: CostReport
    planning: PlanningFigure
    comparisons: tuple[CloudComparison, ...]
    strategies: tuple[Outcome, ...]
    applied: Applied | None
    swings: tuple[Swing, ...]
    simulation: Simulation | None
    today: date

    @property
    def best_change(self) -> Outcome | None:
        """The available change that saves most."""
        return cheapest_change(self.strategies)

    @property
    def stale_prices(self) -> tuple[Price, ...]:
        """Prices behind the report that are undated or older than STALE_AFTER_DAYS."""
        known = (price for price in self.report.prices if price.usd is not None)
        return tuple(price for price in known if price.is_stale(self.today, STALE_AFTER_DAYS))


def assess(
    workload: Workload,
    prices: Catalogue | None = None,
    *,
    apply: tuple[str, ...] = (),
    samples: int = 0,
    today: date | None = None,
    advance: Callable[[int], None] | None = None,
) -> Assessment:
    """Size and price a workload and weigh the alternatives.

    ``apply`` names strategies to take over before; ``samples`` > 0 adds the simulation. Raises what
    ``sizer.size`` raises, and InvalidWorkload for an unknown strategy.
    """
    listed = prices or catalogue()
    applied = None
    if apply:
        before = price_design(design(workload, listed))
        workload = apply_strategies(workload, apply, listed)
    drawn = design(workload, listed)
    report = price_design(drawn)
    if apply:
        difference = compare_reports(before, report)
        unknown = any(line.delta is None for line in difference.changed)
        saved = None if unknown else -difference.delta.expected
        applied = Applied(names=apply, before_usd=before.total.expected, saved_usd=saved)
    return Assessment(
        workload=workload,
        design=drawn,
        plan=draw_plan(drawn),
        report=report,
        planning=planning_figures()[drawn.tier.planning],
        comparisons=compare_clouds(drawn, report, listed),
        strategies=weigh_strategies(drawn, report),
        applied=applied,
        swings=find_swings(drawn),
        simulation=simulate(drawn, samples, advance=advance) if samples else None,
        today=today or datetime.now(UTC).date(),
    )

"""The plan and the price of a stack: `sizing` decides, nothing is sized here."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from infra.errors import InvalidStack
from infra.settings import StackSettings
from sizing.catalogue import catalogue
from sizing.cost.report import CostReport, price_design
from sizing.design import design
from sizing.messages import render
from sizing.plan import Plan, RegionPlan
from sizing.planner import draw_plan
from sizing.regions import regions
from sizing.workload_document import read_workload

BUDGET_FACTOR = Decimal("1.2")
"""A budget is 1.2 times the plan (errata 8.3)."""


@dataclass(frozen=True, kw_only=True)
class StackPlan:
    """The whole plan, this stack's region of it, and the bill of all regions.

    `key_instance_id` is a KMS instance of the account's that the stack makes its keys in.
    """

    plan: Plan
    region: RegionPlan
    report: CostReport
    key_instance_id: str = ""

    @property
    def monthly_usd(self) -> Mapping[str, Decimal]:
        """What this region costs a month at the three corners, of the lines that have a price."""
        corners = {"low": Decimal(0), "expected": Decimal(0), "high": Decimal(0)}
        for line in self.lines:
            if line.monthly_usd is not None:
                for corner in corners:
                    corners[corner] += getattr(line.monthly_usd, corner)
        return corners

    @property
    def lines(self) -> tuple[Any, ...]:
        """The lines of the bill that this region causes."""
        return tuple(line for line in self.report.lines if line.site == self.region.key)

    @property
    def component_usd(self) -> Mapping[str, Decimal]:
        """The expected cost of the lines that the region's cloud bills itself, by component."""
        found: dict[str, Decimal] = {}
        for line in self.lines:
            if line.provider == self.region.cloud and line.monthly_usd is not None:
                found[line.component] = found.get(line.component, Decimal(0)) + line.monthly_usd.expected
        return found

    def budgeted_usd(self, wished_usd: float | None) -> Decimal:
        """What the plan costs at the cloud; a budget of the user's own is divided by the factor that budgets have."""
        if wished_usd is not None:
            return Decimal(str(wished_usd)) / BUDGET_FACTOR
        return sum(self.component_usd.values(), Decimal(0))

    @property
    def peers(self) -> tuple[str, ...]:
        """The other regions of this cloud that this one shares data with: none for a region that is isolated, nor
        towards one, nor where objects are kept on a host."""
        here = self.region
        if here.role == "isolated" or here.object_store.kind == "local":
            return ()
        return tuple(
            each.region
            for each in self.plan.regions
            if each.cloud == here.cloud and each.region != here.region and each.role != "isolated"
        )

    @property
    def unpriced(self) -> int:
        """How many lines of this region have no list price: with any, the sum is a lower bound."""
        return sum(not line.is_priced for line in self.lines)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why this tier, in English."""
        return tuple(render(reason.code, "en", reason.values) for reason in self.plan.choice("tier").reasons)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the plan cannot promise, in English, and what is paid beside its bill."""
        said = tuple(render(reason.code, "en", reason.values) for reason in self.plan.warnings)
        if not self.key_instance_id:
            return said
        beside = (
            f"the bill has the services' own keys, which are free: KMS instance {self.key_instance_id} and the stack's "
            "keys in it are paid beside it"
        )
        return (*said, beside)


def plan_stack(settings: StackSettings) -> StackPlan:
    """Plan a stack's workload, in the stack's region unless the workload names regions.

    Raises InvalidStack where the region is unknown or not one of the workload's, and the errors of `sizing` for a
    workload that is wrong or cannot be met.
    """
    here = (settings.cloud, settings.region)
    if here not in regions():
        known = ", ".join(region for cloud, region in regions() if cloud == settings.cloud)
        raise InvalidStack(f"{settings.cloud}:region", settings.region, known)
    document = {"clouds": [settings.cloud], **settings.workload}
    if not document.get("regions"):
        document["regions"] = [{"cloud": settings.cloud, "region": settings.region}]
    drawn = design(read_workload(document), catalogue())
    plan = draw_plan(drawn)
    found = next((region for region in plan.regions if (region.cloud, region.region) == here), None)
    if found is None:
        valid = ", ".join(region.key for region in plan.regions)
        raise InvalidStack(f"{settings.cloud}:region", settings.region, f"a region of the workload: {valid}")
    return StackPlan(plan=plan, region=found, report=price_design(drawn), key_instance_id=settings.key_instance_id)

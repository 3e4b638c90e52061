"""The same workload on the other cloud, as far as both have list prices."""

from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal

from sizing.catalogue import Catalogue
from sizing.cost.report import CostLine, CostReport, add_up, price_design
from sizing.design import Design, design
from sizing.errors import SizingError
from sizing.regions import regions
from sizing.workload import RegionRequest, Workload


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedResource:
    """One role of the plan on both clouds; ``counted`` only where every line of it is priced on both.

    An amount is None where the cloud has no such resource (``on_here``, ``on_there`` false) or where a
    line of it has no list price.
    """

    resource: str
    here_usd: Decimal | None
    there_usd: Decimal | None
    on_here: bool
    on_there: bool
    counted: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudComparison:
    """A plan here and there. Totals cover the counted resources only and are comparable for that reason.

    ``problem`` says why there is no comparison (no region in the jurisdiction, an impossible wish).
    """

    here: str
    there: str
    there_regions: tuple[str, ...]
    resources: tuple[ComparedResource, ...]
    here_usd: Decimal
    there_usd: Decimal
    problem: str = ""

    @property
    def counted(self) -> int:
        return sum(resource.counted for resource in self.resources)


def compare_clouds(drawn: Design, report: CostReport, prices: Catalogue) -> tuple[CloudComparison, ...]:
    """Compare the plan with the same workload on each other cloud that the workload names."""
    here = drawn.placements[0].request.region.cloud
    others = [cloud for cloud in drawn.workload.clouds if cloud != here]
    return tuple(_compare(drawn, report, prices, here, cloud) for cloud in others)


def move_workload(workload: Workload, drawn: Design, cloud: str) -> Workload | None:
    """Return the workload with every region replaced by the other cloud's nearest, None where one has none."""
    requests: list[RegionRequest] = []
    for placement in drawn.placements:
        request = placement.request
        region = request.region
        target = region if region.cloud == cloud else regions().get((cloud, region.pair))
        if target is None or workload.residency not in (None, target.jurisdiction):
            return None
        if target not in [known.region for known in requests]:
            requests.append(replace(request, region=target, nodes=request.nodes or placement.nodes))
    return replace(
        workload, clouds=(cloud,), regions=tuple(requests), overrides={**workload.overrides, "tier": drawn.tier.name}
    )


def _compare(drawn: Design, report: CostReport, prices: Catalogue, here: str, there: str) -> CloudComparison:
    moved = move_workload(drawn.workload, drawn, there)
    problem, other = "", None
    if moved is None:
        problem = "clouds-no-region" if drawn.workload.residency else "clouds-no-pair"
    else:
        try:
            other = price_design(design(moved, prices))
        except SizingError as error:
            problem = str(error)
    if other is None or moved is None:
        return CloudComparison(
            here=here,
            there=there,
            there_regions=(),
            resources=(),
            here_usd=Decimal(0),
            there_usd=Decimal(0),
            problem=problem,
        )
    mine, theirs = _by_resource(report), _by_resource(other)
    resources = tuple(_compared(name, mine.get(name), theirs.get(name)) for name in {**mine, **theirs})
    counted = [resource for resource in resources if resource.counted]
    return CloudComparison(
        here=here,
        there=there,
        there_regions=tuple(request.region.key for request in moved.regions),
        resources=resources,
        here_usd=sum((resource.here_usd or Decimal(0) for resource in counted), Decimal(0)),
        there_usd=sum((resource.there_usd or Decimal(0) for resource in counted), Decimal(0)),
    )


def _by_resource(report: CostReport) -> dict[str, list[CostLine]]:
    grouped: dict[str, list[CostLine]] = defaultdict(list)
    for line in report.lines:
        role = line.component if line.kind == "external" else line.resource
        grouped[role].append(line)
    return grouped


def _compared(name: str, mine: list[CostLine] | None, theirs: list[CostLine] | None) -> ComparedResource:
    return ComparedResource(
        resource=name,
        here_usd=_sum(mine),
        there_usd=_sum(theirs),
        on_here=bool(mine),
        on_there=bool(theirs),
        counted=_sum(mine) is not None and _sum(theirs) is not None,
    )


def _sum(lines: list[CostLine] | None) -> Decimal | None:
    if not lines or not all(line.is_priced for line in lines):
        return None
    return add_up(lines).expected

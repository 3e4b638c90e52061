"""The published plan of a workload: sizes, limits ahead, and what the plan cannot promise."""

from dataclasses import replace

from sizing.capacity import MANAGED_BACKUP_DAYS, SERVERLESS_MAX_UNITS, needed_vcpu
from sizing.catalogue import Catalogue, catalogue
from sizing.design import Design, component_metrics, design, probe_site, weigh
from sizing.errors import InvalidWorkload
from sizing.horizon import find_limits
from sizing.instances import instances
from sizing.models import models
from sizing.placement import DOCUMENT_EMBEDDING, Placement, usual_embedding
from sizing.plan import GlobalSpec, Plan, Reason, RegionPlan
from sizing.regions import regions
from sizing.selection import choose, show
from sizing.sizer import SizedRegion, size_regions
from sizing.tiers import tiers
from sizing.workload import Workload


def size(workload: Workload, prices: Catalogue | None = None) -> Plan:
    """Return the plan of a workload on the first of its clouds.

    Raises ImpossiblePlan where an override cannot work, InvalidWorkload where wishes contradict.
    """
    return draw_plan(design(workload, prices or catalogue()))


def draw_plan(drawn: Design) -> Plan:
    """Return the published plan of a design, at the expected values."""
    point = drawn.workload.point("expected")
    sized = size_regions(drawn, point)
    plan = Plan(
        name=drawn.workload.name,
        tier=drawn.tier.name,
        choices=drawn.choices,
        regions=tuple(region.plan for region in sized),
        spanning=GlobalSpec(
            cdn=drawn.tier.name == "multi-region",
            latency_routing=drawn.tier.name == "multi-region",
            replicated_gb_per_month=round(sum(region.load.replicated_gb for region in sized), 3),
        ),
        limits=(),
        warnings=_warnings(drawn, sized),
    )
    growth = drawn.workload.drivers["growth_per_month"].expected
    now, then = (
        component_metrics(weight, drawn.choices)
        for weight in (
            weigh(drawn.workload, point),
            weigh(drawn.workload, point._replace(users=point.users * 2)),
        )
    )
    limits = find_limits(
        plan.choices, now, then, users=point.users, memories=point.users * point.memories_per_user, growth=growth
    )
    return replace(plan, limits=limits)


def _warnings(drawn: Design, sized: tuple[SizedRegion, ...]) -> tuple[Reason, ...]:
    """Say what the plan cannot promise, and what the high corner would outgrow."""
    found: list[Reason] = []
    workload = drawn.workload
    if drawn.tier.rank >= 3 and any(
        region.plan.vector_store.engine == "qdrant" and region.plan.vector_store.nodes == 2 for region in sized
    ):
        found.append(Reason(code="warning-qdrant-two", origin="errata 9.1 B"))
    if drawn.tier.rank < 3:
        found.append(Reason(code="warning-single-host", origin="§9.1 A"))
    high = choose("tier", weigh(workload, workload.point("high")).metrics)
    if tiers()[high.chosen].rank > drawn.tier.rank and "tier" not in workload.overrides:
        found.append(Reason(code="warning-high-corner", values={"tier": high.chosen}))
    outer = size_regions(drawn, workload.point("high"))
    if any(
        now.plan.database.edition == "serverless" and then.plan.database.edition != "serverless"
        for now, then in zip(sized, outer, strict=True)
    ):
        found.append(Reason(code="warning-serverless-high", values={"limit": str(SERVERLESS_MAX_UNITS)}))
    if any(region.plan.database.edition == "serverless" for region in sized):
        found.append(Reason(code="warning-serverless-plain", origin="RDS, Configure SSL encryption; disk encryption"))
    for placement, region in zip(drawn.placements, sized, strict=True):
        found.extend(_capacity_warnings(drawn, region))
        found.extend(_model_warnings(workload, region.plan))
        found.extend(_switch_warnings(drawn, placement, region.plan.models.embedding))
    if any(
        region.plan.backup.stock_gb > 0
        and region.plan.database.engine == "postgresql"
        and workload.drivers["backup_retention_days"].expected > MANAGED_BACKUP_DAYS
        for region in sized
    ):
        found.append(Reason(code="warning-backup-35", values={"days": str(MANAGED_BACKUP_DAYS)}, origin="§10.4"))
    return _unique(found)


def _unique(reasons: list[Reason]) -> tuple[Reason, ...]:
    seen: dict[tuple[str, tuple[tuple[str, str], ...]], Reason] = {}
    for reason in reasons:
        seen.setdefault((reason.code, tuple(sorted(reason.values.items()))), reason)
    return tuple(seen.values())


def _capacity_warnings(drawn: Design, region: SizedRegion) -> list[Reason]:
    """Name what is smaller than the load needs, because no larger class is known or fewer nodes were asked for."""
    found = []
    plan = region.plan
    compute, database = plan.compute, plan.database
    needed = needed_vcpu(probe_site(drawn.workload), region.load, plan.vector_store.engine)
    if needed > compute.vcpu * max(1, compute.nodes - (1 if drawn.tier.spans_nodes and compute.nodes > 1 else 0)):
        values = {"needed": show(needed), "planned": show(compute.vcpu * compute.nodes)}
        found.append(Reason(code="warning-compute-small", values=values))
    if drawn.tier.spans_nodes and compute.nodes == 1:
        found.append(Reason(code="warning-one-node", values={"tier": drawn.tier.name}))
    if compute.memory_needed_gb > compute.memory_gb:
        values = {"needed": show(compute.memory_needed_gb), "planned": show(compute.memory_gb)}
        found.append(Reason(code="warning-memory-small", values=values))
    known = {instance.name: instance.memory_gb for instance in instances(plan.cloud, "rds")}
    planned = known.get(database.instance_class)
    if planned is not None and database.memory_needed_gb > planned:
        values = {"needed": show(database.memory_needed_gb), "planned": show(planned)}
        found.append(Reason(code="warning-database-small", values=values))
    return found


def _model_warnings(workload: Workload, plan: RegionPlan) -> list[Reason]:
    """Name the models that carry text out of the region's jurisdiction.

    Raises InvalidWorkload for a model served from outside China where the data must stay there (§10.2).
    """
    place = regions()[plan.cloud, plan.region].jurisdiction
    confined = workload.residency is not None or plan.role == "isolated"
    found = []
    for name in sorted({*plan.models.tasks.values(), plan.models.embedding}):
        served = models()[name].served_from
        if place in served or "local" in served:
            continue
        if confined and place == "cn":
            valid = [m.name for m in models().values() if "cn" in m.served_from or "local" in m.served_from]
            raise InvalidWorkload("models", name, f"a model served inside China: {', '.join(valid)}")
        code = "warning-residency" if confined else "warning-models-abroad"
        values = {"model": name, "served": ", ".join(served).upper(), "place": place.upper()}
        found.append(Reason(code=code, values=values, origin="§10.2"))
    return found


def _switch_warnings(drawn: Design, placement: Placement, planned: str) -> list[Reason]:
    """Say that an embedding was switched because the usual one does not fit; a wish is no switch."""
    workload, region = drawn.workload, placement.request.region
    wished = workload.models.get("embedding") or any(request.embedding for request in workload.regions)
    if wished or workload.embedding != "remote" or planned in (region.embedding, DOCUMENT_EMBEDDING):
        return []
    usual = usual_embedding(region, drawn.tier)
    if usual == planned:
        return []
    return [Reason(code="warning-embedding-switched", values={"usual": usual, "model": planned})]

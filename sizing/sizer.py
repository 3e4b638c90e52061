"""From a workload to a plan: footprint, tier, components, sizes, and when it stops fitting."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from sizing.capacity import (
    Site,
    needed_vcpu,
    node_memory_gb,
    size_cache,
    size_compute,
    size_database,
    size_vector_store,
)
from sizing.catalogue import Catalogue, catalogue
from sizing.errors import InvalidWorkload
from sizing.estimate import CORNERS, Corner
from sizing.footprint import (
    ARCHIVE_AFTER_DAYS,
    LOG_SAMPLE_SHARE,
    Footprint,
    backup_stock_gb,
    measure,
)
from sizing.horizon import find_limits
from sizing.models import TASKS, Model, find_model, models
from sizing.plan import (
    BackupSpec,
    BalancerSpec,
    Choice,
    GlobalSpec,
    LoadSpec,
    LogStoreSpec,
    ModelsSpec,
    MonitoringSpec,
    NetworkSpec,
    ObjectStoreSpec,
    Plan,
    Reason,
    RegionPlan,
    SecuritySpec,
)
from sizing.regions import Region, global_regions, home_region, regions
from sizing.selection import choose
from sizing.tiers import Tier, tiers
from sizing.workload import LOCAL_EMBEDDING, Point, RegionRequest, Workload

COMPONENTS = ("database", "vector_store", "object_store", "cache", "balancer", "monitoring", "nat")
"""Chosen after the tier, in this order: later rules look at earlier choices."""

NEW_CONNECTION_SHARE = 0.25
CONNECTION_SECONDS = 60.0
"""Assumed: one request in four opens a connection, which lives 60 s (the balancer's idle timeout)."""

ACCESS_LOG_DAYS = 365
AUDIT_LOG_DAYS = 7 * 365
"""Errata 7.3: access logs 365 days, audit logs seven years, neither sampled."""

HOT_DAYS = 7
ARCHIVE_COPIES = 12
ARCHIVE_YEARS = 7
DUMP_SHARE = 0.5
"""A compressed dump is about half of the database (assumed); twelve monthly copies lie after a year."""

OBJECT_STORES: dict[str, Literal["s3", "oss"]] = {"aws": "s3", "alicloud": "oss"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """A region of the plan before it is sized: its share of the users and its models."""

    request: RegionRequest
    nodes: int
    share: float
    role: Literal["primary", "secondary", "isolated"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """The decisions taken at the expected values; every corner is sized within them."""

    workload: Workload
    tier: Tier
    choices: tuple[Choice, ...]
    placements: tuple[Placement, ...]
    prices: Catalogue

    def chosen(self, component: str) -> str:
        return next(choice.chosen for choice in self.choices if choice.component == component)


@dataclass(frozen=True, kw_only=True, slots=True)
class SizedRegion:
    """A region's plan and the footprint that it was sized for."""

    plan: RegionPlan
    load: Footprint


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Weight:
    """A workload at one point, weighed as a whole: its footprint and what the tier's rules look at."""

    workload: Workload
    load: Footprint
    metrics: dict[str, float]


def weigh(workload: Workload, point: Point) -> Weight:
    """Return the footprint and the tier's metrics; ``spread_*`` are 0 where data may lie in one region only."""
    load = measure(point, dimensions=workload.dimensions)
    possible = len(workload.regions) or len(_world(workload))
    spread = 1.0 if possible > 1 else 0.0
    probe = _probe_site(workload)
    metrics = {
        "users": point.users,
        "regions": float(len(workload.regions)),
        "regions_possible": float(possible),
        "database_gb": load.database_gb,
        "concurrency": load.concurrency_peak,
        "availability_percent": workload.availability_percent,
        "host_memory_gb": node_memory_gb(probe, load, 2, "qdrant-same-host"),
        "host_vcpu": needed_vcpu(probe, load),
        "spread_users": point.users * spread,
        "spread_data_gb": load.database_gb * spread,
        "spread_availability": workload.availability_percent * spread,
    }
    return Weight(workload=workload, load=load, metrics=metrics)


def design(workload: Workload, prices: Catalogue) -> Design:
    """Decide tier, components and regions at the expected values."""
    weight = weigh(workload, workload.point("expected"))
    tier_choice = choose("tier", weight.metrics, workload.overrides.get("tier"))
    tier = tiers()[tier_choice.chosen]
    placements = place(workload, tier)
    # Two nodes asked for on a single host are a contradiction that no size can mend.
    if not tier.spans_nodes and placements[0].nodes > 1:
        raise InvalidWorkload(
            f"regions.{placements[0].request.region.key}.nodes",
            placements[0].nodes,
            f"1 on tier {tier.name}, or tier ha",
        )
    choices: list[Choice] = [tier_choice]
    for component in COMPONENTS:
        choices.append(choose(component, component_metrics(weight, choices), workload.overrides.get(component)))
    return Design(workload=workload, tier=tier, choices=tuple(choices), placements=placements, prices=prices)


def component_metrics(weight: Weight, choices: Sequence[Choice]) -> dict[str, float]:
    """Return what the components' rules look at, given the choices made so far (the tier's first)."""
    chosen = {choice.component: choice.chosen for choice in choices}
    tier, load = tiers()[chosen["tier"]], weight.load
    # In SQLite the vectors lie in the same file; beside another vector store only the rows do.
    together = chosen.get("vector_store", "sqlite-vec" if tier.rank == 1 else "") == "sqlite-vec"
    return {
        **weight.metrics,
        "tier_rank": float(tier.rank),
        "nodes": float(max([tier.nodes, *(request.nodes or 1 for request in weight.workload.regions)])),
        "dimensions": float(weight.workload.dimensions),
        "relational_gb": load.database_gb if together else load.text_gb,
        "sqlite_database": 1.0 if chosen.get("database") == "sqlite" else 0.0,
        "objects_gb": load.objects_gb,
    }


@cache
def _probe_embedding(mode: str) -> Model:
    return models()[LOCAL_EMBEDDING if mode != "remote" else "text-embedding-3-small"]


def _probe_site(workload: Workload) -> Site:
    """A host anywhere: RAM and vCPUs do not depend on the region."""
    return Site(
        region=next(iter(regions().values())),
        tier=tiers()["single-host"],
        prices=catalogue(),
        architecture=workload.architecture,
        embedding_mode=workload.embedding,
        embedding=_probe_embedding(workload.embedding),
    )


def _world(workload: Workload) -> tuple[Region, ...]:
    """The world-wide default within the clouds and the jurisdiction that the workload allows."""
    found: list[Region] = []
    for listed in global_regions(workload.residency):
        region: Region | None = listed
        if listed.cloud not in workload.clouds:
            region = regions().get((workload.clouds[0], listed.pair))
        if region is not None and region not in found and workload.residency in (None, region.jurisdiction):
            found.append(region)
    return tuple(found)


def place(workload: Workload, tier: Tier) -> tuple[Placement, ...]:
    """Decide the regions, their nodes and their share of the users (by nodes).

    Raises InvalidWorkload where no region of the wanted clouds lies in the jurisdiction.
    """
    requests = workload.regions
    if not requests and tier.name == "multi-region":
        requests = tuple(RegionRequest(region=region) for region in _world(workload))
    if not requests:
        homes = [home_region(cloud, workload.residency) for cloud in workload.clouds]
        found = next((home for home in homes if home is not None), None)
        if found is None:
            raise InvalidWorkload(
                "residency", workload.residency, f"a jurisdiction with a region of {', '.join(workload.clouds)}"
            )
        requests = (RegionRequest(region=found),)
    nodes = [_nodes(request, tier) for request in requests]
    return tuple(
        Placement(
            request=request,
            nodes=count,
            share=count / sum(nodes),
            role="primary" if index == 0 else "isolated" if request.region.global_role == "isolated" else "secondary",
        )
        for index, (request, count) in enumerate(zip(requests, nodes, strict=True))
    )


def _nodes(request: RegionRequest, tier: Tier) -> int:
    if request.nodes is not None:
        return request.nodes
    return request.region.global_nodes if tier.name == "multi-region" else tier.nodes


def size_regions(drawn: Design, point: Point) -> tuple[SizedRegion, ...]:
    """Size every region of a design for one point of the workload."""
    open_regions = sum(placement.role != "isolated" for placement in drawn.placements)
    return tuple(_size_region(drawn, placement, point, max(1, open_regions)) for placement in drawn.placements)


def size_corners(drawn: Design) -> dict[Corner, tuple[SizedRegion, ...]]:
    """Size the design at the low, expected and high corner."""
    return {corner: size_regions(drawn, drawn.workload.point(corner)) for corner in CORNERS}


def region_models(workload: Workload, request: RegionRequest, tier: Tier) -> tuple[dict[str, str], Model]:
    """Return the model of every task and the embedding model of a region.

    The user's wish for the region, then for the task, then (in several regions) the region's own of
    §6.4, then the document's Qwen3 with its provider's embedding.
    """
    spanning = tier.name == "multi-region"
    default_llm = (
        request.region.llm if spanning or request.region.jurisdiction == "cn" else "qwen3-30b-a3b-instruct-2507"
    )
    tasks = {task: request.llm or workload.models.get(task) or default_llm for task in TASKS}
    if workload.embedding != "remote":
        return tasks, models()[LOCAL_EMBEDDING]
    wished = request.embedding or workload.models.get("embedding")
    name = wished or (
        request.region.embedding if spanning or request.region.cloud == "alicloud" else "text-embedding-v3"
    )
    embedding = find_model(name, "embedding", "models.embedding")
    if not embedding.supports(workload.dimensions):
        if wished is None:
            # The default follows the dimensions: the cheapest known model that can produce them.
            able = [
                m
                for m in models().values()
                if m.kind == "embedding" and m.provider != "local" and m.supports(workload.dimensions)
            ]
            own = [m for m in able if m.provider == embedding.provider]
            if able:
                return tasks, (own or able)[0]
        raise InvalidWorkload(
            "dimensions", workload.dimensions, f"{embedding.supported_dimensions} with {embedding.name}"
        )
    return tasks, embedding


def _size_region(drawn: Design, placement: Placement, point: Point, open_regions: int) -> SizedRegion:
    workload, tier = drawn.workload, drawn.tier
    request = placement.request
    region = request.region
    replicas = 1 if placement.role == "isolated" else open_regions
    load = measure(point, dimensions=workload.dimensions, share=placement.share, replicas=replicas)
    tasks, embedding = region_models(workload, request, tier)
    site = Site(
        region=region,
        tier=tier,
        prices=drawn.prices,
        architecture=workload.architecture,
        embedding_mode=workload.embedding,
        embedding=embedding,
    )
    engine = drawn.chosen("vector_store")
    database_engine = drawn.chosen("database")
    local_objects = drawn.chosen("object_store") == "local"
    vector_store = size_vector_store(site, load, engine)
    rows_gb = load.database_gb if engine == "sqlite-vec" else load.text_gb
    local_gb = (
        (rows_gb if database_engine == "sqlite" else 0.0)
        + (load.objects_gb if local_objects else 0.0)
        + (vector_store.disk_gb if vector_store.placement == "same-host" else 0.0)
        + (embedding.weights_gb if workload.embedding != "remote" else 0.0)
    )
    compute = size_compute(site, load, engine, local_gb, request.nodes, placement.nodes)
    database = size_database(site, load, database_engine, engine == "pgvector", compute.nodes)
    cache = size_cache(site, load, drawn.chosen("cache"))
    zones = min(tier.zones, region.zones)
    nat = drawn.chosen("nat")
    gateways = {"none": 0, "single": 1, "per-zone": zones}[nat]
    balancer = drawn.chosen("balancer")
    balanced = balancer != "none"
    stored_gb = database.storage_gb if database.engine == "postgresql" else local_gb
    plan = RegionPlan(
        cloud=region.cloud,
        region=region.region,
        role=placement.role,
        share=round(placement.share, 4),
        load=_load_spec(load),
        compute=compute,
        database=database,
        vector_store=vector_store,
        object_store=ObjectStoreSpec(
            kind="local" if local_objects else OBJECT_STORES[region.cloud],
            capacity_gb=round(load.objects_gb, 3),
            model_weights_gb=embedding.weights_gb if workload.embedding != "remote" else 0.0,
            hot_days=HOT_DAYS,
            archive_after_days=round(ARCHIVE_AFTER_DAYS),
            delete_after_days=round(point.working_memory_retention_days),
            versioned=not local_objects,
        ),
        cache=cache,
        balancer=BalancerSpec(
            kind=balancer,  # type: ignore[arg-type]
            zones=zones if balanced else 0,
            waf_rules=tier.waf_rules if balancer == "alb" else 0,
            lcu_hours=round(balancer_lcu_hours(load), 4) if balanced else 0.0,
        ),
        network=NetworkSpec(
            zones=zones,
            nat=nat,  # type: ignore[arg-type]
            nat_gateways=gateways,
            public_addresses=(zones if balanced else 1) + gateways,
        ),
        monitoring=MonitoringSpec(kind=drawn.chosen("monitoring"), alarms=tier.alarms, metrics=tier.metrics),
        log_store=LogStoreSpec(
            application_gb=round(load.log_gb, 4),
            access_gb=round(load.access_log_gb, 4),
            audit_gb=round(load.audit_log_gb, 4),
            application_days=round(load.log_retention_days),
            access_days=ACCESS_LOG_DAYS,
            audit_days=AUDIT_LOG_DAYS,
            sample_share=LOG_SAMPLE_SHARE,
        ),
        backup=BackupSpec(
            retention_days=round(load.backup_retention_days),
            archive_years=ARCHIVE_YEARS,
            stock_gb=round(backup_stock_gb(stored_gb, load.daily_change_share, load.backup_retention_days), 2),
            archive_gb=round(load.database_gb * DUMP_SHARE * ARCHIVE_COPIES, 2),
            rpo_hours=1,
            rto_hours=1,
        ),
        security=SecuritySpec(keys=tier.keys, secrets=tier.secrets, image_gb=tier.image_gb),
        models=ModelsSpec(
            tasks=tasks,
            embedding=embedding.name,
            embedding_mode=workload.embedding,
            dimensions=workload.dimensions,
            texts_per_call=embedding.texts_per_call or 1,
        ),
    )
    return SizedRegion(plan=plan, load=load)


def _load_spec(load: Footprint) -> LoadSpec:
    return LoadSpec(
        users=round(load.users, 1),
        memories=round(load.memories),
        requests_per_month=round(load.requests),
        rps_peak=round(load.rps_peak, 3),
        concurrency_peak=round(load.concurrency_peak, 3),
        database_gb=round(load.database_gb, 3),
        llm_tokens_per_month=round(load.llm_tokens),
        embedding_tokens_per_month=round(load.embedding_tokens),
        egress_gb_per_month=round(load.egress_gb, 3),
    )


def balancer_lcu_hours(load: Footprint) -> float:
    """LCU-hours of a month: per hour the largest of four dimensions.

    One LCU is 25 new connections a second, 3000 active ones, 1 GB in the hour, 1000 rule evaluations
    a second beyond ten rules (AWS's definition; ours has fewer rules). All four follow the same
    rate, so the largest is the same one every hour and the month's sum is that of the average hour.
    """
    new = load.rps_average * NEW_CONNECTION_SHARE
    active = new * CONNECTION_SECONDS
    gb_per_hour = (load.egress_gb + load.ingress_gb) / 730.0
    return lcu_hours(new_per_second=new, active=active, gb_per_hour=gb_per_hour, rule_evaluations_per_second=0.0)


def lcu_hours(
    *,
    new_per_second: float,
    active: float,
    gb_per_hour: float,
    rule_evaluations_per_second: float,
    hours: float = 730.0,
) -> float:
    """LCU-hours of hours that are all alike; sum over hours that differ."""
    return hours * max(new_per_second / 25.0, active / 3000.0, gb_per_hour, rule_evaluations_per_second / 1000.0)


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
    for region in sized:
        found.extend(_residency_warnings(workload, region.plan))
    if any(
        region.plan.backup.stock_gb > 0
        and region.plan.database.engine == "postgresql"
        and workload.drivers["backup_retention_days"].expected > 35
        for region in sized
    ):
        found.append(Reason(code="warning-backup-35", origin="§10.4"))
    return _unique(found)


def _unique(reasons: list[Reason]) -> tuple[Reason, ...]:
    seen: dict[tuple[str, tuple[tuple[str, str], ...]], Reason] = {}
    for reason in reasons:
        seen.setdefault((reason.code, tuple(sorted(reason.values.items()))), reason)
    return tuple(seen.values())


def _residency_warnings(workload: Workload, plan: RegionPlan) -> list[Reason]:
    """Name the models that would send text out of the jurisdiction; refuse them in China (§10.2)."""
    if workload.residency is None and plan.role != "isolated":
        return []
    place_of = regions()[plan.cloud, plan.region].jurisdiction
    names = {*plan.models.tasks.values(), plan.models.embedding}
    found = []
    for name in sorted(names):
        served = models()[name].served_from
        if place_of in served or "local" in served:
            continue
        if place_of == "cn":
            valid = [m.name for m in models().values() if "cn" in m.served_from or "local" in m.served_from]
            raise InvalidWorkload("models", name, f"a model served inside China: {', '.join(valid)}")
        found.append(
            Reason(
                code="warning-residency",
                values={"model": name, "served": ", ".join(served), "place": place_of},
                origin="§10.2",
            )
        )
    return found

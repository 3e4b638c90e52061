"""From a design to sized regions, at one point of the workload or at its three corners."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sizing.billing.aws import lcu_hours, nlcu_hours
from sizing.capacity import (
    UNBOUND,
    Bounds,
    Site,
    size_cache,
    size_compute,
    size_database,
    size_vector_store,
)
from sizing.design import Design
from sizing.estimate import Corner
from sizing.footprint import (
    ARCHIVE_AFTER_DAYS,
    LOG_SAMPLE_SHARE,
    Footprint,
    backup_stock_gb,
    measure,
)
from sizing.measures import HOURS_PER_MONTH
from sizing.placement import Placement, region_models
from sizing.plan import (
    BackupSpec,
    BalancerSpec,
    LoadSpec,
    LogStoreSpec,
    ModelsSpec,
    MonitoringSpec,
    NetworkSpec,
    ObjectStoreSpec,
    RegionPlan,
    SecuritySpec,
)
from sizing.secrecy import count_secrets
from sizing.stores import postgres_data_gb, sqlite_disk_gb
from sizing.workload import Point

NEW_CONNECTION_SHARE = 0.25
CONNECTION_SECONDS = 60.0
"""Assumed: one request in four opens a connection, which lives 60 s (the balancer's idle timeout)."""

ACCESS_LOG_DAYS = 365
AUDIT_LOG_DAYS = 7 * 365
"""Errata 7.3: access logs 365 days, audit logs seven years, neither sampled."""

HOT_DAYS = 7
DAYS_PER_WEEK = 7
ARCHIVE_COPIES = 12
ARCHIVE_YEARS = 7
PROMETHEUS_KINDS = ("prometheus", "managed-prometheus")
ALARMS_BESIDE = 6
"""Ours: what CloudWatch alone sees beside Prometheus: tasks' memory and processors, failed backups, the balancer, the
database's connections and disk. AWS publishes these metrics anyway."""

DUMP_SHARE = 0.5
"""A compressed dump is about half of the database (assumed); twelve monthly copies lie after a year."""

OBJECT_STORES: dict[str, Literal["s3", "oss"]] = {"aws": "s3", "alicloud": "oss"}


@dataclass(frozen=True, kw_only=True, slots=True)
class SizedRegion:
    """A region's plan and the footprint that it was sized for."""

    plan: RegionPlan
    load: Footprint


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionBounds:
    """Bounds of a region's nodes and of its vector store, and the edition of its database."""

    compute: Bounds = UNBOUND
    vector_store: Bounds = UNBOUND
    edition: str = ""


def size_regions(drawn: Design, point: Point, bounds: Sequence[RegionBounds] = ()) -> tuple[SizedRegion, ...]:
    """Size every region of a design for one point of the workload."""
    limits = bounds or [RegionBounds()] * len(drawn.placements)
    return tuple(
        _size_region(drawn, placement, point, limit) for placement, limit in zip(drawn.placements, limits, strict=True)
    )


def size_corners(drawn: Design) -> dict[Corner, tuple[SizedRegion, ...]]:
    """Size the design at the low, expected and high corner, the outer two tied to the expected one."""
    workload = drawn.workload
    expected = size_regions(drawn, workload.point("expected"))
    low = size_regions(drawn, workload.point("low"), [_bind(region.plan, below=True) for region in expected])
    high = size_regions(drawn, workload.point("high"), [_bind(region.plan, below=False) for region in expected])
    return {"low": low, "expected": expected, "high": high}


def _bind(plan: RegionPlan, *, below: bool) -> RegionBounds:
    nodes, store = plan.compute.nodes, plan.vector_store
    disk_gb = store.disk_gb * store.nodes
    if below:
        return RegionBounds(
            compute=Bounds(most_nodes=nodes),
            edition=plan.database.edition,
            vector_store=Bounds(most_nodes=store.nodes, most_disk_gb=disk_gb) if store.nodes else UNBOUND,
        )
    return RegionBounds(
        compute=Bounds(least_nodes=nodes),
        vector_store=Bounds(least_nodes=store.nodes, least_disk_gb=disk_gb),
        edition=plan.database.edition,
    )


def _size_region(drawn: Design, placement: Placement, point: Point, bounds: RegionBounds) -> SizedRegion:
    workload, tier = drawn.workload, drawn.tier
    request = placement.request
    region = request.region
    load = _measure_region(drawn, placement, point)
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
    vector_store = size_vector_store(site, load, engine, bounds.vector_store)
    held = load.text_gb, load.memories, load.dimensions
    local_gb = (
        (sqlite_disk_gb(*held) if database_engine == "sqlite" else 0.0)
        + (load.objects_gb if local_objects else 0.0)
        + (vector_store.disk_gb if vector_store.placement == "same-host" else 0.0)
        + (embedding.weights_gb if workload.embedding != "remote" else 0.0)
    )
    compute = size_compute(
        site,
        load,
        engine,
        local_gb,
        nodes_wanted=request.nodes,
        floor_nodes=placement.nodes,
        bounds=bounds.compute,
    )
    database = size_database(site, load, database_engine, engine == "pgvector", compute.nodes, bounds.edition)
    cache = size_cache(site, load, drawn.chosen("cache"))
    zones = min(tier.zones, region.zones)
    nat = drawn.chosen("nat")
    gateways = {"none": 0, "single": 1, "per-zone": min(zones, compute.nodes)}[nat]
    balancer = drawn.chosen("balancer")
    balanced = balancer != "none"
    managed = database.engine == "postgresql"
    backed_gb = postgres_data_gb(*held) if managed else local_gb
    weeks = load.backup_retention_days / DAYS_PER_WEEK
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
            lcu_hours=round(balancer_lcu_hours(load, balancer), 4) if balanced else 0.0,
        ),
        network=NetworkSpec(
            zones=zones,
            nat=nat,  # type: ignore[arg-type]
            nat_gateways=gateways,
            public_addresses=(zones if balanced else 0) + (gateways or compute.nodes),
        ),
        monitoring=_watch(drawn, region.cloud),
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
            stock_gb=round(backup_stock_gb(backed_gb, load.daily_change_share, database.backup_retention_days), 2),
            dumps_gb=round(weeks * load.database_gb * DUMP_SHARE, 2),
            archive_gb=round(load.database_gb * DUMP_SHARE * ARCHIVE_COPIES, 2),
            rpo_hours=1,
            rto_hours=1,
        ),
        security=SecuritySpec(
            keys=tier.keys,
            secrets=count_secrets(
                compute,
                database,
                vector_store,
                cache,
                tasks=tasks,
                embedding=embedding,
                embedding_mode=workload.embedding,
                monitoring=drawn.chosen("monitoring"),
            ),
            image_gb=tier.image_gb,
        ),
        models=ModelsSpec(
            tasks=tasks,
            embedding=embedding.name,
            embedding_mode=workload.embedding,
            dimensions=workload.dimensions,
            texts_per_call=embedding.texts_per_call or 1,
        ),
    )
    return SizedRegion(plan=plan, load=load)


def _measure_region(drawn: Design, placement: Placement, point: Point) -> Footprint:
    """Measure a region: an isolated one holds its own users' memories, the open ones share all of theirs."""
    if placement.role == "isolated":
        shared, replicas = placement.share, 1
    else:
        peers = [other for other in drawn.placements if other.role != "isolated"]
        shared, replicas = sum(peer.share for peer in peers), len(peers)
    return measure(
        point, dimensions=drawn.workload.dimensions, share=placement.share, data_share=shared, replicas=replicas
    )


def _watch(drawn: Design, cloud: str) -> MonitoringSpec:
    kind, tier = drawn.chosen("monitoring"), drawn.tier
    if cloud == "aws" and kind in PROMETHEUS_KINDS:
        return MonitoringSpec(kind=kind, alarms=ALARMS_BESIDE, metrics=0)
    return MonitoringSpec(kind=kind, alarms=tier.alarms, metrics=tier.metrics)


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


def balancer_lcu_hours(load: Footprint, kind: str = "alb") -> float:
    """LCU-hours of a month (NLCU-hours for an nlb): per hour the largest of its dimensions.

    All dimensions follow the same rate, so the largest is the same one every hour and the month's sum is
    that of the average hour. Ours has fewer rules than the ten that are free of charge.
    """
    new = load.rps_average * NEW_CONNECTION_SHARE
    active = new * CONNECTION_SECONDS
    gb_per_hour = (load.egress_gb + load.ingress_gb) / HOURS_PER_MONTH
    if kind == "nlb":
        return nlcu_hours(new_per_second=new, active=active, gb_per_hour=gb_per_hour)
    return lcu_hours(new_per_second=new, active=active, gb_per_hour=gb_per_hour, rule_evaluations_per_second=0.0)

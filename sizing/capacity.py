"""How large each component must be: footprint in, typed spec out.

The floors are the tier's (``data/tiers.csv``, from §1.1 and §9.1); load only ever adds to them.
"""

import math
from dataclasses import dataclass
from typing import Literal

from sizing.catalogue import Catalogue
from sizing.errors import ImpossiblePlan
from sizing.footprint import Footprint, peak_vcpu, service_ram_mb
from sizing.instances import Instance, cheapest, instances, node_classes, order_node_price, order_price
from sizing.measures import SECONDS_PER_MONTH
from sizing.models import Model
from sizing.plan import CacheSpec, ComputeSpec, DatabaseSpec, VectorStoreSpec
from sizing.regions import Region
from sizing.stores import (
    SYSTEM_GB,
    elasticsearch_node_gb,
    postgres_disk_gb,
    postgres_ram_gb,
    sqlite_disk_gb,
    vectors_disk_gb,
    vectors_ram_gb,
)
from sizing.tiers import Tier

TARGET_UTILISATION = 0.6
"""Ours: nodes are sized to 60 % at the peak, below §10.5's 80 %."""

EMBEDDED_TOKENS_PER_VCPU_SECOND = 500.0
EMBEDDED_TOKENS_PER_GPU_SECOND = 30_000.0
"""Assumed for bge-m3 (568M parameters): some 2 texts of 256 tokens a second on a CPU core, some 120
on a T4. Not measured here; error: factor 3. Measure with your own texts before you rely on it."""

ROOT_DISK_GB = 30
"""Ours: operating system, images and logs in transit."""
DISK_HEADROOM = 1.3
DISK_STEP_GB = 10
"""Ours: a disk is planned to be three quarters full, below the alarm at 85 % (§7.2), in steps of 10 GB."""

SERVERLESS_MAX_UNITS = 14
"""Alibaba Cloud RDS for PostgreSQL, serverless: at most 14 RCUs (its documentation, August 2024)."""
MANAGED_BACKUP_DAYS = 35
"""Managed PostgreSQL keeps point-in-time recovery for 35 days at most (RDS documentation)."""

UNIT_MEMORY_GB = 2.0
"""An RCU is about one core and 2 GB (its documentation)."""

FIXED_DATABASE = "postgresql-instance"
"""The candidate that wants a fixed class where the usual one is serverless."""
NODE_SERVICES = {"aws": "ec2", "alicloud": "ecs"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """Where and under which wishes a region is sized."""

    region: Region
    tier: Tier
    prices: Catalogue
    architecture: str
    embedding_mode: str
    embedding: Model

    @property
    def node_service(self) -> str:
        return NODE_SERVICES[self.region.cloud]

    def nodes_for(self, *, burstable: bool, gpu: bool = False) -> tuple[Instance, ...]:
        """Return the classes that the service or Qdrant may run on here."""
        return node_classes(self.region.cloud, self.node_service, self.architecture, burstable=burstable, gpu=gpu)

    def price(self, service: str, sku: str) -> float:
        return order_price(self.prices, self.region, service, sku)

    def node_price(self, instance: Instance) -> float:
        return order_node_price(self.prices, self.region, self.node_service, instance.name, ROOT_DISK_GB)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """What ties the low and the high corner to the expected plan, so that no line runs backwards.

    A larger need can be cheapest with fewer, larger nodes; their number of root disks would then fall
    while the need grows. At the high corner nodes and disks are therefore at least, at the low corner
    at most, those of the expected plan.
    """

    least_nodes: int = 0
    most_nodes: int = 1_000_000
    least_disk_gb: int = 0
    most_disk_gb: int = 1_000_000_000

    def nodes(self, count: int) -> int:
        """Return the count within the bounds."""
        return max(self.least_nodes, min(self.most_nodes, count))

    def disk_gb(self, each: int, nodes: int) -> int:
        """Return the disk of each node so that all together stay within the bounds."""
        return max(math.ceil(self.least_disk_gb / nodes), min(self.most_disk_gb // nodes, each))


UNBOUND = Bounds()


def round_disk(gb: float, floor: int) -> int:
    """Round a disk up to the next step, with headroom, never below its floor."""
    return max(floor, math.ceil(gb * DISK_HEADROOM / DISK_STEP_GB) * DISK_STEP_GB)


def needed_vcpu(site: Site, load: Footprint, vector_engine: str) -> float:
    """vCPUs that the peak needs: ``peak_vcpu`` and local embedding, at 60 %."""
    busy = peak_vcpu(load, vector_engine)
    if site.embedding_mode == "local-cpu":
        peak = load.rps_peak / load.rps_average if load.rps_average else 1.0
        busy += load.embedding_tokens * peak / SECONDS_PER_MONTH / EMBEDDED_TOKENS_PER_VCPU_SECOND
    return busy / TARGET_UTILISATION


def node_memory_gb(site: Site, load: Footprint, workers: int, vector_engine: str) -> float:
    """GB of RAM of one node: the service by §1.1 and Qdrant where it shares the host."""
    service = service_ram_mb(
        workers=workers,
        memories=load.memories,
        dimensions=load.dimensions,
        index_in_memory=vector_engine == "memory",
        index_local=vector_engine == "sqlite-vec",
        model_ram_gb=site.embedding.ram_gb if site.embedding_mode == "local-cpu" else 0.0,
    )
    beside = 0.0
    if vector_engine == "qdrant-same-host":
        beside = SYSTEM_GB + vectors_ram_gb("qdrant", load.memories, load.dimensions)
    elif vector_engine == "chromadb":
        beside = vectors_ram_gb("chromadb", load.memories, load.dimensions)
    return service / 1000.0 + beside


def size_compute(
    site: Site,
    load: Footprint,
    vector_engine: str,
    local_gb: float,
    *,
    nodes_wanted: int | None,
    floor_nodes: int,
    bounds: Bounds = UNBOUND,
) -> ComputeSpec:
    """Size the nodes; with several, the loss of one leaves enough for the peak."""
    tier = site.tier
    gpu = site.embedding_mode == "local-gpu"
    need = needed_vcpu(site, load, _VECTOR_PLACEMENT[vector_engine][0])
    if gpu:
        peak = load.rps_peak / load.rps_average if load.rps_average else 1.0
        cards = load.embedding_tokens * peak / SECONDS_PER_MONTH / EMBEDDED_TOKENS_PER_GPU_SECOND
    else:
        cards = 0.0

    def count(instance: Instance) -> int | None:
        if instance.vcpu < tier.vcpu and not gpu:
            return None
        memory = node_memory_gb(site, load, instance.vcpu, vector_engine)
        if instance.memory_gb < (memory if gpu else max(tier.memory_gb, memory)):
            return None
        busy = max(math.ceil(need / instance.vcpu), math.ceil(cards))
        if not tier.spans_nodes:
            return 1 if busy <= 1 else None
        if nodes_wanted is not None:
            return nodes_wanted if busy <= max(1, nodes_wanted - 1) else None
        return bounds.nodes(max(floor_nodes, busy + 1))

    allowed = site.nodes_for(burstable=tier.burstable, gpu=gpu) or site.nodes_for(burstable=True, gpu=gpu)
    if not allowed:
        reason = f"no {site.architecture} class{' with a GPU' if gpu else ''} is known on {site.region.cloud}"
        raise ImpossiblePlan(
            "architecture", site.architecture, reason, "Use x86_64, or embedding = local-cpu or remote."
        )
    found = cheapest(allowed, count, site.node_price)
    if found is None:
        largest = max(allowed, key=lambda instance: (instance.memory_gb, instance.vcpu))
        nodes = 1 if not tier.spans_nodes else max(floor_nodes, math.ceil(need / largest.vcpu) + 1)
        found = largest, nodes_wanted or bounds.nodes(nodes)
    instance, nodes = found
    return ComputeSpec(
        instance_class=instance.name,
        architecture=instance.architecture,
        nodes=nodes,
        max_nodes=nodes if not tier.spans_nodes else nodes * 2,
        vcpu=instance.vcpu,
        memory_gb=instance.memory_gb,
        memory_needed_gb=round(node_memory_gb(site, load, instance.vcpu, vector_engine), 2),
        root_disk_gb=ROOT_DISK_GB,
        data_disk_gb=0 if tier.spans_nodes else round_disk(local_gb, tier.disk_gb),
        disk_iops=max(3000, math.ceil(load.iops_peak / 100) * 100) if not tier.spans_nodes else 3000,
        gpu=instance.gpu,
        placement="cluster" if tier.spans_nodes else "host",
    )


def size_database(
    site: Site, load: Footprint, engine: str, pgvector: bool, nodes: int, edition_kept: str = ""
) -> DatabaseSpec:
    """Size the relational store: SQLite on the host, RDS on AWS, on Alibaba Cloud serverless RDS.

    There a fixed class is taken where FIXED_DATABASE is wished for, or where more than SERVERLESS_MAX_UNITS are needed.
    ``edition_kept`` holds the outer corners to the edition of the expected plan; a serverless one that
    would need more than SERVERLESS_MAX_UNITS is then sized at that limit.
    """
    retention = round(load.backup_retention_days)
    held = load.text_gb, load.memories, load.dimensions
    if engine == "sqlite":
        return DatabaseSpec(
            engine="sqlite",
            edition="embedded",
            instance_class="",
            capacity_units=0.0,
            multi_zone=False,
            storage_gb=math.ceil(sqlite_disk_gb(*held)),
            memory_needed_gb=0.0,
            backup_retention_days=retention,
        )
    memory = max(site.tier.database_memory_gb, postgres_ram_gb(*held, nodes * 20, searches_here=pgvector))
    storage = round_disk(postgres_disk_gb(*held), 20)
    multi_zone = site.tier.spans_nodes
    edition: Literal["instance", "serverless"] = "instance"
    name, units = "", 0.0
    if site.region.cloud == "alicloud":
        units = float(math.ceil(memory / UNIT_MEMORY_GB))
        fits = not edition_kept and units <= SERVERLESS_MAX_UNITS
        if engine != FIXED_DATABASE and (edition_kept == "serverless" or fits):
            edition, units = "serverless", min(units, float(SERVERLESS_MAX_UNITS))
        else:
            units, name = 0.0, choose_fixed_class(memory).name
    else:
        name = choose_database_class(site, memory, multi_zone).name
    return DatabaseSpec(
        engine="postgresql",
        edition=edition,
        instance_class=name,
        capacity_units=units,
        multi_zone=multi_zone,
        storage_gb=storage,
        memory_needed_gb=round(memory, 2),
        backup_retention_days=min(retention, MANAGED_BACKUP_DAYS),
    )


def choose_database_class(site: Site, memory_gb: float, multi_zone: bool) -> Instance:
    """Return the cheapest RDS class with enough memory; the largest where none has."""
    zone = "multi-az" if multi_zone else "single-az"
    allowed = tuple(instance for instance in instances("aws", "rds") if site.tier.burstable or not instance.burstable)
    found = cheapest(
        allowed,
        lambda instance: 1 if instance.memory_gb >= memory_gb else None,
        lambda instance: site.price("rds-postgres", f"{instance.name}:{zone}"),
    )
    return found[0] if found else max(allowed, key=lambda instance: instance.memory_gb)


def choose_fixed_class(memory_gb: float) -> Instance:
    """Return Alibaba Cloud's smallest RDS class with enough memory, the largest where none has: none has a price."""
    known = sorted(instances("alicloud", "rds"), key=lambda instance: instance.memory_gb)
    return next((instance for instance in known if instance.memory_gb >= memory_gb), known[-1])


def size_vector_store(site: Site, load: Footprint, candidate: str, bounds: Bounds = UNBOUND) -> VectorStoreSpec:
    """Size the vector store; Qdrant's nodes carry ``replication_factor`` copies."""
    engine, placement = _VECTOR_PLACEMENT[candidate]
    nodes, name, disk, copies = 0, "", 0, 1
    quantized = engine == "qdrant"
    memory = vectors_ram_gb(engine, load.memories, load.dimensions) if placement != "embedded" else 0.0
    held_gb = vectors_disk_gb(engine, load.text_gb, load.memories, load.dimensions)
    if placement == "own-nodes":
        tier = site.tier
        copies = tier.replication_factor if tier.qdrant_nodes else 1
        floor = max(tier.qdrant_nodes, 1)
        need, usable_share, node_gb = memory * copies, 0.75, SYSTEM_GB
        if engine == "elasticsearch":
            # It keeps the index in the page cache beside a heap of half the machine.
            floor, usable_share, node_gb = max(3, floor), 0.5, elasticsearch_node_gb()
        service = "opensearch" if engine == "elasticsearch" and site.region.cloud == "aws" else site.node_service
        pool = instances("aws", "opensearch") if service == "opensearch" else site.nodes_for(burstable=tier.burstable)
        found = cheapest(
            pool,
            lambda instance: (
                None
                if instance.memory_gb < 4
                else bounds.nodes(max(floor, math.ceil(need / (instance.memory_gb * usable_share - SYSTEM_GB))))
            ),
            site.node_price if service == site.node_service else lambda instance: site.price(service, instance.name),
        )
        if found is None:
            raise ImpossiblePlan(
                "vector_store",
                candidate,
                f"no node class of {service} is known for {site.region.key}",
                "Choose another.",
            )
        name, nodes = found[0].name, found[1]
        memory = need / nodes + node_gb
        disk = bounds.disk_gb(round_disk(held_gb * copies / nodes, 20), nodes)
    elif placement in ("same-host", "managed"):
        disk = round_disk(held_gb, 10)
    return VectorStoreSpec(
        engine=engine,
        placement=placement,
        nodes=nodes,
        instance_class=name,
        disk_gb=disk,
        dimensions=load.dimensions,
        vectors=load.memories,
        replication_factor=copies,
        quantization="int8" if quantized else "none",
        memory_needed_gb=round(memory, 3),
    )


_VECTOR_PLACEMENT: dict[str, tuple[str, Literal["embedded", "same-host", "own-nodes", "in-database", "managed"]]] = {
    "sqlite-vec": ("sqlite-vec", "embedded"),
    "memory": ("memory", "embedded"),
    "qdrant-same-host": ("qdrant", "same-host"),
    "qdrant": ("qdrant", "own-nodes"),
    "pgvector": ("pgvector", "in-database"),
    "elasticsearch": ("elasticsearch", "own-nodes"),
    "chromadb": ("chromadb", "same-host"),
    "qdrant-cloud": ("qdrant", "managed"),
}


def size_cache(site: Site, load: Footprint, candidate: str) -> CacheSpec:
    """Size the cache: half a GB for keys, limits and idempotency, and a tenth of the vectors to 4 GB."""
    if candidate == "in-process":
        return CacheSpec(engine="in-process", node_class="", nodes=0)
    memory = 0.5 + min(4.0, load.vectors_gb * 0.1)
    nodes = max(1, site.tier.cache_nodes)
    if site.region.cloud == "alicloud":
        return CacheSpec(
            engine="redis", node_class=f"tair.rdb.{2 ** math.ceil(math.log2(max(1.0, memory)))}g", nodes=nodes
        )
    found = cheapest(
        instances("aws", "elasticache"),
        lambda instance: nodes if instance.memory_gb >= memory else None,
        lambda instance: site.price("elasticache", f"valkey:{instance.name}"),
    )
    assert found is not None, "the largest cache class holds more than 4.5 GB"  # noqa: S101
    return CacheSpec(engine="valkey", node_class=found[0].name, nodes=nodes)

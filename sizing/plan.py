"""The plan: which tier, which components, how large, and why.

A Plan holds no prices and no cloud SDK's types. ``infra`` turns it into resources, ``cost`` into a
bill, the service's configuration is rendered from it. Its JSON form carries ``schema_version``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

SCHEMA_VERSION = 1

Force = Literal["cannot", "advice", "not-needed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """Why something was chosen or rejected: a message code and the values that it names."""

    code: str
    values: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejection:
    """An alternative that was not taken; ``cannot`` would fail, ``advice`` would be a poor choice."""

    candidate: str
    force: Force
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What was chosen for one component, why, and why not the others.

    ``warnings`` are the rules that speak against a choice that the user insisted on.
    """

    component: str
    chosen: str
    overridden: bool
    reasons: tuple[Reason, ...]
    rejected: tuple[Rejection, ...]
    warnings: tuple[Reason, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadSpec:
    """What a region carries in a month, for readers of the plan and for alarms' thresholds."""

    users: float
    memories: float
    requests_per_month: float
    rps_peak: float
    concurrency_peak: float
    database_gb: float
    llm_tokens_per_month: float
    embedding_tokens_per_month: float
    egress_gb_per_month: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ComputeSpec:
    """Nodes that run the service."""

    instance_class: str
    architecture: str
    nodes: int
    max_nodes: int
    vcpu: int
    memory_gb: float
    memory_needed_gb: float
    root_disk_gb: int
    data_disk_gb: int
    disk_iops: int
    gpu: str
    placement: Literal["host", "cluster"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseSpec:
    """The relational store. ``capacity_units`` is set for a serverless edition, ``instance_class`` else."""

    engine: Literal["sqlite", "postgresql"]
    edition: Literal["embedded", "instance", "serverless"]
    instance_class: str
    capacity_units: float
    multi_zone: bool
    storage_gb: int
    memory_needed_gb: float
    backup_retention_days: int
    pool_min: int = 5
    pool_max: int = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class VectorStoreSpec:
    """The vector store; HNSW settings as §3.4, quantisation as corrected (int8 scalar)."""

    engine: str
    placement: Literal["embedded", "same-host", "own-nodes", "in-database", "managed"]
    nodes: int
    instance_class: str
    disk_gb: int
    dimensions: int
    vectors: float
    replication_factor: int
    quantization: Literal["none", "int8"]
    memory_needed_gb: float
    hnsw_m: int = 16
    hnsw_ef_construct: int = 200
    hnsw_ef: int = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectStoreSpec:
    """Working-memory output, profiles, model weights; ages in days as §4.5 corrected."""

    kind: Literal["local", "s3", "oss"]
    capacity_gb: float
    model_weights_gb: float
    hot_days: int
    archive_after_days: int
    delete_after_days: int
    versioned: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheSpec:
    engine: Literal["in-process", "valkey", "redis"]
    node_class: str
    nodes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BalancerSpec:
    """The balancer with §6.2's health check; ``lcu_hours`` is the month's expected capacity use."""

    kind: Literal["none", "alb", "nlb"]
    zones: int
    waf_rules: int
    lcu_hours: float
    health_path: str = "/health"
    health_interval_s: int = 30
    health_timeout_s: int = 5
    healthy_threshold: int = 2
    unhealthy_threshold: int = 3
    stickiness_s: int = 86400
    target_port: int = 8002


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkSpec:
    zones: int
    nat: Literal["none", "single", "per-zone"]
    nat_gateways: int
    public_addresses: int


@dataclass(frozen=True, kw_only=True, slots=True)
class MonitoringSpec:
    """Alarms of §7.2 and the custom metrics that dashboards need."""

    kind: str
    alarms: int
    metrics: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LogStoreSpec:
    """Volumes in GB a month; application logs sampled, access and audit logs whole (errata 7.3)."""

    application_gb: float
    access_gb: float
    audit_gb: float
    application_days: int
    access_days: int
    audit_days: int
    sample_share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupSpec:
    """§10.4: incremental copies, weekly dumps, and a monthly archive kept seven years.

    ``stock_gb`` lies in the service's own backup store once its retention (35 days at most where the
    database is managed) has filled; ``dumps_gb`` are the weekly dumps that lie in the bucket for
    ``retention_days``; ``archive_gb`` is the archive after its first twelve months (it goes on growing to
    seven times that).
    """

    retention_days: int
    archive_years: int
    stock_gb: float
    dumps_gb: float
    archive_gb: float
    rpo_hours: int
    rto_hours: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SecuritySpec:
    keys: int
    secrets: int
    image_gb: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelsSpec:
    """Which model does which task in this region, and how text is embedded."""

    tasks: Mapping[str, str]
    embedding: str
    embedding_mode: str
    dimensions: int
    texts_per_call: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionPlan:
    """Everything that one region gets."""

    cloud: str
    region: str
    role: Literal["primary", "secondary", "isolated"]
    share: float
    load: LoadSpec
    compute: ComputeSpec
    database: DatabaseSpec
    vector_store: VectorStoreSpec
    object_store: ObjectStoreSpec
    cache: CacheSpec
    balancer: BalancerSpec
    network: NetworkSpec
    monitoring: MonitoringSpec
    log_store: LogStoreSpec
    backup: BackupSpec
    security: SecuritySpec
    models: ModelsSpec

    @property
    def key(self) -> str:
        return f"{self.cloud}:{self.region}"


@dataclass(frozen=True, kw_only=True, slots=True)
class GlobalSpec:
    """What spans the regions: routing by latency, a CDN, asynchronous replication of text."""

    cdn: bool
    latency_routing: bool
    replicated_gb_per_month: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """One limit of the tier and where it lies: the number of users and memories that reaches it.

    ``month`` counts from today at the given growth; None where nothing grows. ``leads_to`` is the tier
    that is due then.
    """

    metric: str
    limit: float
    current: float
    users: int
    memories: int
    month: int | None
    leads_to: str
    origin: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The plan for a workload on one choice of cloud."""

    name: str
    tier: str
    choices: tuple[Choice, ...]
    regions: tuple[RegionPlan, ...]
    spanning: GlobalSpec
    limits: tuple[Limit, ...]
    warnings: tuple[Reason, ...]
    schema_version: int = SCHEMA_VERSION

    @property
    def primary(self) -> RegionPlan:
        return self.regions[0]

    def choice(self, component: str) -> Choice:
        """Return the choice made for a component."""
        return next(choice for choice in self.choices if choice.component == component)

"""What a plan uses that no single resource shows: traffic between zones and regions, logs over time."""

from dataclasses import dataclass

from sizing.billing.charge import Bill
from sizing.footprint import RESULTS_PER_RETRIEVE
from sizing.measures import BYTES_PER_GB, BYTES_PER_KB, DAYS_PER_MONTH, HOURS_PER_MONTH
from sizing.plan import RegionPlan
from sizing.sizer import SizedRegion
from sizing.stores import QDRANT_REWRITE_ROOM, qdrant_disk_gb, vectors_disk_gb


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """What a region has to do with the others: whether it holds the DNS zone, who replicates with it."""

    dns_queries: float
    peers_same_cloud: int
    peers: int


SECONDS_PER_HOUR = 3600
MONTHS_IN_VIEW = 12
"""Long-lived logs and archives are billed as they stand after the first year."""


MONITORING_CLASSES = {
    ("aws", "x86_64"): "t3.medium",
    ("aws", "arm64"): "t4g.medium",
    ("alicloud", "x86_64"): "ecs.c7.large",
    ("alicloud", "arm64"): "ecs.c8y.large",
}


MONITORING_DISK_GB = 80
"""Ours: Prometheus and Grafana on 2 vCPU / 4 GB with a system and 50 GB of metrics."""


SNAPSHOTS_KEPT_DAYS = 7
"""§10.4: copies for fast recovery are kept seven days."""

SERIES_PER_NODE = 1500
"""Ours: series of one node of the service; a histogram has one for each bound and operation. Error: factor 3."""
SCRAPE_INTERVAL_S = 60
RULES_INTERVAL_S = 30
"""How often metrics are read and rules evaluated."""
RULE_WINDOW_SAMPLES = 5
"""Rules look at five minutes, so at five samples of a series; most series are in one rule at most."""

BLOCKED_SHARE = 0.1
FIREWALL_LINE_KB = 1.5
"""Ours: the firewall logs what it blocks or counts, not what passes. Error: factor 10, by who finds the service."""
FLOW_LINES_PER_REQUEST = 6
FLOW_LINE_KB = 0.1
"""Ours: a request opens connections to the balancer, the task and its stores, and each is a line at both of its ends.
Connections that are kept open make it fewer. Error: factor 5."""
SERVER_LOG_GB = 0.05
"""Ours: what a database or cache writes in a month: connections, checkpoints, slow statements. Error: factor 5."""


def index_backup_gb(region: SizedRegion) -> float:
    """GB of a snapshot of the vector store's index: one copy, without the room in which Qdrant rewrites segments."""
    store = region.plan.vector_store
    if store.engine == "qdrant":
        return qdrant_disk_gb(store.vectors, store.dimensions) / QDRANT_REWRITE_ROOM
    return vectors_disk_gb(store.engine, region.load.text_gb, store.vectors, store.dimensions)


def index_snapshots_gb(region: SizedRegion) -> float:
    """GB of snapshots of own Qdrant nodes in the bucket: each node saves all that it holds, every day."""
    store = region.plan.vector_store
    if store.engine != "qdrant" or store.placement != "own-nodes":
        return 0.0
    return index_backup_gb(region) * store.replication_factor * SNAPSHOTS_KEPT_DAYS


def scraped_samples(plan: RegionPlan) -> float:
    """Samples that a region's nodes send in a month."""
    return plan.compute.nodes * SERIES_PER_NODE * HOURS_PER_MONTH * SECONDS_PER_HOUR / SCRAPE_INTERVAL_S


def evaluated_samples(plan: RegionPlan) -> float:
    """Samples that the alert rules read in a month."""
    evaluations = HOURS_PER_MONTH * SECONDS_PER_HOUR / RULES_INTERVAL_S
    return evaluations * plan.compute.nodes * SERIES_PER_NODE * RULE_WINDOW_SAMPLES


def firewall_log_gb(requests: float) -> float:
    """GB of the firewall's log in a month."""
    return requests * BLOCKED_SHARE * FIREWALL_LINE_KB * BYTES_PER_KB / BYTES_PER_GB


def flow_log_gb(requests: float) -> float:
    """GB of the network's flow log in a month."""
    return requests * FLOW_LINES_PER_REQUEST * FLOW_LINE_KB * BYTES_PER_KB / BYTES_PER_GB


def cross_zone_gb(region: SizedRegion) -> float:
    """GB that cross zones in a month: what retrievals read and writes store, times the share of the
    partners that sit in another zone. Error: upper bound for zone-aware clients."""
    load, zones = region.load, region.plan.network.zones
    text_bytes = load.text_gb * BYTES_PER_GB / load.memories if load.memories else 0.0
    vector_bytes = 4.0 * load.dimensions
    read = load.retrieves * (RESULTS_PER_RETRIEVE * text_bytes + vector_bytes)
    written = load.writes * (text_bytes + vector_bytes) * 2
    return (read + written) / BYTES_PER_GB * (zones - 1) / zones


def stored_logs_gb(gb_per_month: float, days: float) -> float:
    """GB of a log that lie in the store after the first year: inflow x the months kept by then."""
    return gb_per_month * min(days / DAYS_PER_MONTH, MONTHS_IN_VIEW)


def log_gb(plan: RegionPlan) -> float:
    """GB of all three logs in a month."""
    logs = plan.log_store
    return logs.application_gb + logs.access_gb + logs.audit_gb


def bill_managed_qdrant(bill: Bill, region: SizedRegion) -> None:
    """Charge Qdrant Cloud by the RAM that the vectors need."""
    store = region.plan.vector_store
    bill.add_external(
        "vector_store/managed",
        "qdrant",
        "qdrant-cloud",
        "cluster",
        store.memory_needed_gb * HOURS_PER_MONTH,
        "GB-hour",
        "*",
        "memories",
    )


def bill_hosts(bill: Bill, plan: RegionPlan) -> None:
    """Charge Datadog for every host, where it was chosen."""
    if plan.monitoring.kind == "datadog":
        # nodes of a search service are nobody's hosts
        vectors = plan.vector_store
        hosts = plan.compute.nodes + (vectors.nodes if vectors.engine == "qdrant" else 0)
        bill.add_external(
            "monitoring/hosts", "datadog", "monitoring", "infra-pro:host", hosts, "host-month", "*", "nodes"
        )

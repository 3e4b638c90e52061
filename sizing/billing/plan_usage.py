"""What a plan uses that no single resource shows: traffic between zones and regions, logs over time."""

from dataclasses import dataclass

from sizing.billing.charge import Bill
from sizing.footprint import RESULTS_PER_RETRIEVE
from sizing.measures import BYTES_PER_GB, DAYS_PER_MONTH, HOURS_PER_MONTH
from sizing.plan import RegionPlan
from sizing.sizer import SizedRegion


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """What a region has to do with the others: whether it holds the DNS zone, who replicates with it."""

    dns_queries: float
    peers_same_cloud: int
    peers: int


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
        hosts = plan.compute.nodes + plan.vector_store.nodes
        bill.add_external(
            "monitoring/hosts", "datadog", "monitoring", "infra-pro:host", hosts, "host-month", "*", "nodes"
        )

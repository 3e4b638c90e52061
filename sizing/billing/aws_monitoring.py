"""What AWS bills for watching: logs, alarms, metrics, managed Prometheus and Grafana, per month."""

from sizing.billing.charge import Bill
from sizing.measures import BYTES_PER_GB, HOURS_PER_MONTH

INSIGHTS_METRICS = 8 + 6 + 11
"""Of a cluster, of one kind of task, of one service (the example of CloudWatch's price page, as quoted in
public code file 45429831940, read 2026-11-23)."""
INSIGHTS_LINES = 2
INSIGHTS_LINES_PER_TASK = 4
INSIGHTS_LINE_GB = 1e-6
"""Ours: a line of 1 KB a minute of the cluster, the service, each task, its containers and node. Error: factor 2."""

WORKSPACE_MONTHS = 5
"""Managed Prometheus keeps samples for 150 days (its user guide)."""
SAMPLE_BYTES = 2.0
"""Its price page: typically one or two bytes."""


def log_group(bill: Bill, resource: str, ingested_gb: float, stored_gb: float, scanned_gb: float = 0.0) -> None:
    """A CloudWatch log group: GB taken in, GB kept, GB searched."""
    bill.add(resource, "cloudwatch", "logs-ingested", ingested_gb, "GB", kind="usage", driver="requests")
    bill.add(resource, "cloudwatch", "logs-archived", stored_gb, "GB-month", kind="usage", driver="requests")
    bill.add(resource, "cloudwatch", "insights-scanned", scanned_gb, "GB", kind="usage", driver="requests")


def delivered_logs(bill: Bill, resource: str, gb: float) -> None:
    """Logs that a service of AWS delivers to a bucket by itself (vended logs), in GB; their storage is the bucket's."""
    bill.add(resource, "cloudwatch", "vended-to-bucket", gb, "GB", kind="usage", driver="requests")


def alarms(bill: Bill, resource: str, count: int, metrics: int = 0) -> None:
    """CloudWatch alarms of standard resolution and custom metrics."""
    bill.add(resource, "cloudwatch", "alarm", count, "alarm-metric-month")
    bill.add(resource, "cloudwatch", "metric", metrics, "metric-month")


def container_insights(bill: Bill, resource: str, nodes: int) -> None:
    """What ECS's own insights into one service publish: custom metrics, and the lines that they come from."""
    bill.add(resource, "cloudwatch", "metric", INSIGHTS_METRICS, "metric-month")
    minutes = HOURS_PER_MONTH * 60
    lines = INSIGHTS_LINES + INSIGHTS_LINES_PER_TASK * nodes
    bill.add(
        resource, "cloudwatch", "logs-ingested", lines * minutes * INSIGHTS_LINE_GB, "GB", kind="usage", driver="nodes"
    )


def metrics_workspace(bill: Bill, resource: str, samples: float, queried: float) -> None:
    """A workspace of Managed Prometheus: samples taken in, kept for its usual time, and read by rules."""
    stored_gb = samples * WORKSPACE_MONTHS * SAMPLE_BYTES / BYTES_PER_GB
    for sku, quantity, unit in (
        ("samples", samples / 1e7, "10M samples"),
        ("storage", stored_gb, "GB-month"),
        ("query-samples", queried / 1e9, "1G samples"),
    ):
        bill.add(resource, "prometheus", sku, quantity, unit, kind="usage", driver="nodes")


def grafana(bill: Bill, resource: str, editors: int = 1) -> None:
    """A workspace of Managed Grafana: its active editors, of which it is billed for one at least."""
    bill.add(resource, "grafana", "editor", editors, "user-month")

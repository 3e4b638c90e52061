"""The alarms of §7.2 as data (``infra/data/alarms.csv``): which ones a plan gets, and at which thresholds."""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.errors import InfraError
from infra.tables import read_table
from sizing.measures import HOURS_PER_MONTH
from sizing.plan import LoadSpec, RegionPlan

ALARMS_TABLE = "alarms.csv"
AWS_NAMESPACES = "AWS/"

DOCUMENT_TOKENS_PER_HOUR = 1_000_000
"""§7.2 HighTokenConsumption; the floor of the threshold (errata 7.2)."""
TOKENS_FACTOR = 2
"""Errata 7.2: twice the plan's hourly figure."""

BYTES_PER_CONNECTION = 9_531_392
MOST_CONNECTIONS = 5000
"""RDS lets in LEAST(memory / 9531392, 5000) connections (RDS user guide, "Quotas and constraints", read 2026-11-22)."""
CONNECTIONS_SHARE = 0.9
FREE_STORAGE_SHARE = 0.15
"""§7.2 DiskSpaceRunningOut: 85 % used."""
BYTES_PER_GIB = 2**30
"""RDS counts storage and memory in binary units."""


class TooFewAlarms(InfraError):
    """The plan pays for more alarms than there is to watch."""

    def __init__(self, wanted: int, applicable: int) -> None:
        super().__init__(
            f"the plan has {wanted} alarms and infra/data/{ALARMS_TABLE} has {applicable} for what it makes: add rows"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """One row: a metric and when it is wrong.

    `dimensions` names whose metric it is. `expression` is the same rule for Prometheus, held for `hold_s`; empty
    where only AWS has the metric. `missing` is what no data means, in CloudWatch's words.
    """

    name: str
    namespace: str
    metric: str
    statistic: str
    comparison: str
    threshold: float
    period_s: int
    evaluations: int
    missing: str
    dimensions: str
    summary: str
    expression: str
    hold_s: int
    origin: str


def choose_alarms(plan: RegionPlan, *, certificate: bool, scraped: bool) -> tuple[Alarm, ...]:
    """The alarms that the plan pays for: as many as `plan.monitoring.alarms`, the most important first.

    `certificate` says whether the stack has one of ACM to watch, `scraped` whether an agent reads the service's own
    metrics. Raises TooFewAlarms where the plan makes too little to watch so many.
    """
    found = list_applicable(plan, certificate=certificate, scraped=scraped)
    if len(found) < plan.monitoring.alarms:
        raise TooFewAlarms(plan.monitoring.alarms, len(found))
    return found[: plan.monitoring.alarms]


def list_applicable(plan: RegionPlan, *, certificate: bool, scraped: bool) -> tuple[Alarm, ...]:
    """Every alarm whose resources the plan makes, by rank; beside Prometheus those that AWS alone has the metric of."""
    present = list_parts(plan, scraped=scraped) | ({"certificate"} if certificate else set())
    thresholds = derive_thresholds(plan)
    rows = sorted(read_table(ALARMS_TABLE), key=lambda row: int(row["rank"]))
    if plan.monitoring.kind != "cloud":
        rows = [row for row in rows if row["namespace"].startswith(AWS_NAMESPACES) and not row["expression"]]
    return tuple(_read_alarm(row, thresholds) for row in rows if not row["needs"] or row["needs"] in present)


def list_parts(plan: RegionPlan, *, scraped: bool) -> set[str]:
    """What of a plan has metrics of its own, in the words of the column `needs`."""
    vectors = plan.vector_store
    parts = {
        plan.compute.placement: True,
        "database": plan.database.engine == "postgresql",
        "cache": plan.cache.nodes > 0,
        plan.balancer.kind: plan.balancer.kind != "none",
        "own-vectors": vectors.placement == "own-nodes" and vectors.engine == "qdrant",
        "scrape": scraped,
        "same-host-vectors": vectors.placement == "same-host",
    }
    return {part for part, made in parts.items() if made}


def derive_thresholds(plan: RegionPlan) -> dict[str, float]:
    """The thresholds that depend on the plan: tokens an hour, connections, bytes of free storage."""
    memory_bytes = plan.database.memory_needed_gb * BYTES_PER_GIB
    return {
        "tokens": limit_tokens(plan.load),
        "connections": int(min(memory_bytes / BYTES_PER_CONNECTION, MOST_CONNECTIONS) * CONNECTIONS_SHARE),
        "storage": int(plan.database.storage_gb * BYTES_PER_GIB * FREE_STORAGE_SHARE),
    }


def limit_tokens(load: LoadSpec) -> int:
    """Tokens of language models in an hour that are too many."""
    return max(DOCUMENT_TOKENS_PER_HOUR, int(TOKENS_FACTOR * load.llm_tokens_per_month / HOURS_PER_MONTH))


def _read_alarm(row: Mapping[str, str], thresholds: Mapping[str, float]) -> Alarm:
    cell = row["threshold"]
    threshold = thresholds[cell] if cell in thresholds else float(cell)
    shown = f"{threshold:g}" if threshold < 1000 else f"{threshold:,.0f}"
    return Alarm(
        name=row["name"],
        namespace=row["namespace"],
        metric=row["metric"],
        statistic=row["statistic"],
        comparison=row["comparison"],
        threshold=threshold,
        period_s=int(row["period_s"]),
        evaluations=int(row["evaluations"]),
        missing=row["missing"],
        dimensions=row["dimensions"],
        summary=row["summary"].replace("{threshold}", shown),
        expression=row["expression"].replace("{threshold}", f"{threshold:.0f}"),
        hold_s=int(row["hold_s"] or 0),
        origin=row["origin"],
    )

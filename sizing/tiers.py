"""The four tiers and the floor of each (``data/tiers.csv``)."""

from dataclasses import dataclass
from functools import cache

from sizing.tables import read_table


@dataclass(frozen=True, kw_only=True, slots=True)
class Tier:
    """A tier: its rank from the smallest on, the planning tier it answers to, and its minimum sizes."""

    name: str
    rank: int
    planning: str
    nodes: int
    vcpu: int
    memory_gb: float
    disk_gb: int
    qdrant_nodes: int
    replication_factor: int
    zones: int
    burstable: bool
    database_memory_gb: float
    cache_nodes: int
    alarms: int
    metrics: int
    keys: int
    image_gb: float
    waf_rules: int
    origin: str

    @property
    def spans_nodes(self) -> bool:
        """Whether the service runs on more than one node."""
        return self.nodes > 1


@cache
def tiers() -> dict[str, Tier]:
    """Return the tiers by name, smallest first."""
    table = {}
    for rank, row in enumerate(read_table("tiers.csv"), start=1):
        table[row["tier"]] = Tier(
            name=row["tier"],
            rank=rank,
            planning=row["planning"],
            nodes=int(row["nodes"]),
            vcpu=int(row["vcpu"]),
            memory_gb=float(row["memory_gb"]),
            disk_gb=int(row["disk_gb"]),
            qdrant_nodes=int(row["qdrant_nodes"]),
            replication_factor=int(row["replication_factor"]),
            zones=int(row["zones"]),
            burstable=row["burstable"] == "yes",
            database_memory_gb=float(row["database_memory_gb"]),
            cache_nodes=int(row["cache_nodes"]),
            alarms=int(row["alarms"]),
            metrics=int(row["metrics"]),
            keys=int(row["keys"]),
            image_gb=float(row["image_gb"]),
            waf_rules=int(row["waf_rules"]),
            origin=row["origin"],
        )
    return table

"""The decisions of a plan, taken once at the expected values: tier, components, regions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from sizing.capacity import Site, needed_vcpu, node_memory_gb
from sizing.catalogue import Catalogue, catalogue
from sizing.errors import InvalidWorkload
from sizing.footprint import Footprint, measure
from sizing.models import Model, models
from sizing.placement import Placement, place, world_regions
from sizing.plan import Choice
from sizing.regions import regions
from sizing.selection import choose
from sizing.stores import sqlite_disk_gb
from sizing.tiers import Tier, tiers
from sizing.workload import LOCAL_EMBEDDING, Point, Workload

COMPONENTS = ("database", "vector_store", "object_store", "cache", "balancer", "monitoring", "nat")
"""Chosen after the tier, in this order: later rules look at earlier choices."""


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
class Weight:
    """A workload at one point, weighed as a whole: its footprint and what the tier's rules look at."""

    workload: Workload
    load: Footprint
    metrics: dict[str, float]


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


def weigh(workload: Workload, point: Point) -> Weight:
    """Return the footprint and the tier's metrics; ``spread_*`` are 0 where data may lie in one region only."""
    load = measure(point, dimensions=workload.dimensions)
    possible = len(workload.regions) or max(1, len(world_regions(workload)))
    spread = 1.0 if possible > 1 else 0.0
    probe = probe_site(workload)
    metrics = {
        "users": point.users,
        "regions": float(len(workload.regions)),
        "regions_possible": float(possible),
        "database_gb": load.database_gb,
        "concurrency": load.concurrency_peak,
        "availability_percent": workload.availability_percent,
        "host_memory_gb": node_memory_gb(probe, load, 2, "qdrant-same-host"),
        "host_vcpu": needed_vcpu(probe, load, "qdrant"),
        "spread_users": point.users * spread,
        "spread_data_gb": load.database_gb * spread,
        "spread_availability": workload.availability_percent * spread,
    }
    return Weight(workload=workload, load=load, metrics=metrics)


def component_metrics(weight: Weight, choices: Sequence[Choice]) -> dict[str, float]:
    """Return what the components' rules look at, given the choices made so far (the tier's first)."""
    chosen = {choice.component: choice.chosen for choice in choices}
    tier, load = tiers()[chosen["tier"]], weight.load
    # The vectors lie in the same file, beside another vector store too: then as they take room there.
    together = chosen.get("vector_store", "sqlite-vec" if tier.rank == 1 else "") == "sqlite-vec"
    return {
        **weight.metrics,
        "tier_rank": float(tier.rank),
        "zones": float(tier.zones),
        "nodes": float(max([tier.nodes, *(request.nodes or 1 for request in weight.workload.regions)])),
        "dimensions": float(weight.workload.dimensions),
        "relational_gb": load.database_gb
        if together
        else sqlite_disk_gb(load.text_gb, load.memories, weight.workload.dimensions),
        "sqlite_database": 1.0 if chosen.get("database") == "sqlite" else 0.0,
        "objects_gb": load.objects_gb,
    }


@cache
def _probe_embedding(mode: str) -> Model:
    return models()[LOCAL_EMBEDDING if mode != "remote" else "text-embedding-3-small"]


def probe_site(workload: Workload) -> Site:
    """A host anywhere: RAM and vCPUs do not depend on the region."""
    return Site(
        region=next(iter(regions().values())),
        tier=tiers()["single-host"],
        prices=catalogue(),
        architecture=workload.architecture,
        embedding_mode=workload.embedding,
        embedding=_probe_embedding(workload.embedding),
    )

"""Where a plan lies: its regions, their nodes and share of the users, their models."""

from dataclasses import dataclass
from typing import Literal

from sizing.errors import InvalidWorkload
from sizing.models import TASKS, Model, find_model, models
from sizing.regions import Region, global_regions, home_region, regions
from sizing.tiers import Tier
from sizing.workload import LOCAL_EMBEDDING, RegionRequest, Workload


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """A region of the plan before it is sized: its share of the users and its models."""

    request: RegionRequest
    nodes: int
    share: float
    role: Literal["primary", "secondary", "isolated"]


def place(workload: Workload, tier: Tier) -> tuple[Placement, ...]:
    """Decide the regions, their nodes and their share of the users (by nodes).

    Raises InvalidWorkload where no region of the wanted clouds lies in the jurisdiction.
    """
    requests = workload.regions
    if not requests and tier.name == "multi-region":
        requests = tuple(RegionRequest(region=region) for region in world_regions(workload))
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


def world_regions(workload: Workload) -> tuple[Region, ...]:
    """The world-wide default within the clouds and the jurisdiction that the workload allows."""
    found: list[Region] = []
    for listed in global_regions(workload.residency):
        region: Region | None = listed
        if listed.cloud not in workload.clouds:
            region = regions().get((workload.clouds[0], listed.pair))
        if region is not None and region not in found and workload.residency in (None, region.jurisdiction):
            found.append(region)
    return tuple(found)


def _nodes(request: RegionRequest, tier: Tier) -> int:
    if request.nodes is not None:
        return request.nodes
    return request.region.global_nodes if tier.name == "multi-region" else tier.nodes


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

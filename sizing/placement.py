"""Where a plan lies: its regions, their nodes and share of the users, their models."""

from dataclasses import dataclass
from functools import cache
from typing import Literal

from sizing.errors import InvalidWorkload
from sizing.models import TASKS, Model, find_model, models
from sizing.regions import Region, global_regions, home_region, regions
from sizing.tiers import Tier
from sizing.workload import LOCAL_EMBEDDING, RegionRequest, Workload


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """A region of the plan before it is sized: its nodes, share of the users and role."""

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
            role=_role(index, request, len(requests)),
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


def _role(index: int, request: RegionRequest, count: int) -> Literal["primary", "secondary", "isolated"]:
    """Beside other regions, one in China never shares data, wherever it stands in the list (§6.4)."""
    if count > 1 and request.region.global_role == "isolated":
        return "isolated"
    return "primary" if index == 0 else "secondary"


def _nodes(request: RegionRequest, tier: Tier) -> int:
    if request.nodes is not None:
        return request.nodes
    return request.region.global_nodes if tier.name == "multi-region" else tier.nodes


def region_models(workload: Workload, request: RegionRequest, tier: Tier) -> tuple[dict[str, str], Model]:
    """Return the model of every task and the embedding model of a region.

    The user's wish for the region comes first, then the one for the task. Else it is, in several
    regions and in China, the region's own model of §6.4, elsewhere the document's Qwen3; where the
    data is confined to a jurisdiction that this model is not served from, one that is. Raises
    InvalidWorkload where the embedding model cannot produce the dimensions.
    """
    region = request.region
    usual = region.llm if _has_own_models(region, tier) else DOCUMENT_LLM
    language = _default_model("llm", usual, workload.residency, workload.dimensions)
    tasks = {task: request.llm or workload.models.get(task) or language.name for task in TASKS}
    if workload.embedding != "remote":
        return tasks, models()[LOCAL_EMBEDDING]
    wished = request.embedding or workload.models.get("embedding")
    if wished is None:
        usual = usual_embedding(region, tier)
        return tasks, _default_model("embedding", usual, workload.residency, workload.dimensions)
    embedding = find_model(wished, "embedding", "models.embedding")
    if not embedding.supports(workload.dimensions):
        raise InvalidWorkload("dimensions", workload.dimensions, f"{embedding.supported_dimensions} with {wished}")
    return tasks, embedding


DOCUMENT_LLM = "qwen3-30b-a3b-instruct-2507"
DOCUMENT_EMBEDDING = "text-embedding-v3"
"""§5.1 and §3.3: the requirements price every tier with Qwen3 and name this embedding for it."""


def usual_embedding(region: Region, tier: Tier) -> str:
    """Return the embedding that a region has where nobody wishes and everything fits."""
    return region.embedding if _has_own_models(region, tier) or region.cloud == "alicloud" else DOCUMENT_EMBEDDING


def _has_own_models(region: Region, tier: Tier) -> bool:
    return tier.name == "multi-region" or region.jurisdiction == "cn"


@cache
def _default_model(kind: str, usual: str, residency: str | None, dimensions: int) -> Model:
    """Return the usual model, or the first known one that the jurisdiction and the dimensions allow.

    Where none is served from the jurisdiction, dimensions alone decide and the plan warns.
    """
    remote = [model for model in models().values() if model.kind == kind and model.provider != "local"]
    remote.sort(key=lambda model: (model.name != usual, model.provider != models()[usual].provider))
    able = [model for model in remote if kind == "llm" or model.supports(dimensions)]
    if not able:
        raise InvalidWorkload("dimensions", dimensions, "a number that a known embedding model produces")
    allowed = [model for model in able if residency in (None, *model.served_from)]
    return (allowed or able)[0]

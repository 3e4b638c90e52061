"""What is to be served: users, memories, operations, regions and wishes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from sizing.drivers import drivers
from sizing.errors import InvalidWorkload
from sizing.estimate import Corner, Estimate
from sizing.models import TASKS, find_model
from sizing.regions import CLOUDS, Region, find_region, jurisdictions

SCHEMA_VERSION = 1

EMBEDDINGS = ("remote", "local-cpu", "local-gpu")
ARCHITECTURES = ("x86_64", "arm64")
LOCAL_EMBEDDING = "bge-m3"
OVERRIDABLE = ("tier", "database", "vector_store", "object_store", "cache", "balancer", "monitoring", "nat")

GDPR_WORKING_MEMORY_DAYS = 30.0
"""§10.2: working memory of a GDPR deployment is kept 30 days."""


class Point(NamedTuple):
    """One value for every driver: a corner of the workload, or one draw of a simulation."""

    users: float
    active_share: float
    memories_per_user: float
    memory_bytes: float
    retrieves_per_user_day: float
    personal_summaries_per_user_day: float
    task_summaries_per_user_day: float
    tool_summaries_per_user_day: float
    compressions_per_user_day: float
    rerank_share: float
    personal_input_tokens: float
    personal_output_tokens: float
    task_input_tokens: float
    task_output_tokens: float
    tool_input_tokens: float
    tool_output_tokens: float
    rerank_input_tokens: float
    rerank_output_tokens: float
    compression_input_tokens: float
    compression_output_tokens: float
    memory_embedding_tokens: float
    query_embedding_tokens: float
    cache_hit_rate: float
    llm_cached_input_share: float
    peak_factor: float
    request_seconds: float
    growth_per_month: float
    working_memory_mb_per_user_month: float
    working_memory_object_kb: float
    profile_mb_per_user: float
    request_kb: float
    response_kb: float
    log_kb_per_request: float
    working_memory_retention_days: float
    log_retention_days: float
    backup_retention_days: float
    daily_change_share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionRequest:
    """A region that is asked for; what is left None follows from the region and the tier."""

    region: Region
    nodes: int | None = None
    llm: str | None = None
    embedding: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """Drivers and wishes, checked on construction; raises InvalidWorkload naming the field.

    ``drivers`` holds an Estimate for every row of ``data/drivers.csv``; ``given`` names those that
    the user set. ``models`` maps a task of ``models.TASKS`` (or "embedding") to a model;
    ``overrides`` maps a component of OVERRIDABLE to the candidate that the user insists on.
    """

    drivers: Mapping[str, Estimate]
    given: frozenset[str] = frozenset()
    name: str = "memory-service"
    clouds: tuple[str, ...] = CLOUDS
    regions: tuple[RegionRequest, ...] = ()
    availability_percent: float = 0.0
    residency: str | None = None
    gdpr: bool = False
    dimensions: int = 1024
    embedding: str = "remote"
    architecture: str = "x86_64"
    models: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    overrides: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        for name, driver in drivers().items():
            estimate = self.drivers.get(name)
            if estimate is None:
                raise InvalidWorkload(name, None, f"{driver.valid}; give {driver.flag}")
            if estimate.low < driver.minimum or estimate.high > driver.maximum:
                outside = estimate.low if estimate.low < driver.minimum else estimate.high
                raise InvalidWorkload(name, _plain(outside), driver.valid)
        _check_choice("clouds", self.clouds, CLOUDS)
        _check_choice("embedding", (self.embedding,), EMBEDDINGS)
        _check_choice("architecture", (self.architecture,), ARCHITECTURES)
        if self.residency is not None:
            _check_choice("residency", (self.residency,), jurisdictions())
        if not 0 <= self.availability_percent <= 99.999:
            raise InvalidWorkload("availability_percent", self.availability_percent, "0 (none asked) to 99.999")
        if not 64 <= self.dimensions <= 8192:
            raise InvalidWorkload("dimensions", self.dimensions, "64 to 8192")
        self._check_models()
        self._check_regions()

    def _check_models(self) -> None:
        for task, name in self.models.items():
            if task not in (*TASKS, "embedding"):
                raise InvalidWorkload("models", task, ", ".join((*TASKS, "embedding")))
            model = find_model(name, "embedding" if task == "embedding" else "llm", f"models.{task}")
            if task == "embedding":
                if model.provider == "local" and self.embedding == "remote":
                    raise InvalidWorkload(
                        "models.embedding", name, "a remote model, or embedding = local-cpu or local-gpu"
                    )
                if model.provider != "local" and self.embedding != "remote":
                    raise InvalidWorkload(
                        "models.embedding",
                        name,
                        f"{LOCAL_EMBEDDING} with embedding = {self.embedding}, or embedding = remote",
                    )
                if not model.supports(self.dimensions):
                    raise InvalidWorkload(
                        "dimensions", self.dimensions, f"{model.supported_dimensions} with {model.name}"
                    )

    def _check_regions(self) -> None:
        seen = set()
        for request in self.regions:
            region = request.region
            if region.key in seen:
                raise InvalidWorkload("regions", region.key, "each region once")
            seen.add(region.key)
            if self.residency not in (None, region.jurisdiction):
                raise InvalidWorkload(
                    "regions", region.key, f"a region in {self.residency!r}, where residency confines the data"
                )
            if request.nodes is not None and not 1 <= request.nodes <= 1000:
                raise InvalidWorkload(f"regions.{region.key}.nodes", request.nodes, "1 to 1000")
            if request.llm is not None:
                find_model(request.llm, "llm", f"regions.{region.key}.llm")
            if request.embedding is not None:
                find_model(request.embedding, "embedding", f"regions.{region.key}.embedding")

    def point(self, corner: Corner) -> Point:
        """Return the workload at the corner where cost is low, expected or high.

        A driver whose growth lowers the cost (effect -1) is taken from the opposite end.
        """
        mirrored: Corner = "low" if corner == "high" else "high" if corner == "low" else "expected"
        values = [
            self.drivers[name].at(corner if driver.effect > 0 else mirrored) for name, driver in drivers().items()
        ]
        return self.adjust(Point._make(values))

    def adjust(self, point: Point) -> Point:
        """Apply what a wish implies for a driver that the user left alone (GDPR: 30 days)."""
        if self.gdpr and "working_memory_retention_days" not in self.given:
            return point._replace(
                working_memory_retention_days=min(point.working_memory_retention_days, GDPR_WORKING_MEMORY_DAYS)
            )
        return point

    def with_driver(self, name: str, estimate: Estimate) -> "Workload":
        """Return a copy with one driver changed."""
        return replace(self, drivers={**self.drivers, name: estimate}, given=self.given | {name})

    def with_override(self, component: str, candidate: str) -> "Workload":
        """Return a copy that insists on a candidate for a component."""
        return replace(self, overrides={**self.overrides, component: candidate})


def sample_workload(users: float = 500) -> Workload:
    """Return the workload of our defaults for a number of users."""
    return Workload(drivers={**default_drivers(), "users": Estimate.exactly(users)}, given=frozenset({"users"}))


def default_drivers() -> dict[str, Estimate]:
    """Return the default of every driver that has one."""
    return {name: driver.default for name, driver in drivers().items() if driver.default is not None}


def request_region(text: str, clouds: tuple[str, ...]) -> RegionRequest:
    """Read a region flag: ``cloud:region`` or ``region``, optionally ``=nodes``."""
    name, _, nodes = text.partition("=")
    if nodes and not (nodes.isascii() and nodes.isdecimal() and len(nodes) < 6):
        raise InvalidWorkload("region", text, "REGION, CLOUD:REGION or CLOUD:REGION=NODES")
    return RegionRequest(region=find_region(name, clouds), nodes=int(nodes) if nodes else None)


def _check_choice(field_name: str, values: tuple[str, ...], valid: tuple[str, ...]) -> None:
    if not values:
        raise InvalidWorkload(field_name, values, "one or more of " + ", ".join(valid))
    for value in values:
        if value not in valid:
            raise InvalidWorkload(field_name, value, ", ".join(valid))


def _plain(value: float) -> float | int:
    return int(value) if value == int(value) else value

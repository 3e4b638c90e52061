"""The regions that a workload can ask for, and what each implies (``data/regions.csv``)."""

from dataclasses import dataclass
from functools import cache

from sizing.errors import InvalidWorkload
from sizing.tables import read_table

CLOUDS = ("aws", "alicloud")


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """A cloud's region: jurisdiction, price group, its nearest region of the other cloud, default models.

    ``global_nodes`` is the number of nodes that the world-wide default gives it; ``global_role`` is
    "default" (part of it), "option" (can be added) or "isolated" (never shares data with others).
    """

    cloud: str
    region: str
    name_en: str
    name_zh: str
    jurisdiction: str
    price_group: str
    pair: str
    zones: int
    llm: str
    embedding: str
    global_nodes: int
    global_role: str
    origin: str

    @property
    def key(self) -> str:
        """The form that users type, e.g. ``aws:us-east-1``."""
        return f"{self.cloud}:{self.region}"


@cache
def regions() -> dict[tuple[str, str], Region]:
    """Return every known region by cloud and id."""
    table = {}
    for row in read_table("regions.csv"):
        numbers = {"zones": int(row["zones"]), "global_nodes": int(row["global_nodes"])}
        texts = {key: value for key, value in row.items() if key not in numbers}
        region = Region(**texts, **numbers)  # type: ignore[arg-type]
        table[region.cloud, region.region] = region
    return table


def find_region(text: str, clouds: tuple[str, ...], field: str = "region") -> Region:
    """Find a region by ``cloud:region``, or by its id alone in the first of ``clouds`` that has it.

    Raises InvalidWorkload naming the known regions.
    """
    cloud, _, name = text.rpartition(":")
    for candidate in (cloud,) if cloud else (*clouds, *CLOUDS):
        if (candidate, name) in regions():
            return regions()[candidate, name]
    raise InvalidWorkload(field, text, ", ".join(region.key for region in regions().values()))


def jurisdictions() -> tuple[str, ...]:
    """Return the jurisdictions that data can be confined to."""
    return tuple(sorted({region.jurisdiction for region in regions().values()}))


def home_region(cloud: str, jurisdiction: str | None) -> Region | None:
    """Return the region that a cloud's plan starts in: the first of its table in that jurisdiction."""
    for region in regions().values():
        if region.cloud == cloud and jurisdiction in (None, region.jurisdiction):
            return region
    return None


def global_regions(jurisdiction: str | None) -> tuple[Region, ...]:
    """Return the regions of the world-wide default, or those of one jurisdiction."""
    return tuple(
        region
        for region in regions().values()
        if region.global_role == "default" and jurisdiction in (None, region.jurisdiction)
    )

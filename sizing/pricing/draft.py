"""One resource on its way to a price: its properties with defaults, its bill, and what stands in the way."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Protocol

from sizing.billing.charge import Bill
from sizing.estimate import Corner
from sizing.graph.resources import Resource, ResourceGraph, holds_unknown, is_unknown
from sizing.regions import Region, regions
from sizing.tables import read_table

_ELSEWHERE = {"cn-hongkong"}
"""Regions whose name begins as the mainland's, and which are priced as the international ones."""


class Draft:
    """The bill of one resource at one corner (low, expected, high).

    `unknowns` are properties that the price needs and nobody knows, `gaps` what the catalogue or the billing functions
    cannot price, `notes` why the resource costs nothing; all in the order in which they were found.
    """

    def __init__(
        self, resource: Resource, graph: ResourceGraph, type_: str, corner: Corner, usage: Mapping[str, float]
    ) -> None:
        self.resource, self.graph, self.corner = resource, graph, corner
        self.type = type_
        self.used = usage
        self.bill = Bill(place_of(resource))
        self.unknowns: list[str] = []
        self.gaps: list[str] = []
        self.notes: list[str] = []

    def use(self, key: str) -> float:
        """A quantity of the usage file at this corner, 0 where it gives none."""
        return self.used.get(key, 0.0)

    def find(self, path: str, properties: Mapping[str, Any] | None = None) -> Any:
        """A property by its path (`rootBlockDevice.volumeSize`), its default where it is absent, else None.

        An unknown one is noted, and None is returned. `properties` are those of another resource of the same type.
        """
        value = look_up(self.resource.inputs if properties is None else properties, path)
        if is_unknown(value):
            self.unknowns.append(path)
            return None
        return value if value is not None else find_default(self.type, path)

    def text(self, path: str, properties: Mapping[str, Any] | None = None) -> str | None:
        """A property that the price needs, as text; None where it is unknown or absent, which is noted."""
        value = self._need(path, properties)
        return None if value is None else str(value)

    def number(self, path: str, properties: Mapping[str, Any] | None = None) -> float | None:
        """A property that the price needs, as a number; None where it is unknown or absent, which is noted."""
        value = self._need(path, properties)
        if value is None:
            return None
        number = read_number(value)
        if number is None or number < 0:
            self.unknowns.append(f"{path} is no number")
            return None
        return number

    def is_set(self, path: str) -> bool:
        """Whether a flag is on; an absent one is off, an unknown one is noted."""
        value = self.find(path)
        return value is True or str(value).lower() == "true"

    def each(self, path: str) -> list[Mapping[str, Any]]:
        """A list of objects; an unknown one is noted."""
        value = self.find(path)
        found = value if isinstance(value, list) else [] if value is None else [value]
        if any(is_unknown(item) for item in found):
            self.unknowns.append(path)
        return [item for item in found if isinstance(item, Mapping)]

    def count(self, path: str) -> int:
        """The length of a list, whose items may be unknown."""
        value = self.find(path)
        return len(value) if isinstance(value, list) else 0

    def _need(self, path: str, properties: Mapping[str, Any] | None) -> Any:
        before = len(self.unknowns)
        value = self.find(path, properties)
        if value is None and len(self.unknowns) == before:
            self.unknowns.append(f"{path} is not given")
        return None if holds_unknown(value) else value


class Builder(Protocol):
    """Writes the charges of a resource into its draft."""

    def __call__(self, draft: Draft) -> None: ...


def look_up(properties: Mapping[str, Any], path: str) -> Any:
    """A value by its path; a list of one object is entered, as Pulumi writes some blocks. UNKNOWN on the way stays."""
    value: Any = properties
    for part in path.split("."):
        if isinstance(value, list):
            value = value[0] if value else None
        if is_unknown(value) or value is None:
            return value
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


MAX_NUMBER = 1e12
"""Ours: above the size of any resource; a larger property is a slip, and its price would be one."""


def read_number(value: object) -> float | None:
    """A number that stands as one or as text (`"0.25"`); None for anything else, and beyond `MAX_NUMBER`."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) <= MAX_NUMBER else None


@cache
def _defaults() -> Mapping[tuple[str, str], str]:
    return {(row["type"], row["property"]): row["value"] for row in read_table("resource_defaults.csv")}


def find_default(type_: str, path: str) -> str | None:
    """What an absent property stands for (`data/resource_defaults.csv`, each with its source), None where nothing."""
    return _defaults().get((type_, path))


def place_of(resource: Resource) -> Region:
    """The region of a resource for the catalogue.

    One that we do not plan for has only the prices that name it, and on the mainland of China those of its group.
    """
    cloud = resource.package
    known = regions().get((cloud, resource.region))
    if known is not None:
        return known
    like = next(each for (name, _), each in regions().items() if name == cloud)
    name = resource.region
    mainland = cloud == "alicloud" and name.startswith("cn-") and name not in _ELSEWHERE
    return replace(like, region=name, price_group="cn-mainland" if mainland else name, name_en=name, name_zh=name)

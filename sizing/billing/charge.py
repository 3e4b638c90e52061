"""A charge: so many units of one SKU a month, for one resource."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from sizing.regions import Region

CLASS = "class"
"""The slot of an instance, whatever its class."""

Kind = Literal["resource", "usage", "external"]


class Charge(NamedTuple):
    """``quantity`` units a month of a SKU.

    ``kind`` says what the line stands for: the resource itself (baseline), the usage of a resource, or
    something outside the stack (a model provider). ``resource`` is its role in the plan, such as
    ``compute/node``; ``driver`` is what moves the quantity: nodes, requests, memories, objects, tokens.
    ``site`` is the plan's region that causes it, ``region`` the one whose price applies.
    """

    resource: str
    component: str
    kind: Kind
    provider: str
    service: str
    sku: str
    region: str
    group: str
    quantity: float
    unit: str
    driver: str
    site: str
    slot: str

    @property
    def id(self) -> str:
        """What identifies the line in every report and at every corner.

        An instance's slot is "class", so that a larger class at the high corner stays the same line.
        """
        return f"{self.site}/{self.resource}/{self.service}/{self.slot}"


class Bill:
    """Collects the charges of one region."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.charges: list[Charge] = []
        self._place = (region.cloud, region.region, region.price_group, region.key)

    def __iter__(self) -> Iterator[Charge]:
        return iter(self.charges)

    def add(
        self,
        resource: str,
        service: str,
        sku: str,
        quantity: float,
        unit: str,
        *,
        kind: Kind = "resource",
        driver: str = "nodes",
        slot: str = "",
    ) -> None:
        """Add a charge of this region's cloud; a quantity of zero adds none."""
        if quantity > 0:
            cloud, name, group, site = self._place
            component = resource.partition("/")[0]
            self.charges.append(
                Charge(
                    resource,
                    component,
                    kind,
                    cloud,
                    service,
                    sku,
                    name,
                    group,
                    quantity,
                    unit,
                    driver,
                    site,
                    slot or sku,
                )
            )

    def add_external(
        self, resource: str, provider: str, service: str, sku: str, quantity: float, unit: str, region: str, driver: str
    ) -> None:
        """Add a charge of somebody else, such as a model provider, priced where it serves."""
        if quantity > 0:
            component, site = resource.partition("/")[0], self.region.key
            self.charges.append(
                Charge(
                    resource,
                    component,
                    "external",
                    provider,
                    service,
                    sku,
                    region,
                    "global",
                    quantity,
                    unit,
                    driver,
                    site,
                    sku,
                )
            )

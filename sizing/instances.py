"""Instance classes and the choice among them (``data/instances.csv``)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from sizing.catalogue import Catalogue
from sizing.measures import HOURS_PER_MONTH
from sizing.regions import Region, regions
from sizing.tables import read_table

REFERENCE_REGIONS = {"aws": "us-east-1", "alicloud": "cn-beijing"}
"""Where a class's price orders the candidates if the wanted region has none: prices differ between
regions by a nearly constant factor, so the order is the same."""

UNPRICED_FACTOR = 1.25
_ROOT_DISKS = {"aws": ("ebs", "gp3"), "alicloud": ("essd", "PL1")}
"""Service and SKU of a node's root disk, as the bill charges it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """One class of a cloud's service; ``gpu`` is empty where it has none."""

    cloud: str
    service: str
    name: str
    vcpu: int
    memory_gb: float
    architecture: str
    burstable: bool
    gpu: str


@cache
def instances(cloud: str, service: str) -> tuple[Instance, ...]:
    """Return the classes of a service, in the order of the table."""
    return tuple(
        Instance(
            cloud=cloud,
            service=service,
            name=row["class"],
            vcpu=int(row["vcpu"]),
            memory_gb=float(row["memory_gb"]),
            architecture=row["architecture"],
            burstable=row["burstable"] == "yes",
            gpu=row["gpu"],
        )
        for row in read_table("instances.csv")
        if row["cloud"] == cloud and row["service"] == service
    )


@cache
def node_classes(cloud: str, service: str, architecture: str, *, burstable: bool, gpu: bool) -> tuple[Instance, ...]:
    """Return the classes of an architecture, with or without burstable ones, with or without a GPU."""
    return tuple(
        instance
        for instance in instances(cloud, service)
        if instance.architecture == architecture and (burstable or not instance.burstable) and bool(instance.gpu) == gpu
    )


def order_price(prices: Catalogue, region: Region, service: str, sku: str) -> float:
    """Return USD an hour to order candidates by: the region's, the reference region's, or infinity.

    A class without a price in the region must be a quarter cheaper to be taken: a plan whose price is
    known is worth more. No bill is made from it.
    """
    key = (region.key, service, sku)
    known = prices.orders.get(key)
    if known is None:
        known = prices.orders[key] = _order_price(prices, region, service, sku)
    return known


def _order_price(prices: Catalogue, region: Region, service: str, sku: str) -> float:
    unit = prices.unit_usd(region.cloud, service, sku, region.region, region.price_group)
    if unit is not None:
        return unit
    home = regions()[region.cloud, REFERENCE_REGIONS[region.cloud]]
    unit = prices.unit_usd(region.cloud, service, sku, home.region, home.price_group)
    return math.inf if unit is None else unit * UNPRICED_FACTOR


def order_node_price(prices: Catalogue, region: Region, service: str, sku: str, root_disk_gb: float) -> float:
    """Return USD an hour to order nodes by: the class and its root disk, which counts as 0 where it has no price.

    A class of twice the size often costs exactly twice as much; then fewer disks decide.
    """
    disk_gb_usd = order_price(prices, region, *_ROOT_DISKS[region.cloud])
    disk_usd = root_disk_gb * disk_gb_usd / HOURS_PER_MONTH if math.isfinite(disk_gb_usd) else 0.0
    return order_price(prices, region, service, sku) + disk_usd


def cheapest(
    candidates: tuple[Instance, ...],
    count: Callable[[Instance], int | None],
    price: Callable[[Instance], float],
) -> tuple[Instance, int] | None:
    """Return the class and number of nodes that cost least in all, None where nothing fits.

    ``count`` returns how many nodes of a class are needed, None where the class cannot do it; ``price``
    is that of a node and all that each node brings with it. As the need grows every count grows or its
    class drops out, so the least total never falls.
    """
    best: tuple[Instance, int] | None = None
    least = (math.inf, math.inf, 0)
    for instance in candidates:
        nodes = count(instance)
        if nodes is None:
            continue
        rank = (nodes * price(instance), instance.memory_gb, nodes)
        if best is None or rank < least:
            best, least = (instance, nodes), rank
    return best

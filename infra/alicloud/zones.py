"""The zones of a region, such as cn-beijing-h."""

from collections.abc import Sequence

import pulumi_alicloud as alicloud

from infra.errors import NotEnoughZones

DISKS = "cloud_essd"
"""Old zones have no disks of this category, which all machines of the plans use."""


def list_zones(count: int, region: str, wished: Sequence[str]) -> tuple[str, ...]:
    """The zones that are wished for, else the region's first ones that have ESSD disks, by a look-up.

    A zone sells some classes of machines and not others, and changes that: the order does not follow it, since a
    disk cannot leave its zone. Raises NotEnoughZones where there are fewer.
    """
    found = tuple(wished) or tuple(
        sorted(alicloud.get_zones(available_disk_category=DISKS, available_resource_creation="VSwitch").ids)
    )
    if len(found) < count:
        raise NotEnoughZones(region, len(found), count)
    return found[:count]

"""The availability zones of a region."""

import pulumi_aws as aws

from infra.errors import NotEnoughZones


def list_zones(count: int, region: str) -> tuple[str, ...]:
    """The names of the region's first zones that every account may use, by a look-up.

    Raises NotEnoughZones where the region has fewer.
    """
    found = aws.get_availability_zones(
        state="available", filters=[{"name": "opt-in-status", "values": ["opt-in-not-required"]}]
    ).names
    if len(found) < count:
        raise NotEnoughZones(region, len(found), count)
    return tuple(sorted(found)[:count])

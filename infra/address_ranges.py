"""The addresses of a network on any cloud: how a range is cut into subnets, and a network that is there already."""

from dataclasses import dataclass
from ipaddress import IPv4Network

from infra.errors import InvalidStack
from sizing.plan import NetworkSpec

SUBNET_BITS = 4
"""A network of /16 is cut into sixteen subnets of /20: four places each for public, private and data ones."""

PLACES = 4
"""Zones that the cut has room for; no plan spreads over more than three."""

WIDEST_PREFIX = 16
NARROWEST_PREFIX = 24
"""AWS's VPC is /16 at most and a subnet /28 at least (VPC user guide, "VPC CIDR blocks"); Alibaba Cloud's may be wider
and a vSwitch /29 at least (VPC user guide, "Create and manage a vSwitch")."""

MINIMUM_ZONES = 3
"""§6.3: subnets in three zones, which cost nothing. Subnet groups and a balancer want two, a search domain of an odd
number of nodes three, also where fewer do the work."""

FEWEST_ZONES = 2
"""What a network that is there already must have, for subnet groups and a balancer."""


def count_zones(spec: NetworkSpec) -> int:
    """Zones that a network for this plan has subnets in."""
    return max(spec.zones, MINIMUM_ZONES)


@dataclass(frozen=True, kw_only=True)
class ExistingNetwork:
    """A network that is there already: all of it is named, and nothing of it is changed.

    The subnets stand in the order of the zones; their ids begin with `subnet_prefix`, which differs by cloud. Private
    ones have a way out by NAT; data ones need none. Raises InvalidStack where something is missing or one kind covers
    fewer zones than another.
    """

    vpc_id: str
    cidr: str
    public_subnet_ids: tuple[str, ...]
    private_subnet_ids: tuple[str, ...]
    data_subnet_ids: tuple[str, ...]
    subnet_prefix: str = "subnet-"

    def __post_init__(self) -> None:
        if not self.vpc_id.startswith("vpc-"):
            raise InvalidStack("network.vpc_id", self.vpc_id, "the id of a VPC, such as vpc-0a1b2c3d")
        _read_range("network.cidr", self.cidr)
        kinds = {
            "public": self.public_subnet_ids,
            "private": self.private_subnet_ids,
            "data": self.data_subnet_ids,
        }
        for kind, ids in kinds.items():
            key = f"network.{kind}_subnet_ids"
            if not ids or not all(each.startswith(self.subnet_prefix) for each in ids):
                raise InvalidStack(
                    key,
                    list(ids),
                    f"one {self.subnet_prefix}… for each zone; vpc_id, cidr and all three kinds go together",
                )
            if len(set(ids)) != len(self.public_subnet_ids):
                raise InvalidStack(
                    key, list(ids), f"{len(self.public_subnet_ids)} different ones, as many as public ones"
                )


def cut_range(cidr: str) -> list[str]:
    """The sixteen subnets that a network's range is cut into.

    Raises InvalidStack where it is no private-use range of a size between /16 and /24.
    """
    block = _read_range("network.cidr", cidr)
    if not WIDEST_PREFIX <= block.prefixlen <= NARROWEST_PREFIX:
        raise InvalidStack("network.cidr", cidr, f"a prefix from /{WIDEST_PREFIX} to /{NARROWEST_PREFIX}")
    return [str(each) for each in block.subnets(prefixlen_diff=SUBNET_BITS)]


def _read_range(key: str, cidr: str) -> IPv4Network:
    try:
        block = IPv4Network(cidr)
    except ValueError as error:
        raise InvalidStack(key, cidr, "an IPv4 range without host bits, such as 10.20.0.0/16") from error
    if not block.is_private:
        raise InvalidStack(key, cidr, "a private range within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16")
    return block

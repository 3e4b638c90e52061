"""The nodes of a vector store on any cloud: their names, their addresses, and what each is told at its start."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi

from infra.facts import QDRANT_PORT

COMPONENT = "vector-store"
ZONE = "reme.internal"
"""The private zone; `.internal` is reserved for private use (ICANN's resolution of 2024-07-29)."""
LABEL = "qdrant"
CLUSTER_NAME = f"{LABEL}.{ZONE}"
CLUSTER_URL = f"https://{CLUSTER_NAME}:{QDRANT_PORT}"
"""The name and the address that clients use."""
RECORD_TTL_S = 60


@dataclass(frozen=True, kw_only=True)
class NodeSubnet:
    """A subnet with a way out to the internet (for the image and updates), its range, its zone."""

    id: pulumi.Input[str]
    cidr: str
    zone_name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NodePlace:
    """Where a node is: its name in the private zone, its fixed address, and which of the subnets it is in."""

    name: str
    address: str
    subnet: int


@dataclass(frozen=True, kw_only=True)
class Authority:
    """The ARNs of the secrets with the authority's certificate, which the service reads too, and with its key."""

    certificate_arn: pulumi.Output[str]
    key_arn: pulumi.Output[str]


@dataclass(frozen=True, kw_only=True)
class NodeStart:
    """What a node's user data is made of: its number from 1, its place, and what is known only when it is made.

    `first_name` is the node that the others join, `cluster_name` the name that clients use.
    """

    number: int
    place: NodePlace
    first_name: str
    cluster_name: str
    volume_id: pulumi.Output[str]
    authority: Authority


def place_nodes(count: int, cidrs: Sequence[str], *, reserved: int) -> tuple[NodePlace, ...]:
    """Spread nodes over subnets, with names and addresses that are known before the nodes are there.

    They take the addresses of a subnet from its end, below the `reserved` ones that the cloud keeps there, away from
    those that it hands out first.
    """
    return tuple(
        NodePlace(
            name=f"{LABEL}-{number + 1}.{ZONE}",
            address=str(IPv4Network(cidrs[number % len(cidrs)]).broadcast_address - reserved - number),
            subnet=number % len(cidrs),
        )
        for number in range(count)
    )


def list_names(places: Sequence[NodePlace]) -> dict[str, list[str]]:
    """The addresses behind each name: every node's own, and the cluster's."""
    named = {place.name: [place.address] for place in places}
    named[CLUSTER_NAME] = [place.address for place in places]
    return named

"""The regions on other clouds that the world's name leads to: only AWS's first region can write where it leads."""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.errors import InvalidStack
from infra.planning import StackPlan
from infra.settings import CallerSettings, PeerSettings
from infra.tables import read_table
from sizing.plan import Plan, RegionPlan

ROUTING_CLOUD = "aws"
"""Records by latency and their checks are Route 53's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PeerRoute:
    """A region on another cloud: its key, such as `alicloud:ap-southeast-1`, its balancer's name, the region of AWS
    that stands for it when latencies are compared, and the name that is the region's own."""

    key: str
    address: str
    latency_region: str
    own_name: str


def list_routed(planned: StackPlan) -> tuple[RegionPlan, ...]:
    """The regions of other clouds that this stack leads to: none unless it is the first of several, on AWS.

    A region that shares no data is called by its own name, in its own stack.
    """
    here = planned.region
    if here.cloud != ROUTING_CLOUD or here.role != "primary" or not planned.plan.spanning.latency_routing:
        return ()
    return tuple(each for each in planned.plan.regions if each.cloud != here.cloud and each.role != "isolated")


def name_region(domain: str, region: RegionPlan, plan: Plan) -> str:
    """The name of one region alone, such as `eu-west-1.memory.example.com`.

    Where AWS has a region of the same id in the plan, the other cloud's name begins with the cloud.
    """
    shared = any(each.cloud == ROUTING_CLOUD and each.region == region.region for each in plan.regions)
    label = f"{region.cloud}-{region.region}" if shared and region.cloud != ROUTING_CLOUD else region.region
    return f"{label}.{domain}"


def find_routes(planned: StackPlan, domain: str, peers: Mapping[str, PeerSettings]) -> tuple[PeerRoute, ...]:
    """The regions whose addresses are known. Raises InvalidStack for a peer that this stack does not lead to, an
    address of another region, and a region that nothing of AWS can stand for."""
    routed = {each.key: each for each in list_routed(planned)}
    for key, peer in peers.items():
        if key not in routed:
            valid = ", ".join(routed) or "nothing: only AWS's first region of an environment leads to other clouds"
            raise InvalidStack("peers", key, valid)
        if peer.address.split(".")[1] != routed[key].region:
            raise InvalidStack(f"peers.{key}.address", peer.address, f"a balancer of {routed[key].region}")
    standing = _choose_latency_regions(planned.plan, tuple(routed.values()))
    return tuple(
        PeerRoute(
            key=key,
            address=peers[key].address,
            latency_region=standing[key],
            own_name=name_region(domain, region, planned.plan),
        )
        for key, region in routed.items()
        if key in peers
    )


def list_callers(callers: Mapping[str, CallerSettings]) -> tuple[str, ...]:
    """The ranges from which other regions call this one, by its own name: one address each, in order."""
    found = {address for each in callers.values() for address in each.addresses.split(",")}
    return tuple(f"{address}/32" for address in sorted(found))


def _choose_latency_regions(plan: Plan, routed: tuple[RegionPlan, ...]) -> dict[str, str]:
    """By region, the nearest of AWS's that no other record has: a name has one record for each (Route 53 developer
    guide, "Latency-based routing")."""
    taken = {each.region for each in plan.regions if each.cloud == ROUTING_CLOUD}
    found: dict[str, str] = {}
    for each in routed:
        rows = [row for row in read_table("latency_regions.csv") if f"{row['cloud']}:{row['region']}" == each.key]
        near = [row["latency_region"] for row in sorted(rows, key=lambda row: int(row["rank"]))]
        free = next((region for region in near if region not in taken), None)
        if free is None:
            raise InvalidStack("workload.regions", each.key, "regions that AWS has one of its own near, one for each")
        taken.add(free)
        found[each.key] = free
    return found

"""The way in: the zone, the certificate, and names that lead to this region, through a CDN where regions are many."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from infra.alicloud.balancer import Balancer
from infra.alicloud.edge import Edge, EdgeArgs
from infra.alicloud.foundation import Foundation
from infra.alicloud.routing import Routing, RoutingArgs, Zone, ZoneArgs
from infra.errors import InvalidStack, MissingSetting
from infra.peers import name_region
from infra.way_in import name_origin
from sizing.plan import RegionPlan

CLOUD = "alicloud"


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """The name that leads to the region's balancer, and what the balancer needs of it.

    `zone_name` is empty where a zone of another cloud holds the shared name: no record is made here then. `zone` is its
    name once it is there, `name_servers` those of a zone that this stack makes. `edge_secret` is set where a CDN stands
    before the balancer. `public_name` is what clients call.
    """

    record_name: str
    public_name: str
    zone_name: str
    zone: pulumi.Input[str]
    name_servers: pulumi.Input[Sequence[str]]
    certificate_id: str
    edge_secret: pulumi.Output[str] | None


def find_entrance(base: Foundation) -> Entrance:
    """Find or make the zone, and name what leads to this region's balancer.

    The zone is made where the plan pays for one: in the first region of several. Raises MissingSetting for a domain, a
    certificate, a zone or the CDN's secret that nobody named, and InvalidStack where regions of other clouds follow one
    of Alibaba Cloud.
    """
    settings, regions = base.settings, base.planned.plan.regions
    if not settings.domain:
        raise MissingSetting("domain", "the host name that clients call, such as memory.example.com")
    record_name = _name_record(base)
    if not settings.certificate_id:
        raise MissingSetting(
            "certificate-id",
            f"a certificate of Certificate Management Service for {' and '.join(_list_certified(base))}, such as "
            "1234567-cn-hangzhou",
        )
    if _leads(base) and any(each.cloud != CLOUD for each in _list_open(base)):
        raise InvalidStack(
            "workload.regions",
            [each.key for each in regions],
            "a region of AWS first where clouds are mixed: its DNS leads to all of them",
        )
    zone_name, zone, name_servers = _find_zone(base)
    return Entrance(
        record_name=record_name,
        public_name=settings.domain if _is_open(base) else record_name,
        zone_name=zone_name,
        zone=zone,
        name_servers=name_servers,
        certificate_id=settings.certificate_id,
        edge_secret=settings.secret("edge-secret", "all regions' balancers let through what the CDN marks with it")
        if _is_open(base) and base.planned.plan.spanning.cdn
        else None,
    )


def lead_to(base: Foundation, entrance: Entrance, balancer: Balancer) -> None:
    """Lead the region's name to its balancer, and in the first of several regions the public name to the CDN."""
    if entrance.zone_name:
        Routing(
            "routing",
            RoutingArgs(
                record_name=entrance.record_name,
                zone_name=entrance.zone_name,
                zone=entrance.zone,
                dns_name=balancer.dns_name,
            ),
        )
    if entrance.edge_secret is None or not _leads(base):
        return
    settings = base.settings
    edge = Edge(
        "edge",
        EdgeArgs(
            domain=settings.domain,
            certificate_id=entrance.certificate_id,
            origins=[name_region(settings.domain, each, base.planned.plan) for each in _list_open(base)],
            secret=entrance.edge_secret,
            allowed_cidrs=settings.network.allowed_cidrs,
            tags=base.tags,
        ),
    )
    Routing(
        "edge-routing",
        RoutingArgs(
            record_name=settings.domain,
            zone_name=entrance.zone_name,
            zone=entrance.zone,
            dns_name=edge.dns_name,
        ),
    )


def _leads(base: Foundation) -> bool:
    """Whether this region is the first of several."""
    return base.planned.plan.spanning.cdn and base.plan.role == "primary"


def _is_open(base: Foundation) -> bool:
    """Whether clients of the public name may reach this region: one that shares no data has a name of its own."""
    return not base.planned.plan.spanning.cdn or base.plan.role != "isolated"


def _list_open(base: Foundation) -> list[RegionPlan]:
    return [each for each in base.planned.plan.regions if each.role != "isolated"]


def _name_record(base: Foundation) -> str:
    """The domain itself for one region. Of several, each region of Alibaba Cloud has its own name, which the CDN knows;
    where AWS is first, one name that its DNS leads to the nearest of all."""
    plan, domain = base.planned.plan, base.settings.domain
    if not plan.spanning.cdn:
        return domain
    if _is_open(base) and plan.regions[0].cloud != CLOUD:
        return name_origin(domain)
    return name_region(domain, base.plan, plan)


def _list_certified(base: Foundation) -> tuple[str, ...]:
    """The names that a CDN or a client asks this region's balancer for."""
    domain, record_name = base.settings.domain, _name_record(base)
    if not _is_open(base):
        return (record_name,)
    # Alibaba Cloud's CDN asks every origin for the public name, AWS's for the origin's
    if record_name != name_origin(domain):
        return (domain,)
    return (domain, record_name, name_region(domain, base.plan, base.planned.plan))


def _find_zone(base: Foundation) -> tuple[str, pulumi.Input[str], pulumi.Input[Sequence[str]]]:
    """The name of the zone, the same once it is there, and its servers where it is made here."""
    settings = base.settings
    if settings.zone_id:
        return settings.zone_id, settings.zone_id, []
    if _leads(base):
        made = Zone("zone", ZoneArgs(domain=settings.domain, tags=base.tags, protect=settings.protect))
        return settings.domain, made.name, made.name_servers
    plan = base.planned.plan
    # the first region, on another cloud, writes no name of a region that shares no data
    if plan.spanning.cdn and plan.regions[0].cloud != CLOUD and _is_open(base):
        return "", "", []
    raise MissingSetting("zone-id", f"the zone of Alibaba Cloud DNS that {_name_record(base)} lies in, by its domain")

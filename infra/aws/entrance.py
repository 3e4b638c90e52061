"""The way in: the zone, the certificate, and names that lead to this region, through a CDN where regions are many."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.balancer import Balancer
from infra.aws.certificate import Certificate, CertificateArgs
from infra.aws.edge import Edge, EdgeArgs, find_edge_prefix_lists
from infra.aws.foundation import Foundation
from infra.aws.log_buckets import LogBuckets
from infra.aws.routing import Endpoint, PeerRouting, PeerRoutingArgs, Routing, RoutingArgs, Zone, ZoneArgs
from infra.errors import MissingSetting
from infra.peers import find_routes, name_region
from infra.way_in import name_origin

EDGE_REGION = "us-east-1"
"""The only region that CloudFront takes certificates and firewalls from (CloudFront developer guide)."""


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """The zone and the certificate of the region's balancer; `edge_secret` is set where a CDN stands before it."""

    zone_id: pulumi.Output[str]
    name_servers: pulumi.Input[Sequence[str]]
    record_name: str
    certificate_arn: pulumi.Output[str]
    edge_secret: pulumi.Output[str] | None
    prefix_list_ids: Sequence[pulumi.Input[str]]


def find_zone(base: Foundation) -> Entrance:
    """Find or make the zone, and prove the names of this region's balancer.

    The zone is made where the plan pays for one: in the first region of several. Raises MissingSetting for a domain,
    a zone or the CDN's secret that nobody named.
    """
    settings = base.settings
    if not settings.domain:
        raise MissingSetting("domain", "the host name that clients call, such as memory.example.com")
    spanning = base.planned.plan.spanning.cdn
    makes_zone = spanning and base.plan.role == "primary"
    if not settings.zone_id and not makes_zone:
        raise MissingSetting("zone-id", f"the Route 53 zone that {settings.domain} lies in")
    zone = Zone(
        "zone",
        ZoneArgs(domain=settings.domain, zone_id=settings.zone_id or None, tags=base.tags, protect=settings.protect),
    )
    record_name = name_origin(settings.domain) if spanning else settings.domain
    names = (settings.domain, record_name, _name_own(base)) if spanning else (record_name,)
    certificate = Certificate(
        "certificate", CertificateArgs(names=names, zone_id=zone.zone_id, shared=spanning, tags=base.tags)
    )
    return Entrance(
        zone_id=zone.zone_id,
        name_servers=zone.name_servers,
        record_name=record_name,
        certificate_arn=certificate.arn,
        edge_secret=settings.secret("edge-secret", "all regions' balancers let through what the CDN marks with it")
        if spanning
        else None,
        prefix_list_ids=find_edge_prefix_lists(settings.region) if spanning else (),
    )


def lead_to(base: Foundation, entrance: Entrance, balancer: Balancer, log_buckets: LogBuckets) -> None:
    """Lead the region's names to its balancer, and in the first of several regions the public name to the CDN and
    the shared one to the regions on other clouds. Raises InvalidStack for `peers` that this stack does not lead to."""
    settings, spanning = base.settings, base.planned.plan.spanning
    endpoint = Endpoint(dns_name=balancer.dns_name, zone_id=balancer.zone_id, addresses=balancer.addresses)
    Routing(
        "routing",
        RoutingArgs(
            record_name=entrance.record_name,
            zone_id=entrance.zone_id,
            endpoint=endpoint,
            region=settings.region,
            by_latency=spanning.latency_routing,
            # one name cannot have aliases and names of balancers of another cloud
            alias=all(region.cloud == "aws" for region in base.planned.plan.regions),
            tags=base.tags,
        ),
    )
    if spanning.latency_routing:
        Routing(
            "own-routing",
            RoutingArgs(
                record_name=_name_own(base),
                zone_id=entrance.zone_id,
                endpoint=endpoint,
                region=settings.region,
                tags=base.tags,
            ),
        )
    for route in find_routes(base.planned, settings.domain, settings.peers):
        PeerRouting(
            f"peer-{route.key.replace(':', '-')}",
            PeerRoutingArgs(
                route=route,
                record_name=entrance.record_name,
                zone_id=entrance.zone_id,
                health_path=base.plan.balancer.health_path,
                tags=base.tags,
            ),
        )
    if entrance.edge_secret is None or base.plan.role != "primary":
        return
    Edge(
        "edge",
        EdgeArgs(
            domain=settings.domain,
            zone_id=entrance.zone_id,
            us_east_1=aws.Provider("us-east-1", region=EDGE_REGION),
            secret=entrance.edge_secret,
            waf_rules=base.plan.balancer.waf_rules,
            # a log group takes a key of its own region only
            log_key_arn=base.keys.log_key_arn if settings.region == EDGE_REGION else None,
            log_bucket_arn=log_buckets.access_arn,
            tags=base.tags,
        ),
    )


def _name_own(base: Foundation) -> str:
    return name_region(base.settings.domain, base.plan, base.planned.plan)

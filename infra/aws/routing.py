"""The service's name: a zone of its own or an existing one, and the record that leads to a region's endpoint."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.errors import InvalidStack
from infra.peers import PeerRoute
from infra.tagging import Tags

CHECK_INTERVAL_S = 10
CHECK_FAILURES = 3
"""Requirements §10.4: every 10 s, three failures. Its timeout of 5 s is Route 53's own: 4 s to connect, 2 s to
answer."""
CHECKERS = ("us-east-1", "us-west-2", "eu-west-1")
"""Where checkers stand: three is the least that Route 53 takes; each adds requests to every region."""
RECORD_TTL_S = 60
"""Time to live of a record that names addresses: §10.4's failover_timeout."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a name leads: a balancer or distribution (`dns_name` and its `zone_id`), a foreign `dns_name`, or fixed
    `addresses`."""

    dns_name: pulumi.Input[str] | None = None
    zone_id: pulumi.Input[str] | None = None
    addresses: Sequence[pulumi.Input[str]] = ()


@dataclass(frozen=True, kw_only=True)
class ZoneArgs:
    """`zone_id` is an existing zone; without one a zone named `domain` is made."""

    domain: str
    zone_id: str | None
    tags: Tags
    protect: bool


class Zone(pulumi.ComponentResource):
    """The zone that holds the service's names. Attributes: `zone_id`; `name_servers`, empty for an existing zone."""

    zone_id: pulumi.Output[str]
    name_servers: pulumi.Output[Sequence[str]]

    def __init__(self, name: str, args: ZoneArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:Zone", name, {}, opts)
        if args.zone_id is not None:
            self.zone_id = pulumi.Output.from_input(args.zone_id)
            self.name_servers = pulumi.Output.from_input([])
        else:
            zone = aws.route53.Zone(
                f"{name}-zone",
                name=args.domain,
                comment="Names of the memory service",
                # records of proof of certificates may be left in it
                force_destroy=not args.protect,
                tags=args.tags.named("dns"),
                opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
            )
            self.zone_id, self.name_servers = zone.zone_id, zone.name_servers
        self.register_outputs({"zone_id": self.zone_id})


@dataclass(frozen=True, kw_only=True)
class RoutingArgs:
    """One region's part in the name `record_name`.

    With `by_latency` every region has its own record under `region`, and a check takes a region that fails out; all
    regions must then be of one sort: with `alias` off each names its balancer (as a cloud that is not AWS must).
    `label` tells the records of a name apart, by default the region. `health_path` is asked over HTTPS, of `check_name`
    where the endpoint does not answer to its own name.
    """

    record_name: str
    zone_id: pulumi.Input[str]
    endpoint: Endpoint
    region: str
    by_latency: bool = False
    label: str = ""
    alias: bool = True
    health_path: str = "/health"
    check_name: str = ""
    tags: Tags


class Routing(pulumi.ComponentResource):
    """The record of one region, with its health check where regions stand in for each other.

    Attributes: `name`, the full name of the record; `health_check_id`, None without latency routing.
    Raises InvalidStack for an endpoint that leads nowhere.
    """

    name: pulumi.Output[str]
    health_check_id: pulumi.Output[str] | None

    def __init__(self, name: str, args: RoutingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        endpoint = args.endpoint
        if endpoint.dns_name is None and not endpoint.addresses:
            raise InvalidStack("domain", args.record_name, "a domain only where a balancer or an address is made")
        super().__init__("reme:aws:Routing", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.health_check_id = self._check(name, args).id if args.by_latency else None
        latency: aws.route53.RecordLatencyRoutingPolicyArgsDict = {"region": args.region}
        aliased = args.alias and endpoint.zone_id is not None and endpoint.dns_name is not None
        record = aws.route53.Record(
            f"{name}-record",
            zone_id=args.zone_id,
            name=args.record_name,
            type="A" if aliased or endpoint.addresses else "CNAME",
            aliases=[
                {
                    "name": endpoint.dns_name,
                    "zone_id": endpoint.zone_id,
                    # a balancer without a healthy target leaves the answer to the other regions
                    "evaluate_target_health": args.by_latency,
                }
            ]
            if aliased and endpoint.dns_name is not None and endpoint.zone_id is not None
            else None,
            records=None if aliased else list(endpoint.addresses) or [endpoint.dns_name or ""],
            ttl=None if aliased else RECORD_TTL_S,
            set_identifier=(args.label or args.region) if args.by_latency else None,
            latency_routing_policies=[latency] if args.by_latency else None,
            health_check_id=self.health_check_id,
            opts=child,
        )
        self.name = record.fqdn
        self.register_outputs({"name": self.name})

    def _check(self, name: str, args: RoutingArgs) -> aws.route53.HealthCheck:
        endpoint = args.endpoint
        return aws.route53.HealthCheck(
            f"{name}-check",
            type="HTTPS",
            fqdn=args.check_name or endpoint.dns_name,
            ip_address=None if endpoint.dns_name is not None else endpoint.addresses[0],
            port=443,
            resource_path=args.health_path,
            enable_sni=True,
            request_interval=CHECK_INTERVAL_S,
            failure_threshold=CHECK_FAILURES,
            regions=list(CHECKERS),
            tags=args.tags.named("dns"),
            opts=pulumi.ResourceOptions(parent=self),
        )


@dataclass(frozen=True, kw_only=True)
class PeerRoutingArgs:
    """`record_name` is the name that leads to the nearest region, in the zone `zone_id`."""

    route: PeerRoute
    record_name: str
    zone_id: pulumi.Input[str]
    health_path: str = "/health"
    tags: Tags


class PeerRouting(pulumi.ComponentResource):
    """The records of a region on another cloud, whose stack cannot write here: its part in the name of all regions,
    with the check that takes it out when it fails, and its own name.

    Attributes: `name`, the region's own name; `health_check_id`.
    """

    name: pulumi.Output[str]
    health_check_id: pulumi.Output[str] | None

    def __init__(self, name: str, args: PeerRoutingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:PeerRouting", name, {}, opts)
        child, route = pulumi.ResourceOptions(parent=self), args.route
        endpoint = Endpoint(dns_name=route.address)
        own = Routing(
            f"{name}-own",
            RoutingArgs(
                record_name=route.own_name,
                zone_id=args.zone_id,
                endpoint=endpoint,
                region=route.latency_region,
                alias=False,
                tags=args.tags,
            ),
            child,
        )
        shared = Routing(
            f"{name}-shared",
            RoutingArgs(
                record_name=args.record_name,
                zone_id=args.zone_id,
                endpoint=endpoint,
                region=route.latency_region,
                by_latency=True,
                label=route.key,
                alias=False,
                health_path=args.health_path,
                # newer balancers of Alibaba Cloud answer to names that lead to them alone (ALB user guide)
                check_name=route.own_name,
                tags=args.tags,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[own]),
        )
        self.name, self.health_check_id = own.name, shared.health_check_id
        self.register_outputs({"name": self.name})

"""The balancer of §6.2: TLS in front, two server groups whose weights move traffic from one version to the next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_alicloud as alicloud

from infra.alicloud.firewall import choose_edition, find_rate_limit
from infra.alicloud.listeners import LONGEST_NAME, MOST_WEIGHT, Listening, listen
from infra.alicloud.traffic import ANYWHERE, HTTPS_PORT, LAST, admit_ranges, make_group
from infra.errors import InvalidStack
from infra.naming import fix_name
from infra.tagging import Tags
from infra.traffic_weights import COLOURS, Colour, all_blue, check_weights, find_active
from infra.way_in import DRAIN_S, HTTP_PORT
from sizing.plan import BalancerSpec

FEWEST_ZONES = 2
"""The provider's page of LoadBalancer, zone_mappings."""


@dataclass(frozen=True, kw_only=True)
class BalancerZone:
    """A zone that the balancer stands in, with a public vSwitch there."""

    zone_name: str
    subnet_id: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class BalancerArgs:
    """What a balancer is made of.

    `certificate_id` is one of Certificate Management Service, with its region as in `1234567-cn-hangzhou`. Requests
    are logged to `log_store` of `log_project`. `allowed_cidrs` says who may connect. `edge_secret` is set where a CDN
    stands before it: then everybody may connect, since a CDN's addresses change, and only requests with the header
    and health checks are let through. `weights` are 0 to 100 by colour.
    """

    spec: BalancerSpec
    vpc_id: pulumi.Input[str]
    zones: Sequence[BalancerZone]
    certificate_id: pulumi.Input[str]
    log_project: pulumi.Input[str]
    log_store: pulumi.Input[str]
    allowed_cidrs: Sequence[str] = (ANYWHERE,)
    edge_secret: pulumi.Input[str] | None = None
    weights: Mapping[Colour, int] = field(default_factory=all_blue)
    tags: Tags
    protect: bool


class Balancer(pulumi.ComponentResource):
    """An application balancer (ALB) with its listeners and server groups.

    Nodes see it come from addresses of its vSwitches, and must let those in (ALB user guide, "Create and manage server
    groups"). Attributes: `id`, `dns_name`, `listener_id`, `security_group_id`; `server_group_ids` by colour; `active`,
    the colour with more weight. Raises InvalidStack for weights that are no weights, for another kind than `alb` and
    for a single zone.
    """

    id: pulumi.Output[str]
    dns_name: pulumi.Output[str]
    listener_id: pulumi.Output[str]
    security_group_id: pulumi.Output[str]
    server_group_ids: dict[Colour, pulumi.Output[str]]
    active: Colour

    def __init__(self, name: str, args: BalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check_weights(args.weights, most=MOST_WEIGHT)
        _check_kind(args)
        super().__init__("reme:alicloud:Balancer", name, {}, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self._tags = args.tags.named("balancer")
        self.active = find_active(args.weights)
        balancer = self._add_balancer()
        self.security_group_id = self._open_ports(balancer)
        self.server_group_ids = {colour: self._add_group(colour).id for colour in COLOURS}
        listener = listen(
            name,
            Listening(
                balancer_id=balancer.id,
                certificate_id=args.certificate_id,
                groups=self.server_group_ids,
                weights=args.weights,
                active=self.active,
                edge_secret=args.edge_secret,
                health_path=args.spec.health_path,
                # behind a CDN every connection comes from a few addresses of its own
                limit_per_s=find_rate_limit(args.spec.waf_rules) if args.edge_secret is None else None,
                tags=args.tags,
            ),
            parent=self,
        )
        self.id, self.dns_name = balancer.id, balancer.dns_name
        self.listener_id = listener.id
        self.register_outputs({"dns_name": self.dns_name, "id": self.id})

    def _add_balancer(self) -> alicloud.alb.LoadBalancer:
        args = self._args
        return alicloud.alb.LoadBalancer(
            f"{self._name}-alb",
            load_balancer_name=fix_name(args.tags.stack, self._name, LONGEST_NAME),
            load_balancer_edition=choose_edition(args.spec.waf_rules),
            load_balancer_billing_config=alicloud.alb.LoadBalancerLoadBalancerBillingConfigArgs(pay_type="PayAsYouGo"),
            address_type="Internet",
            address_ip_version="IPv4",
            # clients' own firewalls may name the addresses
            address_allocated_mode="Fixed",
            vpc_id=args.vpc_id,
            zone_mappings=[
                alicloud.alb.LoadBalancerZoneMappingArgs(zone_id=zone.zone_name, vswitch_id=zone.subnet_id)
                for zone in args.zones
            ],
            access_log_config=alicloud.alb.LoadBalancerAccessLogConfigArgs(
                log_project=args.log_project, log_store=args.log_store
            ),
            deletion_protection_enabled=args.protect,
            tags=self._tags,
            opts=self._child,
        )

    def _open_ports(self, balancer: alicloud.alb.LoadBalancer) -> pulumi.Output[str]:
        """The security group: in from whoever is allowed.

        ALB puts a balancer into a group of its own too, which lets everything in with the last priority and everything
        out with the first: only a rule that drops keeps others out, and nothing can narrow the way to the nodes (ALB
        user guide, "Add an ALB instance to a security group").
        """
        args, name = self._args, self._name
        group = make_group(
            f"{name}-group",
            vpc_id=args.vpc_id,
            purpose="Balancer of the memory service",
            component="balancer",
            tags=args.tags,
            parent=self,
        )
        purposes = {HTTPS_PORT: "HTTPS from clients", HTTP_PORT: "HTTP from clients, answered with a redirect"}
        cidrs = args.allowed_cidrs if args.edge_secret is None else (ANYWHERE,)
        for port, purpose in purposes.items():
            admit_ranges(f"{name}-in-{port}", group, cidrs=cidrs, port=port, purpose=purpose, parent=self)
        alicloud.ecs.SecurityGroupRule(
            f"{name}-drop-others",
            security_group_id=group.id,
            type="ingress",
            ip_protocol="all",
            port_range="-1/-1",
            cidr_ip=ANYWHERE,
            nic_type="intranet",
            policy="drop",
            priority=LAST,
            description="Who is not let in by another rule",
            opts=self._child,
        )
        alicloud.alb.LoadBalancerSecurityGroupAttachment(
            f"{name}-group-attachment", load_balancer_id=balancer.id, security_group_id=group.id, opts=self._child
        )
        return group.id

    def _add_group(self, colour: Colour) -> alicloud.alb.ServerGroup:
        args, spec = self._args, self._args.spec
        return alicloud.alb.ServerGroup(
            f"{self._name}-{colour}",
            server_group_name=fix_name(args.tags.stack, f"{self._name}-{colour}", LONGEST_NAME),
            server_group_type="Instance",
            vpc_id=args.vpc_id,
            protocol="HTTP",
            # requests take from milliseconds to a model's answer: taking turns would pile them up on one node, and only
            # turns can start slowly (ALB user guide, "Configure slow start")
            scheduler="Wlc",
            cross_zone_enabled=True,
            connection_drain_config=alicloud.alb.ServerGroupConnectionDrainConfigArgs(
                connection_drain_enabled=True, connection_drain_timeout=DRAIN_S
            ),
            health_check_config=alicloud.alb.ServerGroupHealthCheckConfigArgs(
                health_check_enabled=True,
                health_check_protocol="HTTP",
                health_check_http_version="HTTP1.1",
                health_check_method="GET",
                health_check_path=spec.health_path,
                # the node's own port
                health_check_connect_port=0,
                health_check_codes=["http_2xx"],
                health_check_interval=spec.health_interval_s,
                health_check_timeout=spec.health_timeout_s,
                healthy_threshold=spec.healthy_threshold,
                unhealthy_threshold=spec.unhealthy_threshold,
            ),
            sticky_session_config=alicloud.alb.ServerGroupStickySessionConfigArgs(
                sticky_session_enabled=True, sticky_session_type="Insert", cookie_timeout=spec.stickiness_s
            ),
            tags=self._tags,
            opts=self._child,
        )


def _check_kind(args: BalancerArgs) -> None:
    if args.spec.kind != "alb":
        raise InvalidStack(
            "workload.overrides.balancer",
            args.spec.kind,
            "alb on Alibaba Cloud: the listener of an nlb leads to one group, so it cannot divide traffic between "
            "versions, and reads no header of a CDN",
        )
    if len(args.zones) < FEWEST_ZONES:
        raise InvalidStack(
            "network.zones",
            [zone.zone_name for zone in args.zones],
            f"{FEWEST_ZONES} zones at least, which an ALB needs",
        )

"""The balancer of §6.2: TLS in front, two target groups whose weights move traffic from one version to the next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi
import pulumi_aws as aws

from infra.aws.firewall import Firewall, FirewallArgs
from infra.aws.listeners import MOST_WEIGHT, TLS_12_FOR_CHECKS, TLS_13_ONLY, Listening, listen
from infra.aws.traffic import ANYWHERE, HTTPS_PORT, admit_ranges, make_group, release_port
from infra.errors import InvalidStack
from infra.tagging import Tags
from infra.traffic_weights import COLOURS, Colour, all_blue, check_weights, find_active
from infra.way_in import DRAIN_S, HTTP_PORT, IDLE_TIMEOUT_S
from sizing.plan import BalancerSpec

ACCESS_PREFIX = "balancer"
CONNECTION_PREFIX = "balancer-connections"
"""Prefixes in the log bucket, whose policy must let logdelivery.elasticloadbalancing.amazonaws.com write there."""


@dataclass(frozen=True, kw_only=True)
class BalancerArgs:
    """What a balancer is made of.

    `target_cidrs` are the networks in which the targets stand. `certificate_arn` is of the same region.
    `allowed_cidrs` and `allowed_prefix_list_ids` say who may connect. `edge_secret` is set where a CDN stands before
    it: then only requests with the header and health checks are let through. `tls_policy` is by default the
    strictest that everybody who connects speaks. `weights` are 0 to 999 by colour.
    `target_protocol` HTTPS wants a service that serves TLS, with any certificate. Logs go to `log_bucket`, which must
    be encrypted with S3's own key.
    """

    spec: BalancerSpec
    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    target_cidrs: Sequence[pulumi.Input[str]]
    certificate_arn: pulumi.Input[str]
    log_bucket: pulumi.Input[str]
    log_key_arn: pulumi.Input[str] | None = None
    allowed_cidrs: Sequence[str] = (ANYWHERE,)
    allowed_prefix_list_ids: Sequence[pulumi.Input[str]] = ()
    edge_secret: pulumi.Input[str] | None = None
    tls_policy: str = ""
    target_protocol: Literal["HTTP", "HTTPS"] = "HTTP"
    weights: Mapping[Colour, int] = field(default_factory=all_blue)
    tags: Tags
    protect: bool


class Balancer(pulumi.ComponentResource):
    """An application balancer, or a network balancer with fixed addresses where the plan says so.

    Attributes: `arn`, `dns_name`, `zone_id`, `arn_suffix`, `listener_arn`, `security_group_id`; `target_group_arns`
    and `target_group_suffixes` by colour; `active`, the colour with more weight; `addresses`, the fixed ones.
    Raises InvalidStack for weights that are no weights, and for a CDN before a network balancer.
    """

    arn: pulumi.Output[str]
    dns_name: pulumi.Output[str]
    zone_id: pulumi.Output[str]
    arn_suffix: pulumi.Output[str]
    listener_arn: pulumi.Output[str]
    security_group_id: pulumi.Output[str]
    target_group_arns: dict[Colour, pulumi.Output[str]]
    target_group_suffixes: dict[Colour, pulumi.Output[str]]
    addresses: tuple[pulumi.Output[str], ...]
    active: Colour

    def __init__(self, name: str, args: BalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check_weights(args.weights, most=MOST_WEIGHT)
        if args.spec.kind == "nlb" and args.edge_secret is not None:
            raise InvalidStack("balancer", "nlb", "alb where a CDN stands before it, since an nlb reads no header")
        super().__init__("reme:aws:Balancer", name, {}, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self._tags = args.tags.named("balancer")
        self.active = find_active(args.weights)
        self.security_group_id = self._open_ports()
        groups = {colour: self._add_group(colour) for colour in COLOURS}
        self.target_group_arns = {colour: group.arn for colour, group in groups.items()}
        self.target_group_suffixes = {colour: group.arn_suffix for colour, group in groups.items()}
        self.addresses = ()
        balancer = self._add_balancer() if args.spec.kind == "alb" else self._add_network_balancer()
        listener = listen(
            name,
            Listening(
                balancer_arn=balancer.arn,
                layer_7=args.spec.kind == "alb",
                certificate_arn=args.certificate_arn,
                tls_policy=args.tls_policy or _choose_policy(guarded=args.edge_secret is not None),
                groups=self.target_group_arns,
                weights=args.weights,
                edge_secret=args.edge_secret,
                health_path=args.spec.health_path,
                tags=self._tags,
            ),
            parent=self,
        )
        self.arn, self.arn_suffix = balancer.arn, balancer.arn_suffix
        self.dns_name, self.zone_id = balancer.dns_name, balancer.zone_id
        self.listener_arn = listener.arn
        if args.spec.waf_rules:
            Firewall(
                f"{name}-firewall",
                FirewallArgs(
                    rules=args.spec.waf_rules,
                    scope="REGIONAL",
                    resource_arn=balancer.arn,
                    behind_edge=args.edge_secret is not None,
                    log_key_arn=args.log_key_arn,
                    tags=args.tags,
                ),
                self._child,
            )
        self.register_outputs({"dns_name": self.dns_name, "arn": self.arn})

    def _open_ports(self) -> pulumi.Output[str]:
        """The security group: in from whoever is allowed, out only to the targets' port."""
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
        for port in (HTTPS_PORT, HTTP_PORT) if args.spec.kind == "alb" else (HTTPS_PORT,):
            admit_ranges(
                f"{name}-in-{port}", group, cidrs=args.allowed_cidrs, port=port, purpose=purposes[port], parent=self
            )
        for place, prefix_list_id in enumerate(args.allowed_prefix_list_ids, start=1):
            aws.vpc.SecurityGroupIngressRule(
                f"{name}-in-list-{place}",
                security_group_id=group.id,
                prefix_list_id=prefix_list_id,
                ip_protocol="tcp",
                from_port=HTTPS_PORT,
                to_port=HTTPS_PORT,
                description="HTTPS from the CDN or the health checkers",
                opts=self._child,
            )
        for place, cidr in enumerate(args.target_cidrs, start=1):
            release_port(
                f"{name}-out-{place}",
                group,
                cidr=cidr,
                port=args.spec.target_port,
                purpose="Requests and health checks to the service",
                parent=self,
            )
        return group.id

    def _add_group(self, colour: Colour) -> aws.lb.TargetGroup:
        args, spec = self._args, self._args.spec
        layer_7 = spec.kind == "alb"
        return aws.lb.TargetGroup(
            f"{self._name}-{colour}",
            vpc_id=args.vpc_id,
            target_type="ip",
            port=spec.target_port,
            protocol=args.target_protocol if layer_7 else "TCP",
            # requests take from milliseconds to a model's answer: taking turns would pile them up on one target
            load_balancing_algorithm_type="least_outstanding_requests" if layer_7 else None,
            deregistration_delay=DRAIN_S,
            health_check={
                "enabled": True,
                "protocol": args.target_protocol,
                "path": spec.health_path,
                "port": "traffic-port",
                "matcher": "200",
                "interval": spec.health_interval_s,
                "timeout": spec.health_timeout_s,
                "healthy_threshold": spec.healthy_threshold,
                "unhealthy_threshold": spec.unhealthy_threshold,
            },
            stickiness={"enabled": True, "type": "lb_cookie", "cookie_duration": spec.stickiness_s}
            if layer_7
            else {"enabled": True, "type": "source_ip"},
            tags=self._tags,
            opts=self._child,
        )

    def _add_balancer(self) -> aws.lb.LoadBalancer:
        args = self._args
        return aws.lb.LoadBalancer(
            f"{self._name}-alb",
            load_balancer_type="application",
            internal=False,
            subnets=args.subnet_ids,
            security_groups=[self.security_group_id],
            idle_timeout=IDLE_TIMEOUT_S,
            enable_http2=True,
            drop_invalid_header_fields=True,
            desync_mitigation_mode="strictest",
            xff_header_processing_mode="append",
            enable_deletion_protection=args.protect,
            access_logs={"bucket": args.log_bucket, "prefix": ACCESS_PREFIX, "enabled": True},
            connection_logs={"bucket": args.log_bucket, "prefix": CONNECTION_PREFIX, "enabled": True},
            tags=self._tags,
            opts=self._child,
        )

    def _add_network_balancer(self) -> aws.lb.LoadBalancer:
        args = self._args
        fixed = [
            aws.ec2.Eip(f"{self._name}-address-{place}", domain="vpc", tags=self._tags, opts=self._child)
            for place, _ in enumerate(args.subnet_ids)
        ]
        self.addresses = tuple(address.public_ip for address in fixed)
        return aws.lb.LoadBalancer(
            f"{self._name}-nlb",
            load_balancer_type="network",
            internal=False,
            subnet_mappings=[
                {"subnet_id": subnet, "allocation_id": address.allocation_id}
                for subnet, address in zip(args.subnet_ids, fixed, strict=True)
            ],
            security_groups=[self.security_group_id],
            enable_cross_zone_load_balancing=True,
            enable_deletion_protection=args.protect,
            access_logs={"bucket": args.log_bucket, "prefix": ACCESS_PREFIX, "enabled": True},
            tags=self._tags,
            opts=self._child,
        )


def _choose_policy(*, guarded: bool) -> str:
    """Behind a CDN there are health checks of Route 53 as well."""
    return TLS_12_FOR_CHECKS if guarded else TLS_13_ONLY

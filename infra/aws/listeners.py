"""What a balancer listens to: strict HTTPS, a redirect from HTTP, and weights that divide traffic between versions."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.traffic import HTTPS_PORT
from infra.traffic_weights import COLOURS, Colour
from infra.way_in import EDGE_HEADER, HTTP_PORT

TLS_13_ONLY = "ELBSecurityPolicy-TLS13-1-3-2021-06"
"""The strictest policy of a balancer (errata 10.1): TLS 1.3 and its three suites."""
TLS_12_FOR_CHECKS = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
"""With TLS 1.2 and forward secrecy as well: Route 53's health checkers speak nothing newer (API reference of Route 53,
HealthCheckConfig.Type, read 2026-11-22)."""

GROUP_STICKINESS_S = 1
"""The least that there is. AWS wants stickiness between groups wherever targets have it, and a client that sticks to a
version would keep the weights of a canary from holding and a rollback from reaching it."""

MOST_WEIGHT = 999
"""Elastic Load Balancing API reference, TargetGroupTuple.Weight."""


@dataclass(frozen=True, kw_only=True)
class Listening:
    """`groups` are the target groups' ARNs by colour, `weights` their shares; `layer_7` is an application balancer.
    With `edge_secret` only requests that carry it and health checks at `health_path` are let through."""

    balancer_arn: pulumi.Input[str]
    layer_7: bool
    certificate_arn: pulumi.Input[str]
    tls_policy: str
    groups: Mapping[Colour, pulumi.Input[str]]
    weights: Mapping[Colour, int]
    edge_secret: pulumi.Input[str] | None
    health_path: str
    tags: Mapping[str, str]


def listen(name: str, listening: Listening, *, parent: pulumi.Resource) -> aws.lb.Listener:
    """Make the listeners, with their rules behind a CDN; the one for HTTPS is answered."""
    child = pulumi.ResourceOptions(parent=parent)
    forward = _forward(listening)
    listener = aws.lb.Listener(
        f"{name}-https",
        load_balancer_arn=listening.balancer_arn,
        port=HTTPS_PORT,
        protocol="HTTPS" if listening.layer_7 else "TLS",
        # gRPC and every other use of HTTP/2 is settled while the connection is made
        alpn_policy=None if listening.layer_7 else "HTTP2Preferred",
        ssl_policy=listening.tls_policy,
        certificate_arn=listening.certificate_arn,
        default_actions=[forward if listening.edge_secret is None else _refuse()],
        tags=listening.tags,
        opts=child,
    )
    if listening.layer_7:
        aws.lb.Listener(
            f"{name}-http",
            load_balancer_arn=listening.balancer_arn,
            port=HTTP_PORT,
            protocol="HTTP",
            default_actions=[
                {
                    "type": "redirect",
                    "redirect": {"port": str(HTTPS_PORT), "protocol": "HTTPS", "status_code": "HTTP_301"},
                }
            ],
            tags=listening.tags,
            opts=child,
        )
    if listening.edge_secret is not None:
        conditions: list[aws.lb.ListenerRuleConditionArgsDict] = [
            {"http_header": {"http_header_name": EDGE_HEADER, "values": [listening.edge_secret]}},
            {"path_pattern": {"values": [listening.health_path]}},
        ]
        for place, (label, condition) in enumerate(zip(("edge", "health"), conditions, strict=True), start=1):
            aws.lb.ListenerRule(
                f"{name}-{label}",
                listener_arn=listener.arn,
                priority=place * 10,
                conditions=[condition],
                actions=[forward],
                tags=listening.tags,
                opts=child,
            )
    return listener


def _forward(listening: Listening) -> aws.lb.ListenerDefaultActionArgsDict:
    """Both groups are always named: a service can only be attached to a group that a listener knows."""
    forward: aws.lb.ListenerDefaultActionForwardArgsDict = {
        "target_groups": [
            {"arn": listening.groups[colour], "weight": listening.weights.get(colour, 0)} for colour in COLOURS
        ]
    }
    if listening.layer_7:
        forward["stickiness"] = {"enabled": True, "duration": GROUP_STICKINESS_S}
    return {"type": "forward", "forward": forward}


def _refuse() -> aws.lb.ListenerDefaultActionArgsDict:
    return {
        "type": "fixed-response",
        "fixed_response": {"content_type": "text/plain", "message_body": "Forbidden", "status_code": "403"},
    }

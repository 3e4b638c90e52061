"""What a balancer listens to: strict HTTPS, a redirect from HTTP, and weights that divide traffic between versions.

A listener's own action can only forward to one group (the provider's page of Listener), so rules do the rest. The last
of them matches every path, and what the listener does by itself is never reached (ALB user guide, "Listener forwarding
rules").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud
from pulumi_alicloud.alb import (
    ListenerDefaultActionArgs,
    ListenerDefaultActionForwardGroupConfigArgs,
    ListenerDefaultActionForwardGroupConfigServerGroupTupleArgs,
    RuleRuleActionArgs,
    RuleRuleActionFixedResponseConfigArgs,
    RuleRuleActionForwardGroupConfigArgs,
    RuleRuleActionForwardGroupConfigServerGroupStickySessionArgs,
    RuleRuleActionForwardGroupConfigServerGroupTupleArgs,
    RuleRuleActionRedirectConfigArgs,
    RuleRuleActionTrafficLimitConfigArgs,
    RuleRuleConditionArgs,
    RuleRuleConditionHeaderConfigArgs,
    RuleRuleConditionPathConfigArgs,
)

from infra.alicloud.traffic import HTTPS_PORT
from infra.naming import fix_name
from infra.tagging import Tags
from infra.traffic_weights import COLOURS, Colour
from infra.way_in import EDGE_HEADER, HTTP_PORT, IDLE_TIMEOUT_S

TLS_POLICY = "tls_cipher_policy_1_2_strict_with_1_3"
"""The strictest of a balancer (errata 10.1): TLS 1.3, and TLS 1.2 with forward secrecy. ALB has none for TLS 1.3 alone
(its user guide, "TLS security policies"); a CDN and the checkers of other clouds speak TLS 1.2."""

MOST_WEIGHT = 100
"""The provider's page of Rule; 0 since its version 1.264."""
LONGEST_NAME = 128
"""Characters of a name of a rule, a group or a balancer (the provider's pages of Rule and ServerGroup)."""
EVERY_PATH = "/*"
FIRST, SECOND, LAST = 10, 20, 1000
"""Priorities of rules: the lowest number is looked at first, from 1 to 10000 (the provider's page of Rule)."""


@dataclass(frozen=True, kw_only=True)
class Listening:
    """`groups` are the server groups' ids by colour, `weights` their shares, `active` the colour with more.

    With `edge_secret` only requests that carry it and health checks at `health_path` are let through.
    `limit_per_s` is how many requests a second one address may send.
    """

    balancer_id: pulumi.Input[str]
    certificate_id: pulumi.Input[str]
    groups: Mapping[Colour, pulumi.Input[str]]
    weights: Mapping[Colour, int]
    active: Colour
    edge_secret: pulumi.Input[str] | None
    health_path: str
    limit_per_s: int | None
    tags: Tags


def listen(name: str, listening: Listening, *, parent: pulumi.Resource) -> alicloud.alb.Listener:
    """Make the listeners with their rules; the one for HTTPS is answered."""
    child = pulumi.ResourceOptions(parent=parent)
    tags = listening.tags.named("balancer")
    listener = alicloud.alb.Listener(
        f"{name}-https",
        load_balancer_id=listening.balancer_id,
        listener_port=HTTPS_PORT,
        listener_protocol="HTTPS",
        listener_description="HTTPS from clients",
        security_policy_id=TLS_POLICY,
        certificates=alicloud.alb.ListenerCertificatesArgs(certificate_id=listening.certificate_id),
        http2_enabled=True,
        gzip_enabled=True,
        idle_timeout=IDLE_TIMEOUT_S,
        request_timeout=IDLE_TIMEOUT_S,
        x_forwarded_for_config=alicloud.alb.ListenerXForwardedForConfigArgs(
            x_forwarded_for_enabled=True,
            x_forwarded_for_processing_mode="append",
            x_forwarded_for_proto_enabled=True,
        ),
        default_actions=[_fall_back(listening)],
        tags=tags,
        opts=child,
    )
    if listening.edge_secret is None:
        limit = [] if listening.limit_per_s is None else [_limit(listening.limit_per_s)]
        _rule(f"{name}-traffic", listener, LAST, _at(EVERY_PATH), [*limit, _forward(listening)], listening, parent)
    else:
        marked = RuleRuleConditionArgs(
            type="Header",
            header_config=RuleRuleConditionHeaderConfigArgs(key=EDGE_HEADER, values=[listening.edge_secret]),
        )
        _rule(f"{name}-edge", listener, FIRST, marked, [_forward(listening)], listening, parent)
        _rule(f"{name}-health", listener, SECOND, _at(listening.health_path), [_forward(listening)], listening, parent)
        _rule(f"{name}-refused", listener, LAST, _at(EVERY_PATH), [_refuse()], listening, parent)
    plain = alicloud.alb.Listener(
        f"{name}-http",
        load_balancer_id=listening.balancer_id,
        listener_port=HTTP_PORT,
        listener_protocol="HTTP",
        listener_description="HTTP from clients, answered with a redirect",
        default_actions=[_fall_back(listening)],
        tags=tags,
        opts=child,
    )
    _rule(f"{name}-redirect", plain, LAST, _at(EVERY_PATH), [_redirect()], listening, parent)
    return listener


def _rule(
    name: str,
    listener: alicloud.alb.Listener,
    priority: int,
    condition: RuleRuleConditionArgs,
    actions: Sequence[RuleRuleActionArgs],
    listening: Listening,
    parent: pulumi.Resource,
) -> None:
    alicloud.alb.Rule(
        name,
        rule_name=fix_name(listening.tags.stack, name, LONGEST_NAME),
        listener_id=listener.id,
        priority=priority,
        direction="Request",
        rule_conditions=[condition],
        rule_actions=list(actions),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def _at(path: str) -> RuleRuleConditionArgs:
    return RuleRuleConditionArgs(type="Path", path_config=RuleRuleConditionPathConfigArgs(values=[path]))


def _fall_back(listening: Listening) -> ListenerDefaultActionArgs:
    return ListenerDefaultActionArgs(
        type="ForwardGroup",
        forward_group_config=ListenerDefaultActionForwardGroupConfigArgs(
            server_group_tuples=[
                ListenerDefaultActionForwardGroupConfigServerGroupTupleArgs(
                    server_group_id=listening.groups[listening.active]
                )
            ]
        ),
    )


def _forward(listening: Listening) -> RuleRuleActionArgs:
    """Both groups are always named. A client that stuck to a version would keep the weights of a canary from holding
    and a rollback from reaching it, so none does."""
    return RuleRuleActionArgs(
        type="ForwardGroup",
        order=2,
        forward_group_config=RuleRuleActionForwardGroupConfigArgs(
            server_group_tuples=[
                RuleRuleActionForwardGroupConfigServerGroupTupleArgs(
                    server_group_id=listening.groups[colour], weight=listening.weights.get(colour, 0)
                )
                for colour in COLOURS
            ],
            server_group_sticky_session=RuleRuleActionForwardGroupConfigServerGroupStickySessionArgs(enabled=False),
        ),
    )


def _limit(per_s: int) -> RuleRuleActionArgs:
    return RuleRuleActionArgs(
        type="TrafficLimit", order=1, traffic_limit_config=RuleRuleActionTrafficLimitConfigArgs(per_ip_qps=per_s)
    )


def _refuse() -> RuleRuleActionArgs:
    return RuleRuleActionArgs(
        type="FixedResponse",
        order=1,
        fixed_response_config=RuleRuleActionFixedResponseConfigArgs(
            content="Forbidden", content_type="text/plain", http_code="403"
        ),
    )


def _redirect() -> RuleRuleActionArgs:
    """Host, path and query stay: these are the defaults, and the provider would send empty texts else."""
    return RuleRuleActionArgs(
        type="Redirect",
        order=1,
        redirect_config=RuleRuleActionRedirectConfigArgs(
            protocol="HTTPS",
            port=str(HTTPS_PORT),
            host="${host}",
            path="${path}",
            query="${query}",
            http_code="301",
        ),
    )

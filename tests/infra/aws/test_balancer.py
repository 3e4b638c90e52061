"""The balancer: what it lets in, how it divides traffic, and that its figures suit the service behind it."""

from typing import Any

import pulumi
import pytest

from app.commands.listening import KEEP_ALIVE_S
from app.settings.models import ModelSettings
from infra.aws.balancer import Balancer, BalancerArgs
from infra.aws.listeners import TLS_12_FOR_CHECKS
from infra.errors import InvalidStack
from infra.tagging import Tags
from infra.way_in import IDLE_TIMEOUT_S
from sizing.plan import BalancerSpec
from tests.infra.recorder import Recording, record

TAGS = Tags(environment="test", stack="aws-test", more={})
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/a"
BALANCER = "aws:lb/loadBalancer:LoadBalancer"
GROUP = "aws:lb/targetGroup:TargetGroup"
LISTENER = "aws:lb/listener:Listener"


def balance(kind: Any = "alb", *, behind_edge: bool = False, **more: Any) -> Recording:
    waf_rules = 3 if kind == "alb" else 0

    def program() -> None:
        Balancer(
            "balancer",
            BalancerArgs(
                spec=BalancerSpec(kind=kind, zones=2, waf_rules=waf_rules, lcu_hours=1.0),
                vpc_id="vpc-1",
                subnet_ids=("subnet-1", "subnet-2"),
                target_cidrs=("10.20.8.0/24", "10.20.9.0/24"),
                certificate_arn=CERTIFICATE,
                log_bucket="logs",
                edge_secret=pulumi.Output.secret("let-me-in") if behind_edge else None,
                tags=TAGS,
                **{"protect": True, **more},
            ),
        )

    return record(program)


def test_a_balancer_is_hardened_and_keeps_its_logs() -> None:
    props = balance().one(BALANCER).props

    assert props["loadBalancerType"] == "application" and not props["internal"]
    assert props["dropInvalidHeaderFields"] and props["desyncMitigationMode"] == "strictest" and props["enableHttp2"]
    assert props["enableDeletionProtection"]
    assert props["accessLogs"] == {"bucket": "logs", "enabled": True, "prefix": "balancer"}
    assert props["connectionLogs"]["enabled"] and props["connectionLogs"]["bucket"] == "logs"


def test_a_test_stack_can_be_destroyed() -> None:
    assert not balance(protect=False).one(BALANCER).props["enableDeletionProtection"]


def test_silence_may_last_as_long_as_a_model_and_the_service_keeps_its_connections_longer() -> None:
    assert balance().one(BALANCER).props["idleTimeout"] == IDLE_TIMEOUT_S
    assert ModelSettings().deadline_s < IDLE_TIMEOUT_S < KEEP_ALIVE_S


def test_https_is_strict_and_http_only_redirects() -> None:
    listeners = {each.props["port"]: each.props for each in balance().of(LISTENER)}

    assert set(listeners) == {443, 80}
    assert listeners[443]["sslPolicy"] == "ELBSecurityPolicy-TLS13-1-3-2021-06"
    assert listeners[443]["certificateArn"] == CERTIFICATE
    (action,) = listeners[80]["defaultActions"]
    assert action["redirect"] == {"port": "443", "protocol": "HTTPS", "statusCode": "HTTP_301"}


def test_targets_are_checked_as_the_document_says() -> None:
    for group in balance().of(GROUP):
        assert (group.props["port"], group.props["protocol"], group.props["targetType"]) == (8002, "HTTP", "ip")
        assert group.props["stickiness"] == {"enabled": True, "type": "lb_cookie", "cookieDuration": 86400}
        check = group.props["healthCheck"]
        assert (check["path"], check["matcher"], check["interval"], check["timeout"]) == ("/health", "200", 30, 5)
        assert (check["healthyThreshold"], check["unhealthyThreshold"]) == (2, 3)


@pytest.mark.parametrize("weights", [{"blue": 100, "green": 0}, {"blue": 90, "green": 10}, {"green": 1}])
def test_both_groups_are_always_named_with_their_weights(weights: dict[Any, int]) -> None:
    (action,) = balance(weights=weights).one(LISTENER, "balancer-https").props["defaultActions"]

    named = {target["arn"].rpartition("balancer-")[2]: target["weight"] for target in action["forward"]["targetGroups"]}
    assert named == {"blue": 0, "green": 0} | weights
    # a client that stuck to a version for long would keep the weights from holding
    assert action["forward"]["stickiness"] == {"enabled": True, "duration": 1}


@pytest.mark.parametrize("weights", [{}, {"blue": 0, "green": 0}, {"blue": 1000}, {"blue": -1, "green": 5}, {"red": 1}])
def test_weights_that_are_none_are_refused(weights: dict[Any, int]) -> None:
    with pytest.raises(InvalidStack, match="weights"):
        balance(weights=weights)


def test_it_lets_in_whom_it_is_told_and_out_only_to_the_targets() -> None:
    made = balance(allowed_cidrs=("198.51.100.0/24",))

    into = {
        (each.props["fromPort"], each.props["toPort"], each.props.get("cidrIpv4"))
        for each in made.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    }
    out = {
        (each.props["fromPort"], each.props["cidrIpv4"])
        for each in made.of("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")
    }
    assert into == {(443, 443, "198.51.100.0/24"), (80, 80, "198.51.100.0/24")}
    assert out == {(8002, "10.20.8.0/24"), (8002, "10.20.9.0/24")}


def test_behind_a_cdn_only_its_requests_and_health_checks_pass() -> None:
    made = balance(
        behind_edge=True,
        allowed_cidrs=(),
        allowed_prefix_list_ids=("pl-1",),
    )

    https = made.one(LISTENER, "balancer-https").props
    (refusal,) = https["defaultActions"]
    assert refusal["fixedResponse"]["statusCode"] == "403" and https["sslPolicy"] == TLS_12_FOR_CHECKS
    rules = sorted(made.of("aws:lb/listenerRule:ListenerRule"), key=lambda rule: rule.props["priority"])
    conditions = [rule.props["conditions"] for rule in rules]
    assert conditions == [
        [{"httpHeader": {"httpHeaderName": "X-Reme-Edge", "values": ["let-me-in"]}}],
        [{"pathPattern": {"values": ["/health"]}}],
    ]
    (allowed,) = made.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    assert allowed.props["prefixListId"] == "pl-1"
    rate = next(
        rule["statement"]["rateBasedStatement"]
        for rule in made.one("aws:wafv2/webAcl:WebAcl").props["rules"]
        if "rateBasedStatement" in rule["statement"]
    )
    assert rate["forwardedIpConfig"]["headerName"] == "X-Forwarded-For"


def test_the_firewall_stands_before_the_balancer() -> None:
    made = balance()

    association = made.one("aws:wafv2/webAclAssociation:WebAclAssociation").props
    assert association["resourceArn"].endswith(":balancer-alb")
    assert len(made.one("aws:wafv2/webAcl:WebAcl").props["rules"]) == 3


def test_a_network_balancer_has_an_address_in_every_zone_and_no_firewall() -> None:
    made = balance("nlb")

    props = made.one(BALANCER).props
    addresses = sorted(each.name for each in made.of("aws:ec2/eip:Eip"))
    assert [each["allocationId"] for each in props["subnetMappings"]] == [f"eipalloc-{name}" for name in addresses]
    assert props["loadBalancerType"] == "network" and len(addresses) == 2
    listener = made.one(LISTENER).props
    assert (listener["protocol"], listener["alpnPolicy"]) == ("TLS", "HTTP2Preferred")
    assert {group.props["protocol"] for group in made.of(GROUP)} == {"TCP"}
    assert {group.props["healthCheck"]["protocol"] for group in made.of(GROUP)} == {"HTTP"}
    assert not made.of("aws:wafv2/webAcl:WebAcl")


def test_a_network_balancer_cannot_stand_behind_a_cdn() -> None:
    with pytest.raises(InvalidStack, match="nlb"):
        balance("nlb", behind_edge=True)


def test_names_leave_room_for_the_eight_characters_of_auto_naming() -> None:
    made = balance()
    assert all(len(each.name) <= 24 for each in (*made.of(BALANCER), *made.of(GROUP)))

"""The balancer: what it lets in, how it divides traffic, and that its figures suit the service behind it."""

from typing import Any

import pulumi
import pytest

from app.commands.listening import KEEP_ALIVE_S
from app.settings.models import ModelSettings
from infra.alicloud.balancer import Balancer, BalancerArgs, BalancerZone
from infra.alicloud.firewall import choose_edition, find_rate_limit
from infra.errors import InvalidStack
from infra.tagging import Tags
from infra.way_in import IDLE_TIMEOUT_S
from sizing.plan import BalancerSpec
from tests.infra.recorder import Recorded, Recording, record

TAGS = Tags(environment="prod", stack="alicloud-prod", more={})
BALANCER = "alicloud:alb/loadBalancer:LoadBalancer"
GROUP = "alicloud:alb/serverGroup:ServerGroup"
LISTENER = "alicloud:alb/listener:Listener"
RULE = "alicloud:alb/rule:Rule"
OPENING = "alicloud:ecs/securityGroupRule:SecurityGroupRule"
ZONES = tuple(BalancerZone(zone_name=f"cn-hangzhou-{letter}", subnet_id=f"vsw-{letter}") for letter in "hi")


def balance(kind: Any = "alb", *, behind_edge: bool = False, waf_rules: int = 3, **more: Any) -> Recording:
    def program() -> None:
        made = Balancer(
            "balancer",
            BalancerArgs(
                spec=BalancerSpec(kind=kind, zones=2, waf_rules=waf_rules, lcu_hours=1.0),
                vpc_id="vpc-1",
                certificate_id="1234567-cn-hangzhou",
                log_project="logs",
                log_store="balancer",
                edge_secret=pulumi.Output.secret("let-me-in") if behind_edge else None,
                tags=TAGS,
                **{"protect": True, "zones": ZONES, **more},
            ),
        )
        pulumi.export("active", made.active)
        pulumi.export("groups", list(made.server_group_ids))

    return record(program, region="cn-hangzhou")


def rule_of(made: Recording, label: str) -> Recorded:
    return made.one(RULE, f"balancer-{label}")


def test_it_stands_in_the_plan_s_zones_keeps_its_log_and_cannot_be_deleted() -> None:
    props = balance().one(BALANCER).props
    assert [(each["zoneId"], each["vswitchId"]) for each in props["zoneMappings"]] == [
        ("cn-hangzhou-h", "vsw-h"),
        ("cn-hangzhou-i", "vsw-i"),
    ]
    assert props["accessLogConfig"] == {"logProject": "logs", "logStore": "balancer"}
    assert props["deletionProtectionEnabled"] and props["addressType"] == "Internet"
    assert not balance(protect=False).one(BALANCER).props["deletionProtectionEnabled"]
    assert props["tags"]["component"] == "balancer"


def test_the_firewall_is_that_of_its_edition_and_addresses_have_a_limit() -> None:
    assert balance().one(BALANCER).props["loadBalancerEdition"] == choose_edition(3) == "StandardWithWaf"
    assert balance(waf_rules=0).one(BALANCER).props["loadBalancerEdition"] == "Standard"
    # §6.2: 100 requests a second for an address
    limit, forward = rule_of(balance(), "traffic").props["ruleActions"]
    assert limit["trafficLimitConfig"]["perIpQps"] == find_rate_limit(3) == 100
    assert limit["order"] < forward["order"]
    assert [each["type"] for each in rule_of(balance(waf_rules=0), "traffic").props["ruleActions"]] == ["ForwardGroup"]


def test_silence_may_last_as_long_as_a_model_and_the_service_keeps_its_connections_longer() -> None:
    props = balance().one(LISTENER, "balancer-https").props
    assert props["idleTimeout"] == props["requestTimeout"] == IDLE_TIMEOUT_S
    assert ModelSettings().deadline_s < IDLE_TIMEOUT_S < KEEP_ALIVE_S
    for group in balance().of(GROUP):
        assert group.props["connectionDrainConfig"]["connectionDrainTimeout"] >= ModelSettings().deadline_s


def test_https_is_strict_and_http_only_redirects() -> None:
    made = balance()
    listeners = {each.props["listenerPort"]: each for each in made.of(LISTENER)}
    assert set(listeners) == {443, 80}
    props = listeners[443].props
    assert (props["listenerProtocol"], props["securityPolicyId"]) == ("HTTPS", "tls_cipher_policy_1_2_strict_with_1_3")
    assert props["certificates"] == {"certificateId": "1234567-cn-hangzhou"} and props["http2Enabled"]
    assert props["xForwardedForConfig"]["xForwardedForEnabled"]
    redirect = rule_of(made, "redirect").props
    assert redirect["listenerId"] == f"{listeners[80].name}-id"
    (condition,), (action,) = redirect["ruleConditions"], redirect["ruleActions"]
    assert condition["pathConfig"]["values"] == ["/*"]
    assert (action["type"], action["redirectConfig"]["protocol"], action["redirectConfig"]["port"]) == (
        "Redirect", "HTTPS", "443",
    )  # fmt: skip


def test_nodes_are_checked_as_the_document_says() -> None:
    for group in balance().of(GROUP):
        assert (group.props["protocol"], group.props["serverGroupType"]) == ("HTTP", "Instance")
        assert group.props["stickySessionConfig"]["cookieTimeout"] == 86400
        check = group.props["healthCheckConfig"]
        assert (check["healthCheckPath"], check["healthCheckCodes"]) == ("/health", ["http_2xx"])
        assert (check["healthCheckInterval"], check["healthCheckTimeout"]) == (30, 5)
        assert (check["healthyThreshold"], check["unhealthyThreshold"]) == (2, 3)


@pytest.mark.parametrize("weights", [{"blue": 100, "green": 0}, {"blue": 90, "green": 10}, {"green": 1}])
def test_both_groups_are_always_named_with_their_weights(weights: dict[Any, int]) -> None:
    made = balance(weights=weights)
    forward = rule_of(made, "traffic").props["ruleActions"][-1]["forwardGroupConfig"]
    named = {each["serverGroupId"]: each["weight"] for each in forward["serverGroupTuples"]}
    assert named == {f"balancer-{colour}-id": weights.get(colour, 0) for colour in ("blue", "green")}
    assert not forward["serverGroupStickySession"]["enabled"]
    active = max(weights, key=lambda colour: weights[colour])
    assert made.outputs["active"] == active and made.outputs["groups"] == ["blue", "green"]
    for listener in made.of(LISTENER):
        (action,) = listener.props["defaultActions"]
        (fallen_back,) = action["forwardGroupConfig"]["serverGroupTuples"]
        assert fallen_back["serverGroupId"] == f"balancer-{active}-id"


@pytest.mark.parametrize("weights", [{"blue": 101}, {"blue": -1}, {"blue": 0, "green": 0}, {"red": 1}])
def test_weights_that_are_none_are_refused(weights: dict[Any, int]) -> None:
    with pytest.raises(InvalidStack, match="weights of 0 to 100"):
        balance(weights=weights)


def test_only_those_who_are_allowed_connect_and_the_rest_is_dropped() -> None:
    made = balance(allowed_cidrs=("203.0.113.0/24",))
    openings = [each.props for each in made.of(OPENING) if each.props["type"] == "ingress"]
    accepted = {(each["cidrIp"], each["portRange"]) for each in openings if each["policy"] == "accept"}
    assert accepted == {("203.0.113.0/24", "443/443"), ("203.0.113.0/24", "80/80")}
    (dropped,) = [each for each in openings if each["policy"] == "drop"]
    assert (dropped["cidrIp"], dropped["ipProtocol"], dropped["priority"]) == ("0.0.0.0/0", "all", 100)
    attached = made.one("alicloud:alb/loadBalancerSecurityGroupAttachment:LoadBalancerSecurityGroupAttachment").props
    assert attached == {"loadBalancerId": "balancer-alb-id", "securityGroupId": "balancer-group-id"}


def test_behind_a_cdn_only_marked_requests_and_health_checks_pass() -> None:
    made = balance(behind_edge=True, allowed_cidrs=("203.0.113.0/24",))
    rules = sorted(
        (each for each in made.of(RULE) if each.props["listenerId"] == "balancer-https-id"),
        key=lambda each: int(each.props["priority"]),
    )
    assert [each.name for each in rules] == ["balancer-edge", "balancer-health", "balancer-refused"]
    conditions = [each.props["ruleConditions"][0] for each in rules]
    assert conditions[0]["headerConfig"] == {"key": "X-Reme-Edge", "values": ["let-me-in"]}
    assert "ruleConditions" in rules[0].secret
    assert [each["pathConfig"]["values"] for each in conditions[1:]] == [["/health"], ["/*"]]
    (refusal,) = rules[-1].props["ruleActions"]
    assert (refusal["type"], refusal["fixedResponseConfig"]["httpCode"]) == ("FixedResponse", "403")
    # the addresses of a CDN are many and change
    assert {each.props["cidrIp"] for each in made.of(OPENING) if each.props["policy"] == "accept"} == {"0.0.0.0/0"}


@pytest.mark.parametrize("kind", ["nlb", "none"])
def test_another_kind_is_refused_with_what_there_is(kind: str) -> None:
    with pytest.raises(InvalidStack, match=f"balancer is '{kind}'; valid: alb on Alibaba Cloud"):
        balance(kind)


def test_one_zone_is_too_few() -> None:
    with pytest.raises(InvalidStack, match="2 zones at least"):
        balance(zones=ZONES[:1])

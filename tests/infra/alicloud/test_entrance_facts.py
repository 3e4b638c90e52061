"""The way in has values of the provider's pages (`infra/data/alicloud_facts_entrance.csv`), within their limits."""

from collections.abc import Iterator, Mapping

from infra.alicloud.balancer import FEWEST_ZONES
from infra.alicloud.edge import LEADING, STANDING_IN
from infra.alicloud.listeners import LONGEST_NAME, MOST_WEIGHT
from infra.alicloud.routing import LONGEST_TAG, RECORD_TTL_S
from infra.tables import read_table
from policies.properties import read
from tests.infra.alicloud.test_balancer import balance
from tests.infra.alicloud.test_edge import front
from tests.infra.alicloud.test_routing import BALANCER, route
from tests.infra.recorder import Recording

CHECKED: Mapping[str, Mapping[str, str]] = {
    "alicloud:alb/listener:Listener": {
        "defaultActions[].type": "listener action",
        "listenerProtocol": "listener protocol",
        "securityPolicyId": "tls policy",
        "xForwardedForConfig.xForwardedForProcessingMode": "forwarded mode",
    },
    "alicloud:alb/loadBalancer:LoadBalancer": {
        "addressAllocatedMode": "balancer addresses",
        "addressIpVersion": "balancer ip",
        "addressType": "balancer reach",
        "loadBalancerBillingConfig.payType": "balancer charge",
        "loadBalancerEdition": "balancer edition",
    },
    "alicloud:alb/rule:Rule": {
        "direction": "rule direction",
        "ruleActions[].fixedResponseConfig.contentType": "rule content",
        "ruleActions[].redirectConfig.httpCode": "rule redirect",
        "ruleActions[].type": "rule action",
        "ruleConditions[].type": "rule condition",
    },
    "alicloud:alb/serverGroup:ServerGroup": {
        "healthCheckConfig.healthCheckCodes[]": "check code",
        "healthCheckConfig.healthCheckHttpVersion": "check version",
        "healthCheckConfig.healthCheckMethod": "check method",
        "healthCheckConfig.healthCheckProtocol": "check protocol",
        "protocol": "server group protocol",
        "scheduler": "server group scheduler",
        "serverGroupType": "server group of",
        "stickySessionConfig.stickySessionType": "sticky session",
    },
    "alicloud:cdn/domainNew:DomainNew": {
        "cdnType": "cdn type",
        "certificateConfig.certRegion": "cdn certificate region",
        "certificateConfig.certType": "cdn certificate",
        "scope": "cdn scope",
        "sources[].port": "cdn origin port",
        "sources[].priority": "cdn origin rank",
        "sources[].type": "cdn origin",
    },
    "alicloud:dns/alidnsRecord:AlidnsRecord": {"type": "record type"},
}
LIMITED: Mapping[str, Mapping[str, str]] = {
    "alicloud:alb/listener:Listener": {
        "idleTimeout": "listener timeout limit s",
        "requestTimeout": "listener timeout limit s",
    },
    "alicloud:alb/rule:Rule": {
        "priority": "rule order limit",
        "ruleActions[].forwardGroupConfig.serverGroupTuples[].weight": "rule weight limit",
        "ruleActions[].trafficLimitConfig.perIpQps": "rule requests limit",
    },
    "alicloud:alb/serverGroup:ServerGroup": {
        "connectionDrainConfig.connectionDrainTimeout": "drain limit s",
        "healthCheckConfig.healthCheckInterval": "check interval limit s",
        "healthCheckConfig.healthCheckTimeout": "check timeout limit s",
        "healthCheckConfig.healthyThreshold": "check count limit",
        "healthCheckConfig.unhealthyThreshold": "check count limit",
        "stickySessionConfig.cookieTimeout": "sticky session limit s",
    },
    "alicloud:dns/alidnsRecord:AlidnsRecord": {"ttl": "record ttl limit s"},
}
"""A limit has one row, the most, or two, the least and the most."""
NAMES = ("loadBalancerName", "serverGroupName", "ruleName")


def find_facts(kind: str) -> set[str]:
    return {row["value"] for row in read_table("alicloud_facts_entrance.csv") if row["kind"] == kind}


def find_limits(kind: str) -> tuple[int, int]:
    found = sorted(int(each) for each in find_facts(kind))
    return (found[0] if len(found) > 1 else 0), found[-1]


def list_recordings() -> Iterator[Recording]:
    yield from (balance(), balance(waf_rules=0), balance(behind_edge=True))
    yield front(allowed_cidrs=("203.0.113.0/24",))
    yield from (route(address="198.51.100.7"), route(dns_name=BALANCER))


def test_each_value_is_one_that_the_provider_names() -> None:
    met = set()
    for recording in list_recordings():
        for each in recording:
            for path, kind in CHECKED.get(each.type, {}).items():
                for _, value in read(each.props, path):
                    if value is not None:
                        shown = str(int(value)) if isinstance(value, float) else str(value)
                        assert shown in find_facts(kind), f"{each.name}: {path} is {value}"
                        met.add((each.type, path))
    assert met == {(type_, path) for type_, paths in CHECKED.items() for path in paths}


def test_numbers_and_names_keep_to_the_limits() -> None:
    met = set()
    for recording in list_recordings():
        for each in recording:
            for path, kind in LIMITED.get(each.type, {}).items():
                least, most = find_limits(kind)
                for _, value in read(each.props, path):
                    if value is not None:
                        assert least <= value <= most, f"{each.name}: {path} is {value}"
                        met.add((each.type, path))
            for name in NAMES:
                assert 2 <= len(each.props.get(name, "ab")) <= find_limits("balancer name limit")[1]
    assert met == {(type_, path) for type_, paths in LIMITED.items() for path in paths}


def test_each_setting_of_the_cdn_is_one_that_it_has() -> None:
    told = {
        f"{each.props['functionName']} {pair['argName']}"
        for each in front(allowed_cidrs=("203.0.113.0/24",)).of("alicloud:cdn/domainConfig:DomainConfig")
        for pair in each.props["functionArgs"]
    }
    assert told and told <= find_facts("cdn setting")


def test_constants_are_the_facts() -> None:
    assert find_limits("rule weight limit") == (0, MOST_WEIGHT)
    assert find_limits("balancer name limit")[1] == LONGEST_NAME
    assert find_limits("fewest zones limit")[1] == FEWEST_ZONES
    assert find_limits("record ttl limit s")[0] == RECORD_TTL_S
    assert find_limits("zone tag limit")[1] == LONGEST_TAG
    assert {str(LEADING), str(STANDING_IN)} == find_facts("cdn origin rank")
    health_path = balance().of("alicloud:alb/serverGroup:ServerGroup")[0].props["healthCheckConfig"]["healthCheckPath"]
    assert len(health_path) <= find_limits("check path limit")[1]

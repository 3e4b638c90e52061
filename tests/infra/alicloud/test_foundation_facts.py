"""The foundation's values are those of the provider's pages (`infra/data/alicloud_facts_foundation.csv`)."""

from collections.abc import Iterator, Mapping

import pytest

from infra.alicloud.keys import DELETION_WINDOW_DAYS
from infra.alicloud.network import NAT_BANDWIDTH_MBPS, FlowLogStore
from infra.alicloud.roles import LONGEST_POLICY
from infra.alicloud.traffic import FIRST, LAST
from infra.tables import read_table
from tests.infra.alicloud.test_network import HIGHLY_AVAILABLE, build
from tests.infra.recorder import Recording
from tests.infra.stacks import record_stack

pytestmark = pytest.mark.slow

CHECKED: Mapping[str, Mapping[str, str]] = {
    "alicloud:ecs/eipAddress:EipAddress": {"internetChargeType": "address charge", "paymentType": "payment"},
    "alicloud:ecs/eipAssociation:EipAssociation": {"instanceType": "address owner"},
    "alicloud:ecs/securityGroup:SecurityGroup": {
        "innerAccessPolicy": "inner access policy",
        "securityGroupType": "security group type",
    },
    "alicloud:ecs/securityGroupRule:SecurityGroupRule": {
        "ipProtocol": "rule protocol",
        "nicType": "rule network",
        "policy": "rule policy",
        "type": "rule direction",
    },
    "alicloud:kms/key:Key": {"automaticRotation": "key rotation", "keyUsage": "key usage"},
    "alicloud:oos/secretParameter:SecretParameter": {"type": "secret type"},
    "alicloud:ram/policy:Policy": {"rotateStrategy": "policy rotation"},
    "alicloud:ram/rolePolicyAttachment:RolePolicyAttachment": {"policyType": "policy type"},
    "alicloud:vpc/flowLog:FlowLog": {
        "aggregationInterval": "flow interval",
        "resourceType": "flows of",
        "trafficType": "flows",
    },
    "alicloud:vpc/natGateway:NatGateway": {
        "internetChargeType": "nat charge",
        "natType": "nat type",
        "networkType": "nat network",
        "paymentType": "payment",
    },
    "alicloud:vpc/routeEntry:RouteEntry": {"nexthopType": "next hop"},
    "alicloud:vpc/routeTable:RouteTable": {"associateType": "table of"},
}


def find_facts() -> Mapping[str, set[str]]:
    rows = read_table("alicloud_facts_foundation.csv")
    return {row["kind"]: {each["value"] for each in rows if each["kind"] == row["kind"]} for row in rows}


def list_recordings() -> Iterator[Recording]:
    yield record_stack("alicloud-team", {"reme-cloud:key-instance-id": "kst-bjj62f5ba3dnpb6v8"})
    yield build(HIGHLY_AVAILABLE, flow_log=FlowLogStore(project="p", store="flows"))


def test_each_value_is_one_that_the_provider_names() -> None:
    facts, met = find_facts(), set()
    for recording in list_recordings():
        for each in recording:
            for name, kind in CHECKED.get(each.type, {}).items():
                assert str(each.props[name]) in facts[kind], f"{each.name}: {name} is {each.props[name]}"
                met.add((each.type, name))
    assert met == {(type_, name) for type_, names in CHECKED.items() for name in names}


def test_numbers_keep_to_the_limits() -> None:
    facts = {kind: sorted(int(each) for each in found) for kind, found in find_facts().items() if "limit" in kind}
    assert facts["rule priority limit"] == [FIRST, LAST]
    assert facts["address bandwidth limit"] == [NAT_BANDWIDTH_MBPS]
    assert facts["key window limit"] == [DELETION_WINDOW_DAYS] and facts["policy name limit"] == [LONGEST_POLICY]
    made = record_stack("alicloud-team")
    policy = made.one("alicloud:ram/policy:Policy").props["policyDocument"]
    assert len(policy.encode()) <= facts["policy length limit"][0]
    for secret in made.of("alicloud:oos/secretParameter:SecretParameter"):
        assert len(secret.props["secretParameterName"]) <= facts["secret name limit"][0]
        assert len(secret.props["value"]) <= facts["secret value limit"][0]

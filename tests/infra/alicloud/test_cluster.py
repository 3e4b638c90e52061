"""A cluster on Alibaba Cloud: nodes over zones behind the balancer, replaced as a whole, their role no wider than needed."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from infra.alicloud.cluster import ClusterArgs, ServiceCluster
from infra.alicloud.machines import DISK_CATEGORY, DISK_LEVEL
from infra.alicloud.node_group import POLL_S, POLLS, START_S, describe_wait
from infra.errors import InvalidStack
from infra.service.cluster_node import PATIENCE_S
from infra.service.machine import CENTRAL_SCALING
from infra.tables import read_table
from infra.tagging import Tags
from sizing.capacity import TARGET_UTILISATION
from tests.infra.recorder import Recorded, Recording, record
from tests.infra.service.machine.alicloud import CALLS
from tests.infra.service.plans import COMPANY, plan_region

TAGS = Tags(environment="prod", stack="alicloud-prod", more={})
PLAN = plan_region(**COMPANY, regions=[{"cloud": "alicloud", "region": "cn-hangzhou"}])
SPEC = PLAN.compute
GROUP = "alicloud:ess/scalingGroup:ScalingGroup"
CONFIGURATION = "alicloud:ess/scalingConfiguration:ScalingConfiguration"
HOOK, RULE = "alicloud:ess/lifecycleHook:LifecycleHook", "alicloud:ess/scalingRule:ScalingRule"
DIGITS, WAIT = "random:index/randomId:RandomId", "alicloud:oos/execution:Execution"
SWITCHES = ("10.20.0.0/20", "10.20.16.0/20")
REPOSITORY = "acs:cr:cn-hangzhou:1234567890123456:repository/alicloud-prod-1a2b3c4d/reme"


def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def build(**change: Any) -> Recording:
    values: dict[str, Any] = {
        "spec": SPEC,
        "balancer": PLAN.balancer,
        "region": "cn-hangzhou",
        "vpc_id": "vpc-1",
        "cidr": "10.20.0.0/16",
        "private_subnet_ids": ["vsw-1", "vsw-2"],
        "user_data": encode("blue"),
        "server_group_ids": {"blue": "sgp-blue", "green": "sgp-green"},
        "balancer_cidrs": SWITCHES,
        "secret_arns": ["acs:oos:cn-hangzhou:1234567890123456:secretparameter/reme-cloud/admin"],
        "bucket_arns": ["acs:oss:*:1234567890123456:objects"],
        "dump_bucket_arns": ["acs:oss:*:1234567890123456:dumps"],
        "repository_arns": [REPOSITORY],
        "inner_ports": [5432, 6379],
        "tags": TAGS,
    }

    def program() -> None:
        made = ServiceCluster("service", ClusterArgs(**{**values, **change}))
        for name in ("scaling_group_id", "scaling_group_name", "green_scaling_group_id", "role_name"):
            pulumi.export(name, getattr(made, name))

    return record(program, region="cn-hangzhou", config={"alicloud:region": "cn-hangzhou"})


def try_green(nodes: int) -> Recording:
    return build(strategy="canary", green_user_data=encode("green"), green_nodes=nodes)


def find_group(found: Recording, colour: str = "blue") -> Recorded:
    return found.one(GROUP, f"service-{colour}-group")


def read_keepers(**change: Any) -> Mapping[str, str]:
    keepers: Mapping[str, str] = build(**change).one(DIGITS, "service-blue-digits").props["keepers"]
    return keepers


def read_statements(**change: Any) -> dict[str, set[str]]:
    """The resources of each action."""
    policy = json.loads(build(**change).one("alicloud:ram/policy:Policy").props["policyDocument"])
    return {action: set(each["Resource"]) for each in policy["Statement"] for action in each["Action"]}


def test_nodes_are_spread_over_the_zones_and_put_behind_the_balancer() -> None:
    group = find_group(build()).props
    assert (group["multiAzPolicy"], group["vswitchIds"]) == ("BALANCE", ["vsw-1", "vsw-2"])
    assert (group["minSize"], group["maxSize"]) == (SPEC.nodes, SPEC.max_nodes)
    assert group["healthCheckTypes"] == ["ECS", "LOAD_BALANCER"]
    [behind] = group["albServerGroups"]
    assert (behind["albServerGroupId"], behind["port"]) == ("sgp-blue", PLAN.balancer.target_port)


def test_their_number_between_the_two_sizes_is_scaling_s_alone() -> None:
    found = try_green(2)
    assert "desiredCapacity" not in find_group(found).props
    rule = found.one(RULE, "service-blue-cpu").props
    assert rule["scalingRuleType"] == "TargetTrackingScalingRule"
    assert (rule["metricName"], rule["targetValue"]) == ("CpuUtilization", TARGET_UTILISATION * 100)


@pytest.mark.parametrize("key", [None, "key-1"])
def test_a_node_is_the_plan_s_encrypted_with_a_role_with_tokens_and_without_a_password(key: str | None) -> None:
    made = build(kms_key_id=key).one(CONFIGURATION).props
    assert (made["instanceType"], made["systemDiskSize"]) == (SPEC.instance_class, SPEC.root_disk_gb)
    assert (made["systemDiskCategory"], made["systemDiskPerformanceLevel"]) == (DISK_CATEGORY, DISK_LEVEL)
    assert made["systemDiskEncrypted"] is True and made.get("systemDiskKmsKeyId") == key
    assert made["httpEndpoint"] == "enabled"
    assert made["roleName"] == build().outputs["role_name"]
    assert made["passwordInherit"] is False and made["internetMaxBandwidthOut"] == 0
    assert not {"password", "kmsEncryptedPassword", "keyName"} & made.keys()
    assert made["tags"]["component"] == "cluster" and made["userData"] == encode("blue")


def test_a_change_of_nodes_is_another_group_and_a_newer_image_is_not() -> None:
    former = read_keepers()
    assert read_keepers() == former
    assert read_keepers(user_data=encode("another version")) != former
    assert former["image"] == "" and read_keepers(machine_image="m-1")["image"] == "m-1"
    found = build()
    digits = found.one(DIGITS, "service-blue-digits")
    assert find_group(found).props["scalingGroupName"].endswith("-1a2b3c4d"), "its name has the digits"
    assert digits.parent == find_group(found).parent


def test_a_deployment_waits_until_the_nodes_have_said_that_they_serve() -> None:
    found = build()
    hook = found.one(HOOK).props
    assert (hook["lifecycleTransition"], hook["defaultResult"]) == ("SCALE_OUT", "CONTINUE")
    wait = found.one(WAIT)
    assert wait.retain, "a record cannot be deleted later"
    assert json.loads(wait.props["parameters"]) == {"scalingGroupId": "service-blue-group-id"}
    [task, settle] = json.loads(describe_wait(2, 4))["Tasks"]
    assert task["Properties"]["DesiredValues"] == [2, 3, 4, "2", "3", "4"]
    assert task["Retries"] * task["Delay"] == POLLS * POLL_S == PATIENCE_S < hook["heartbeatTimeout"] == START_S
    assert settle["Properties"] == {"Duration": "PT3M"}
    assert found.outputs["scaling_group_id"] == "service-blue-group-id"


def test_green_has_no_nodes_and_nothing_to_wait_for_until_a_version_is_tried() -> None:
    idle, busy = try_green(0), try_green(2)
    assert (find_group(idle, "green").props["maxSize"], len(idle.of(WAIT)), len(idle.of(RULE))) == (0, 1, 1)
    assert (find_group(busy, "green").props["minSize"], len(busy.of(WAIT)), len(busy.of(RULE))) == (2, 2, 2)
    assert find_group(busy, "green").props["albServerGroups"][0]["albServerGroupId"] == "sgp-green"
    assert busy.one(CONFIGURATION, "service-green-configuration").props["userData"] == encode("green")
    assert "green_scaling_group_id" not in build().outputs


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"strategy": "canary"}, "service.strategy is 'canary'"),
        ({"green_user_data": encode("green")}, "service.strategy is 'rolling'"),
        ({"green_nodes": 99}, "green_nodes is 99"),
        ({"green_nodes": 1}, "service.strategy is 'rolling'"),
    ],
)
def test_what_does_not_go_together_is_refused(change: Mapping[str, Any], words: str) -> None:
    with pytest.raises(InvalidStack, match=words):
        build(**change)


def list_rules(found: Recording, direction: str) -> set[tuple[object, ...]]:
    rules = [each.props for each in found.of("alicloud:ecs/securityGroupRule:SecurityGroupRule")]
    chosen = [each for each in rules if each["type"] == direction and each["policy"] == "accept"]
    return {(each["portRange"], each.get("cidrIp")) for each in chosen}


def test_only_the_balancer_gets_in() -> None:
    found = build()
    assert list_rules(found, "ingress") == {("8002/8002", cidr) for cidr in SWITCHES}
    assert {("5432/5432", "10.20.0.0/16"), ("443/443", "0.0.0.0/0")} <= list_rules(found, "egress")


def test_the_role_reads_its_secrets_pulls_its_images_and_never_reads_a_dump() -> None:
    found = read_statements()
    assert found["cr:PullRepository"] == {REPOSITORY} and found["cr:GetAuthorizationToken"] == {"*"}
    assert found["ess:CompleteLifecycleAction"] == {"acs:ess:cn-hangzhou:*:scalinggroup/*"}
    assert found["oss:GetObject"] == {"acs:oss:*:1234567890123456:objects/*"}
    assert found["oss:DeleteObject"] == {"acs:oss:*:1234567890123456:objects/*"}
    assert len(found["oos:GetSecretParameter"]) == 1
    assert found["ecs:ModifyInstanceMetadataOptions"] == {"acs:ecs:cn-hangzhou:*:instance/*"}
    assert not [action for action in found if "*" in action]
    assert "cr:PullRepository" not in read_statements(repository_arns=[])


def test_the_role_writes_dumps() -> None:
    policy = json.loads(build().one("alicloud:ram/policy:Policy").props["policyDocument"])
    puts = {place for each in policy["Statement"] if "oss:PutObject" in each["Action"] for place in each["Resource"]}
    assert "acs:oss:*:1234567890123456:dumps/*" in puts


def test_each_value_is_one_that_a_page_names() -> None:
    rows = read_table("alicloud_facts_cluster.csv")
    known = {(row["kind"], row["value"]) for row in rows}
    limits = {row["kind"]: int(row["value"]) for row in rows if row["kind"].endswith("limit")}
    found = build()
    group, node = find_group(found).props, found.one(CONFIGURATION).props
    hook, rule = found.one(HOOK).props, found.one(RULE).props
    [task, _] = json.loads(describe_wait(2, 4))["Tasks"]
    used = {
        ("group type", group["groupType"]),
        ("zones policy", group["multiAzPolicy"]),
        ("reclaim mode", group["scalingPolicy"]),
        *(("health check", each) for each in group["healthCheckTypes"]),
        *(("removed first", each) for each in group["removalPolicies"]),
        ("metadata access", node["httpEndpoint"]),
        ("node disk category", node["systemDiskCategory"]),
        ("node spot strategy", node["spotStrategy"]),
        ("rule type", rule["scalingRuleType"]),
        ("rule metric", rule["metricName"]),
        ("hook transition", hook["lifecycleTransition"]),
        ("hook result", hook["defaultResult"]),
        ("wait delay", task["DelayType"]),
        *(("central scaling region", region) for region in CENTRAL_SCALING),
        *(
            ("scaling call", f"{action} {version}")
            for action, (version, path) in CALLS.items()
            if version[:4] == "2022"
        ),
        *(("registry call", f"{action} {version} {path}") for action, (version, path) in CALLS.items() if path != "/"),
        *(
            ("machine call", f"{action} {version}")
            for action, (version, path) in CALLS.items()
            if version[:4] == "2014"
        ),
    }
    assert used <= known, used - known
    assert group["maxSize"] <= limits["group size limit"]
    for name in (group["scalingGroupName"], node["scalingConfigurationName"], rule["scalingRuleName"], hook["name"]):
        assert 2 <= len(name) <= limits["group name limit"]
    assert limits["hook timeout least limit"] <= START_S <= limits["hook timeout most limit"]
    assert limits["wait retries limit"] >= POLLS

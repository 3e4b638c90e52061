"""The stack of a host on Alibaba Cloud as a whole: what it refuses, what it keeps, whose keys it uses, who may do what."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from infra.errors import InvalidStack
from infra.images import find_image
from infra.program import deploy_registry
from policies.judgement import judge
from policies.settings import PolicySettings
from sizing.graph.resources import build_graph
from tests.infra.alicloud.computed import ACCOUNT
from tests.infra.recorded_graph import read_recording
from tests.infra.recorder import Recording, record
from tests.infra.stacks import SECRETS, read_stack, record_stack

pytestmark = pytest.mark.slow

DISK = "alicloud:ecs/ecsDisk:EcsDisk"
PARAMETER = "alicloud:oos/secretParameter:SecretParameter"
KEY = "alicloud:kms/key:Key"
LASTING = {"reme-cloud:environment": "prod"}
OWN_KEYS = {"reme-cloud:key-instance-id": "kst-bjj62f5ba3dnpb6v8"}


CLUSTER = {"users": 500, "availability_percent": 99.9, "overrides": {"monitoring": "managed-prometheus"}}


def workload(**overrides: Any) -> dict[str, Any]:
    return {"reme-cloud:workload": {"users": 60, "overrides": overrides}}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (workload(tier="single-host", database="postgresql"), "overrides.database is 'postgresql'; valid: sqlite"),
        (
            workload(tier="single-host", monitoring="prometheus"),
            "overrides.monitoring is 'prometheus'; valid: cloud on",
        ),
        ({"reme-cloud:workload": CLUSTER}, "overrides.monitoring is 'managed-prometheus'; valid: cloud on"),
        ({"reme-cloud:alerts": {"monthly_budget_usd": 50}}, "monthly_budget_usd"),
        ({"reme-cloud:key-instance-id": "key-1"}, "key-instance-id is 'key-1'"),
        ({"reme-cloud:service": {"machine_image": "ami-0123456789abcdef0"}}, "machine_image"),
        # it would stand in user data, which whoever may describe the machine reads
        ({"reme-cloud:service": {"package_index": "https://name:word@packages.example.com/simple/"}}, "package_index"),
        ({"reme-cloud:service": {"registry_host": "registry.example.com"}}, "registry_host"),
        (
            {
                "reme-cloud:network": {
                    "vpc_id": "vpc-1",
                    "public_subnet_ids": ["vsw-a", "vsw-b"],
                    "private_subnet_ids": ["vsw-c", "vsw-d"],
                    "data_subnet_ids": ["vsw-e", "vsw-f"],
                }
            },
            "network.zones is []; valid: the zone of each",
        ),
        ({"reme-cloud:domain": "a.example.com", "reme-cloud:zone-id": "example.org"}, "zone-id is 'example.org'"),
    ],
)
def test_what_this_cloud_has_no_stack_of_is_refused_with_the_remedy(more: Mapping[str, Any], words: str) -> None:
    with pytest.raises(InvalidStack) as refused:
        record_stack("alicloud-dev", more)
    assert words in str(refused.value)


def test_a_host_needs_no_registry() -> None:
    config = read_stack("alicloud-dev") | SECRETS
    with pytest.raises(InvalidStack, match="needs no registry"):
        record(deploy_registry, region="cn-beijing", stack_name="alicloud-dev", config=config, secrets=tuple(SECRETS))


def test_a_stack_that_lasts_is_protected_and_leaves_what_it_holds() -> None:
    found = record_stack("alicloud-dev", LASTING)
    for type_ in (DISK, PARAMETER, "alicloud:oss/bucket:Bucket"):
        assert found.of(type_) and all(each.protect and each.retain for each in found.of(type_)), type_
    assert found.one("alicloud:actiontrail/trail:Trail").props["ossBucketName"] == found.outputs["audit_bucket"]
    lifted = record_stack("alicloud-dev", {**LASTING, "reme-cloud:protect": False})
    assert not [each.name for each in lifted if each.protect]
    assert all(each.retain for each in (*lifted.of(DISK), *lifted.of(PARAMETER)))


def test_a_stack_for_trials_can_be_destroyed_whole() -> None:
    found = record_stack("alicloud-dev")
    held = [each for each in found if each.protect or each.retain]
    # records of runs, which the cloud forgets by itself
    assert {each.name for each in held} <= {"changes-run", "changes-agent"}
    assert not found.of("alicloud:oss/bucketWorm:BucketWorm") and not found.of("alicloud:actiontrail/trail:Trail")


def test_the_services_manage_the_keys_unless_there_is_an_instance_for_ours() -> None:
    assert not record_stack("alicloud-dev").of(KEY)
    found = record_stack("alicloud-dev", OWN_KEYS)
    key = found.one(KEY, "keys-data").props
    assert (key["automaticRotation"], key["rotationInterval"]) == ("Enabled", "90d")
    assert key["dkmsInstanceId"] == OWN_KEYS["reme-cloud:key-instance-id"]
    assert found.one(DISK).props["kmsKeyId"] == "keys-data-id"
    assert {each.props["keyId"] for each in found.of(PARAMETER)} == {"keys-data-id"}
    encryption = found.of("alicloud:oss/bucketServerSideEncryption:BucketServerSideEncryption")
    inline = [each.props.get("serverSideEncryptionRule") or {} for each in found.of("alicloud:oss/bucket:Bucket")]
    named = [each.props.get("kmsMasterKeyId") for each in encryption] + [each.get("kmsMasterKeyId") for each in inline]
    assert "keys-data-id" in named
    assert f"acs:kms:cn-beijing:{ACCOUNT}:key/keys-data" in json.dumps(read_policy(found))


def read_policy(found: Recording) -> list[dict[str, Any]]:
    document = json.loads(found.one("alicloud:ram/policy:Policy").props["policyDocument"])
    assert document["Version"] == "1"
    return list(document["Statement"])


def test_the_role_names_actions_and_the_stack_s_own_resources() -> None:
    found = record_stack("alicloud-team")
    trust = json.loads(found.one("alicloud:ram/role:Role").props["assumeRolePolicyDocument"])
    assert trust["Statement"] == [
        {"Effect": "Allow", "Principal": {"Service": ["ecs.aliyuncs.com"]}, "Action": "sts:AssumeRole"}
    ]
    statements = read_policy(found)
    assert not [each for each in statements if any("*" in action for action in each["Action"])]
    unscoped = [each["Action"] for each in statements if any(name in ("*", "acs:*") for name in each["Resource"])]
    assert unscoped == [["yundun-greenweb:TextModerationPlus"]], "what has no resources to name, and nothing else"
    by_action = {action: each["Resource"] for each in statements for action in each["Action"]}
    stored = f"{ACCOUNT}:secretparameter/reme-cloud/alicloud-team"
    assert sorted(by_action["oos:GetSecretParameter"]) == [
        f"acs:oos:cn-beijing:{stored}/{name}" for name in ("admin", "llm", "qdrant")
    ]
    assert f"acs:kms:cn-beijing:{ACCOUNT}:secret/oos/reme-cloud/alicloud-team/llm" in by_action["kms:GetSecretValue"]
    assert "oss:DeleteObject" not in by_action, "a host writes dumps and deletes none"


def test_a_role_may_have_texts_judged_where_the_service_does() -> None:
    moderating = "yundun-greenweb:TextModerationPlus"
    for region, judged in (("cn-beijing", True), ("cn-hongkong", False), ("ap-southeast-1", False)):
        found = record_stack("alicloud-dev", {"alicloud:region": region})
        actions = [action for each in read_policy(found) for action in each["Action"]]
        assert (moderating in actions) is judged, region


def test_nobody_reaches_a_host_without_a_domain_and_it_calls_only_what_it_must() -> None:
    rules = [each.props for each in record_stack("alicloud-dev").of("alicloud:ecs/securityGroupRule:SecurityGroupRule")]
    assert not [each for each in rules if each["type"] == "ingress"]
    assert {
        (each["cidrIp"], each["ipProtocol"], each["portRange"]) for each in rules if each["policy"] == "accept"
    } == {
        ("0.0.0.0/0", "tcp", "443/443"),
        ("100.64.0.0/10", "tcp", "53/53"),
        ("100.64.0.0/10", "tcp", "80/80"),
        ("100.64.0.0/10", "udp", "53/53"),
        ("100.64.0.0/10", "udp", "123/123"),
    }
    (last,) = [each for each in rules if each["policy"] == "drop"]
    assert (last["ipProtocol"], last["priority"]) == ("all", 100)
    assert all(each["priority"] < last["priority"] for each in rules if each is not last)
    open_ = record_stack("alicloud-dev", {"reme-cloud:domain": "a.example.com"})
    ports = [each.props["portRange"] for each in open_.of("alicloud:ecs/securityGroupRule:SecurityGroupRule")
             if each.props["type"] == "ingress"]  # fmt: skip
    assert sorted(ports) == ["443/443", "80/80"]


def test_the_user_data_fit_and_hold_no_secret() -> None:
    for stack in ("alicloud-dev", "alicloud-team"):
        made = record_stack(stack, {"reme-cloud:domain": "a.example.com"}).one("alicloud:ecs/instance:Instance")
        assert "userData" not in made.secret
        assert 1000 < len(made.props["userData"]) * 3 / 4 < 32_768


def test_a_stored_key_of_the_service_is_no_plain_secret_for_the_policies() -> None:
    """The recorder's passwords look like none: with a real one in its place the rule must know the place."""
    real = {"value": f"rk_{'0123456789abcdef' * 2}"}
    graph = read_recording(record_stack("alicloud-dev"), "alicloud-dev", "cn-beijing")
    spoiled = build_graph(
        "alicloud-dev",
        (replace(each, inputs={**each.inputs, **real}) if each.type == PARAMETER else each for each in graph),
    )
    said = {each.rule for each in judge(spoiled, PolicySettings(environment="dev"))}
    assert "no-plain-secrets" not in said


def test_a_mirror_takes_the_place_of_docker_hub_and_keeps_the_digest() -> None:
    hub = find_image("qdrant")
    assert find_image("qdrant", "hub.example.com/copies") == hub.replace("docker.io/", "hub.example.com/copies/")
    plain, mirrored = (
        record_stack("alicloud-team", {"reme-cloud:service": service}).one("alicloud:ecs/instance:Instance")
        for service in ({}, {"image_mirror": "hub.example.com/copies"})
    )
    assert plain.props["userData"] != mirrored.props["userData"]
    with pytest.raises(InvalidStack, match="image_mirror"):
        record_stack("alicloud-team", {"reme-cloud:service": {"image_mirror": "https://hub.example.com"}})


def test_keys_of_ones_own_are_said_to_be_paid_beside_the_bill() -> None:
    said = record_stack("alicloud-dev", OWN_KEYS).outputs["warnings"]
    (beside,) = [each for each in said if "paid beside" in each]
    assert OWN_KEYS["reme-cloud:key-instance-id"] in beside
    assert not [each for each in record_stack("alicloud-dev").outputs["warnings"] if "paid beside" in each]

"""The single host on Alibaba Cloud: closed but for its clients, its data apart from it, its role no wider than needed."""

import base64
import json
from dataclasses import replace
from typing import Any

import pulumi
import pytest

from infra.alicloud import roles
from infra.alicloud.host import HostArgs, ServiceHost
from infra.alicloud.images import HOST_IMAGES
from infra.alicloud.machines import DISK_CATEGORY, DISK_LEVEL, is_burstable
from infra.errors import InvalidStack
from infra.tables import read_table
from infra.tagging import Tags
from sizing.plan import ComputeSpec
from tests.infra.recorder import Recording, record
from tests.infra.service.plans import PERSONAL, plan_region

TAGS = Tags(environment="dev", stack="alicloud-dev", more={})
SPEC = plan_region(**PERSONAL, clouds=["alicloud"]).compute
CLIENTS = ("192.0.2.0/24", "198.51.100.7/32")
KEY = {"kms_key_id": "key-1", "kms_key_arn": "acs:kms:cn-beijing:123456789012:key/key-1"}
INSTANCE, DISK = "alicloud:ecs/instance:Instance", "alicloud:ecs/ecsDisk:EcsDisk"
ADDRESS = "alicloud:ecs/eipAddress:EipAddress"


def write_user_data(volume_id: pulumi.Output[str]) -> pulumi.Output[str]:
    return volume_id.apply(lambda each: base64.b64encode(each.encode()).decode())


def build(spec: ComputeSpec = SPEC, /, **change: Any) -> Recording:
    values: dict[str, Any] = {
        "spec": spec,
        "vpc_id": "vpc-1",
        "cidr": "10.20.0.0/16",
        "subnet_id": "vsw-1",
        "zone_name": "cn-beijing-h",
        "write_user_data": write_user_data,
        "tags": TAGS,
        "protect": True,
        "keeps_copies": True,
        "secret_arns": ["acs:oos:cn-beijing:123456789012:secretparameter/reme-cloud/admin"],
        "release_bucket_arns": ["acs:oss:*:123456789012:releases"],
        "dump_bucket_arns": ["acs:oss:*:123456789012:dumps"],
    }

    def program() -> None:
        ServiceHost("host", HostArgs(**{**values, **change}))

    return record(program, region="cn-beijing", config={"alicloud:region": "cn-beijing"})


def list_openings(found: Recording, direction: str) -> set[tuple[str, str, str]]:
    rules = [each.props for each in found.of("alicloud:ecs/securityGroupRule:SecurityGroupRule")]
    chosen = [each for each in rules if each["type"] == direction and each["policy"] == "accept"]
    return {(each["ipProtocol"], each["cidrIp"], each["portRange"]) for each in chosen}


def test_only_named_clients_get_in_and_nobody_without_a_domain() -> None:
    assert list_openings(build(allowed_cidrs=CLIENTS), "ingress") == {
        ("tcp", cidr, port) for cidr in CLIENTS for port in ("80/80", "443/443")
    }
    assert list_openings(build(), "ingress") == set()


def test_calls_go_out_by_https_to_the_cloud_and_to_the_stores_inside() -> None:
    outside = {each for each in list_openings(build(), "egress") if not each[1].startswith("100.64.")}
    assert outside == {("tcp", "0.0.0.0/0", "443/443")}
    assert ("tcp", "10.20.0.0/16", "5433/5433") in list_openings(build(inner_ports=(5433,)), "egress")


def test_the_instance_is_the_plan_s_with_tokens_and_no_password() -> None:
    made = build().one(INSTANCE).props
    assert made["instanceType"] == SPEC.instance_class
    assert (made["httpEndpoint"], made["httpTokens"]) == ("enabled", "required")
    assert made["maintenanceAction"] == "AutoRecover"
    assert made["passwordInherit"] is False
    assert not {"password", "kmsEncryptedPassword", "keyName", "roleName"} & made.keys()
    assert (made["instanceChargeType"], made["spotStrategy"]) == ("PostPaid", "NoSpot")


@pytest.mark.parametrize("key", [{}, KEY])
def test_both_disks_are_encrypted_as_large_as_the_plan_and_as_billed(key: dict[str, str]) -> None:
    found = build(SPEC, **key)
    system, data = found.one(INSTANCE).props, found.one(DISK).props
    assert (system["systemDiskEncrypted"], data["encrypted"]) == (True, True)
    assert (system["systemDiskSize"], data["size"]) == (SPEC.root_disk_gb, SPEC.data_disk_gb)
    assert {system["systemDiskCategory"], data["category"]} == {DISK_CATEGORY}
    assert {system["systemDiskPerformanceLevel"], data["performanceLevel"]} == {DISK_LEVEL}
    assert (system.get("systemDiskKmsKeyId"), data.get("kmsKeyId")) == (key.get("kms_key_id"), key.get("kms_key_id"))
    assert data["zoneId"] == "cn-beijing-h"


def test_data_lie_on_a_protected_disk_that_outlives_the_instance_and_the_stack() -> None:
    found = build()
    disk = found.one(DISK)
    assert disk.protect
    assert disk.retain
    assert (disk.props["deleteWithInstance"], disk.props["deleteAutoSnapshot"]) == (False, False)
    attachment = found.one("alicloud:ecs/ecsDiskAttachment:EcsDiskAttachment").props
    assert (attachment["diskId"], attachment["instanceId"]) == ("d-host-data", "i-host-instance")
    assert attachment["deleteWithInstance"] is False
    lifted = build(protect=False, keeps_copies=False).one(DISK)
    assert (lifted.protect, lifted.retain, lifted.props["deleteAutoSnapshot"]) == (False, False, True)


@pytest.mark.parametrize("protect", [True, False])
def test_a_protected_host_cannot_be_deleted_by_the_stack_nor_in_the_console(protect: bool) -> None:
    found = build(protect=protect)
    for type_ in (INSTANCE, ADDRESS):
        made = found.one(type_)
        assert (made.protect, made.props["deletionProtection"]) == (protect, protect)


def test_a_newer_image_changes_nothing_and_a_pinned_one_is_kept_to() -> None:
    newest = build().one(INSTANCE)
    assert newest.ignored == ("imageId",)
    assert newest.props["imageId"].startswith(HOST_IMAGES["x86_64"])
    assert base64.b64decode(newest.props["userData"]) == b"d-host-data"
    pinned = build(image_id="m-1").one(INSTANCE)
    assert (pinned.props["imageId"], pinned.ignored) == ("m-1", ())


def test_a_gpu_needs_an_image_with_its_driver() -> None:
    gpu = replace(SPEC, instance_class="ecs.gn6i-c4g1.xlarge", gpu="T4 16 GB")
    with pytest.raises(InvalidStack, match=r"service\.machine_image is ''.*NVIDIA's driver for T4"):
        build(gpu)
    assert build(gpu, image_id="m-1").one(INSTANCE).props["imageId"] == "m-1"


@pytest.mark.parametrize(("name", "burstable"), [("ecs.t6-c1m2.large", True), ("ecs.g7.large", False)])
def test_burstable_classes_never_run_up_credits(name: str, burstable: bool) -> None:
    assert is_burstable(name) is burstable
    made = build(replace(SPEC, instance_class=name)).one(INSTANCE).props
    assert made.get("creditSpecification") == ("Standard" if burstable else None)


def test_the_role_is_the_machine_s_and_names_actions_and_resources() -> None:
    found = build()
    attached = found.one("alicloud:ecs/ramRoleAttachment:RamRoleAttachment").props
    role = found.one("alicloud:ram/role:Role").props
    assert (attached["instanceId"], attached["ramRoleName"]) == ("i-host-instance", role["roleName"])
    assert json.loads(role["assumeRolePolicyDocument"])["Statement"][0]["Principal"] == {
        "Service": ["ecs.aliyuncs.com"]
    }
    statements = json.loads(found.one("alicloud:ram/policy:Policy").props["policyDocument"])["Statement"]
    for statement in statements:
        assert not [action for action in statement["Action"] if "*" in action]
        assert "*" not in statement["Resource"]
    allowed = {tuple(each["Action"]): each["Resource"] for each in statements}
    assert allowed["oos:GetSecretParameter",] == ["acs:oos:cn-beijing:123456789012:secretparameter/reme-cloud/admin"]
    assert allowed["oss:GetObject",] == ["acs:oss:*:123456789012:releases/*"]
    assert allowed["oss:PutObject",] == ["acs:oss:*:123456789012:dumps/*"]


def test_what_a_stack_adds_to_the_role_changes_its_policy_alone() -> None:
    usual, judging = build(), build(statements=roles.judge_texts())
    document = "alicloud:ram/policy:Policy"
    added = json.loads(judging.one(document).props["policyDocument"])["Statement"]
    assert added[:-1] == json.loads(usual.one(document).props["policyDocument"])["Statement"]
    assert added[-1] == {"Effect": "Allow", "Action": ["yundun-greenweb:TextModerationPlus"], "Resource": ["*"]}
    others = [{each.name: each.props for each in found if each.type != document} for found in (usual, judging)]
    assert others[0] == others[1]


def test_the_address_belongs_to_the_instance_is_paid_by_traffic_and_every_part_is_the_host_s() -> None:
    found = build()
    address = found.one(ADDRESS).props
    assert (address["internetChargeType"], address["paymentType"]) == ("PayByTraffic", "PayAsYouGo")
    bound = found.one("alicloud:ecs/eipAssociation:EipAssociation").props
    assert bound["instanceId"] == "i-host-instance"
    assert all("reme:alicloud:ServiceHost" in each.parent for each in found if each.custom)


def test_values_are_those_of_the_provider_s_pages() -> None:
    known = {(row["kind"], row["value"]) for row in read_table("alicloud_facts_host.csv")}
    assert ("instance class", SPEC.instance_class) in known
    found = build(replace(SPEC, instance_class="ecs.t6-c1m2.large"))
    instance, disk, address = (found.one(type_).props for type_ in (INSTANCE, DISK, ADDRESS))
    used = {
        ("disk category", disk["category"]),
        ("disk category", instance["systemDiskCategory"]),
        ("disk level", disk["performanceLevel"]),
        ("disk resizing", disk["type"]),
        ("charge of an instance", instance["instanceChargeType"]),
        ("spot strategy", instance["spotStrategy"]),
        ("credits", instance["creditSpecification"]),
        ("maintenance action", instance["maintenanceAction"]),
        ("metadata tokens", instance["httpTokens"]),
        ("metadata access", instance["httpEndpoint"]),
        ("charge of an address", address["paymentType"]),
        ("charge of traffic", address["internetChargeType"]),
        *(("image prefix", prefix) for prefix in HOST_IMAGES.values()),
    }
    assert used <= known
    limits = {row["kind"]: int(row["value"]) for row in read_table("alicloud_facts_host.csv") if "limit" in row["kind"]}
    assert limits["least disk limit gb"] <= min(disk["size"], instance["systemDiskSize"])
    assert int(address["bandwidth"]) <= limits["address bandwidth limit mbps"]

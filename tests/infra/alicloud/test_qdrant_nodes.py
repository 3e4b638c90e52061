"""Qdrant's nodes on Alibaba Cloud: in different zones at fixed addresses, closed, each with a disk that stays."""

import base64
import json
from dataclasses import fields, replace
from typing import Any

import pulumi
import pytest

from infra.alicloud.images import HOST_IMAGES
from infra.alicloud.qdrant_access import SET_ONCE
from infra.alicloud.qdrant_nodes import RESERVED, QdrantNodes, QdrantNodesArgs
from infra.facts import SNAPSHOTS_PREFIX
from infra.service.machine import UNWRITTEN
from infra.service.qdrant_start import QdrantNode
from infra.tables import read_table
from infra.tagging import Tags
from infra.vector_nodes import NodeStart, NodeSubnet, place_nodes
from tests.infra.recorder import Recording, record
from tests.infra.service.plans import COMPANY, plan_region

PLAN = plan_region(**COMPANY, clouds=["alicloud"])
SPEC = PLAN.vector_store
TAGS = Tags(environment="prod", stack="alicloud-prod", more={})
CIDRS = ("10.20.64.0/20", "10.20.80.0/20")
ACCOUNT = "123456789012"
SECRET = f"acs:oos:cn-hangzhou:{ACCOUNT}:secretparameter/reme-cloud/alicloud-prod/qdrant"
AUTHORITY = [
    f"acs:oos:cn-hangzhou:{ACCOUNT}:secretparameter/reme-cloud/alicloud-prod/vector-authority-{part}"
    for part in ("certificate", "key")
]
KEY = {
    "kms_key_id": "key-1",
    "kms_key_arn": f"acs:kms:cn-hangzhou:{ACCOUNT}:key/key-1",
    "key_instance_id": "kst-1",
}
INSTANCE, DISK = "alicloud:ecs/instance:Instance", "alicloud:ecs/ecsDisk:EcsDisk"
PARAMETER, RULE = "alicloud:oos/secretParameter:SecretParameter", "alicloud:ecs/securityGroupRule:SecurityGroupRule"
RECORD, ZONE = "alicloud:pvtz/zoneRecord:ZoneRecord", "alicloud:pvtz/zone:Zone"


def write_user_data(start: NodeStart) -> pulumi.Output[str]:
    told = pulumi.Output.concat(start.place.name, " ", start.place.address, " ", start.volume_id, " ", start.first_name)
    return told.apply(lambda each: base64.b64encode(each.encode()).decode())


def build(nodes: int = SPEC.nodes, /, **change: Any) -> Recording:
    values: dict[str, Any] = {
        "spec": replace(SPEC, nodes=nodes),
        "region": "cn-hangzhou",
        "account": ACCOUNT,
        "vpc_id": "vpc-1",
        "cidr": "10.20.0.0/16",
        "subnets": [
            NodeSubnet(id=f"vsw-{number}", cidr=cidr, zone_name=f"cn-hangzhou-{'hi'[number]}")
            for number, cidr in enumerate(CIDRS)
        ],
        "client_cidrs": CIDRS,
        "write_user_data": write_user_data,
        "secret_arns": [SECRET],
        "snapshot_bucket_arn": f"acs:oss:*:{ACCOUNT}:dumps",
        "root_disk_gb": PLAN.compute.root_disk_gb,
        "tags": TAGS,
        "protect": True,
        "keeps_copies": True,
    }

    def program() -> None:
        made = QdrantNodes("vectors", QdrantNodesArgs(**{**values, **change}))
        pulumi.export("url", made.url)
        pulumi.export("disks", pulumi.Output.all(*made.disk_ids))
        pulumi.export("instances", pulumi.Output.all(*made.instance_ids))
        pulumi.export("authority", made.authority_certificate_arn)

    return record(program, region="cn-hangzhou", config={"alicloud:region": "cn-hangzhou"})


@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_nodes_stand_in_different_zones_at_addresses_known_before(nodes: int) -> None:
    instances = build(nodes).of(INSTANCE)
    addresses = {each.name: (each.props["vswitchId"], each.props["privateIp"]) for each in instances}
    all_places = {
        "vectors-1": ("vsw-0", "10.20.79.252"),
        "vectors-2": ("vsw-1", "10.20.95.251"),
        "vectors-3": ("vsw-0", "10.20.79.250"),
    }
    assert addresses == dict(list(all_places.items())[:nodes])
    for instance, place in zip(instances, place_nodes(nodes, CIDRS, reserved=RESERVED), strict=True):
        told = base64.b64decode(instance.props["userData"]).decode()
        assert told == f"{place.name} {place.address} d-{instance.name}-data qdrant-1.reme.internal"


def test_names_in_the_private_zone_lead_to_the_nodes() -> None:
    found = build()
    assert found.one(ZONE).props["zoneName"] == "reme.internal"
    bound = found.one("alicloud:pvtz/zoneAttachment:ZoneAttachment").props
    assert (bound["zoneId"], bound["vpcIds"]) == ("vectors-zone-id", ["vpc-1"])
    records = sorted((each.props["rr"], each.props["type"], each.props["value"]) for each in found.of(RECORD))
    assert records == [
        ("qdrant", "A", "10.20.79.252"),
        ("qdrant", "A", "10.20.95.251"),
        ("qdrant-1", "A", "10.20.79.252"),
        ("qdrant-2", "A", "10.20.95.251"),
    ]
    assert found.outputs["url"] == "https://qdrant.reme.internal:6333"


@pytest.mark.parametrize("key", [{}, KEY])
def test_each_node_has_an_encrypted_disk_of_the_plan_s_size_that_outlives_it(key: dict[str, str]) -> None:
    found = build(**key)
    disks = found.of(DISK)
    assert [each.props["zoneId"] for each in disks] == ["cn-hangzhou-h", "cn-hangzhou-i"]
    for disk in disks:
        assert (disk.protect, disk.retain, disk.props["deleteAutoSnapshot"]) == (True, True, False)
        assert (disk.props["size"], disk.props["encrypted"]) == (SPEC.disk_gb, True)
        assert disk.props.get("kmsKeyId") == key.get("kms_key_id")
    attached = {
        each.props["diskId"]: each.props["instanceId"]
        for each in found.of("alicloud:ecs/ecsDiskAttachment:EcsDiskAttachment")
    }
    assert attached == {f"d-vectors-{number}-data": f"i-vectors-{number}" for number in (1, 2)}
    assert found.outputs["disks"] == ["d-vectors-1-data", "d-vectors-2-data"]
    assert found.outputs["instances"] == ["i-vectors-1", "i-vectors-2"]


@pytest.mark.parametrize("protect", [True, False])
def test_instances_are_the_plan_s_and_closed(protect: bool) -> None:
    for instance in build(protect=protect).of(INSTANCE):
        props = instance.props
        assert props["instanceType"] == SPEC.instance_class
        assert (props["systemDiskEncrypted"], props["systemDiskSize"]) == (True, PLAN.compute.root_disk_gb)
        assert (props["httpTokens"], props["maintenanceAction"]) == ("required", "AutoRecover")
        assert (instance.protect, props["deletionProtection"]) == (protect, protect)
        assert props["imageId"].startswith(HOST_IMAGES["x86_64"])
        assert instance.ignored == ("imageId",)
        assert not {"password", "keyName", "internetMaxBandwidthOut", "allocatePublicIp"} & props.keys()


def test_a_pinned_image_is_kept_to() -> None:
    assert {(each.props["imageId"], each.ignored) for each in build(image_id="m-1").of(INSTANCE)} == {("m-1", ())}


def test_the_service_reaches_its_ports_and_nodes_reach_each_other() -> None:
    accepted = [each.props for each in build().of(RULE) if each.props["policy"] == "accept"]
    inward = {
        (each.get("cidrIp") or each["sourceSecurityGroupId"], each["portRange"])
        for each in accepted
        if each["type"] == "ingress"
    }
    assert inward == {
        *((cidr, f"{port}/{port}") for cidr in CIDRS for port in (6333, 6334)),
        ("vectors-group-id", "6335/6335"),
    }
    outward = {
        (each["cidrIp"], each["portRange"])
        for each in accepted
        if each["type"] == "egress" and not each["cidrIp"].startswith("100.64.")
    }
    assert outward == {("0.0.0.0/0", "443/443"), ("10.20.0.0/16", "6335/6335")}


def list_rights(found: Recording, role: str) -> dict[str, list[str]]:
    policy = found.one("alicloud:ram/policy:Policy", f"vectors-{role}-role-policy").props["policyDocument"]
    return {action: each["Resource"] for each in json.loads(policy)["Statement"] for action in each["Action"]}


def test_nodes_read_their_secrets_and_the_first_one_founds_the_cluster() -> None:
    found = build(3)
    beneath = [each.replace("acs:oos", "acs:kms").replace("parameter/", "/oos/") for each in [SECRET, *AUTHORITY]]
    for role in ("first", "other"):
        rights = list_rights(found, role)
        assert rights["oos:GetSecretParameter"] == [SECRET, *AUTHORITY]
        assert rights["kms:GetSecretValue"] == beneath
        assert rights["oss:PutObject"] == [f"acs:oss:*:{ACCOUNT}:dumps/{SNAPSHOTS_PREFIX}/*"]
        assert not any(action in rights for action in ("oss:GetObject", "oss:DeleteObject"))
    assert list_rights(found, "first")["oos:UpdateSecretParameter"] == AUTHORITY
    assert list_rights(found, "first")["kms:PutSecretValue"] == beneath[1:]
    assert not {"oos:UpdateSecretParameter", "kms:PutSecretValue"} & list_rights(found, "other").keys()
    roles = {each.name: each.props["roleName"] for each in found.of("alicloud:ram/role:Role")}
    carried = {
        each.props["instanceId"]: each.props["ramRoleName"]
        for each in found.of("alicloud:ecs/ramRoleAttachment:RamRoleAttachment")
    }
    first, other = roles["vectors-first-role"], roles["vectors-other-role"]
    assert carried == {"i-vectors-1": first, "i-vectors-2": other, "i-vectors-3": other}


def test_one_node_has_one_role_and_a_key_of_ours_may_be_used() -> None:
    found = build(1, **KEY)
    assert [each.name for each in found.of("alicloud:ram/role:Role")] == ["vectors-first-role"]
    assert list_rights(found, "first")["kms:Decrypt"] == [KEY["kms_key_arn"]]


def test_the_authority_is_made_by_the_nodes_and_pulumi_never_writes_over_it() -> None:
    found = build(**KEY)
    parameters = found.of(PARAMETER)
    assert [each.props["value"] for each in parameters] == [UNWRITTEN] * 2
    for each in parameters:
        assert set(each.ignored) == set(SET_ONCE)
        assert (each.protect, each.retain) == (True, True)
        assert (each.props["keyId"], each.props["dkmsInstanceId"]) == ("key-1", "kst-1")
        assert "value" in each.secret
    assert found.outputs["authority"] == AUTHORITY[0]


def test_what_the_provider_could_change_of_a_parameter_is_left_alone() -> None:
    """Its update sends the value with whatever else it changes."""
    made = build(**KEY).of(PARAMETER)[0].props
    assert set(made) - {"secretParameterName", "type"} == set(SET_ONCE)


def test_nodes_put_snapshots_where_their_role_lets_them() -> None:
    assert {each.name: each.default for each in fields(QdrantNode)}["bucket_prefix"] == SNAPSHOTS_PREFIX


def test_every_part_is_the_component_s_and_tagged() -> None:
    for each in build():
        if each.custom:
            assert "reme:alicloud:QdrantNodes" in each.parent
        if "tags" in each.props:
            assert each.props["tags"]["component"] == "vector-store"


def test_values_are_those_of_the_provider_s_pages() -> None:
    rows = read_table("alicloud_facts_vectors.csv")
    known = {(row["kind"], row["value"]) for row in rows}
    assert ("reserved addresses at the end", str(RESERVED)) in known
    found = build()
    used = {("record type", each.props["type"]) for each in found.of(RECORD)}
    used |= {("record ttl s", str(int(each.props["ttl"]))) for each in found.of(RECORD)}
    used |= {("instance class", each.props["instanceType"]) for each in found.of(INSTANCE)}
    used |= {("disk category", each.props["category"]) for each in found.of(DISK)}
    used |= {("disk level", each.props["performanceLevel"]) for each in found.of(DISK)}
    actions = list_rights(found, "first").keys()
    used |= {("secret action", each) for each in actions if "ecret" in each}
    assert used <= known
    limits = {row["kind"]: int(row["value"]) for row in rows if "limit" in row["kind"]}
    assert len(found.of(RECORD)) <= limits["records of a billed zone limit"]
    assert all(each.props["size"] >= limits["least disk limit gb"] for each in found.of(DISK))
    assert all(len(each.props["value"]) <= limits["secret value limit"] for each in found.of(PARAMETER))

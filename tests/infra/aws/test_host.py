"""The single host: closed but for its clients, its data apart from it, and its role no wider than it must be."""

import base64
import json
from dataclasses import replace
from typing import Any

import pulumi
import pytest

from infra.aws.host import HostArgs, ServiceHost, is_burstable
from infra.aws.roles import UNSCOPED_ACTIONS
from infra.tagging import Tags
from sizing.plan import ComputeSpec
from tests.infra.recorder import Recording, record
from tests.infra.service.plans import PERSONAL, plan_region

TAGS = Tags(environment="dev", stack="aws-dev", more={})
SPEC = plan_region(**PERSONAL).compute
CLIENTS = ("192.0.2.0/24", "198.51.100.7/32")


def write_user_data(volume_id: pulumi.Output[str]) -> pulumi.Output[str]:
    return volume_id.apply(lambda each: base64.b64encode(each.encode()).decode())


def build(spec: ComputeSpec = SPEC, **change: Any) -> Recording:
    values: dict[str, Any] = {
        "spec": spec,
        "vpc_id": "vpc-1",
        "cidr": "10.20.0.0/16",
        "subnet_id": "subnet-1",
        "zone_name": "us-east-1a",
        "write_user_data": write_user_data,
        "tags": TAGS,
        "protect": True,
        "keeps_copies": True,
        "secret_arns": ["arn:aws:secretsmanager:us-east-1:123456789012:secret:admin"],
        "bucket_arns": ["arn:aws:s3:::dumps"],
        "release_bucket_arns": ["arn:aws:s3:::releases"],
        "log_group_arns": ["arn:aws:logs:us-east-1:123456789012:log-group:reme"],
        "kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/k",
    }

    def program() -> None:
        ServiceHost("host", HostArgs(**{**values, **change}))

    return record(program)


def list_openings(found: Recording, direction: str) -> list[tuple[str, float]]:
    type_ = f"aws:vpc/securityGroup{direction}Rule:SecurityGroup{direction}Rule"
    assert all(each.props["fromPort"] == each.props["toPort"] for each in found.of(type_))
    return [(each.props["cidrIpv4"], each.props["fromPort"]) for each in found.of(type_)]


def test_only_named_clients_get_in_and_nobody_without_a_domain() -> None:
    assert sorted(list_openings(build(allowed_cidrs=CLIENTS), "Ingress")) == [
        (cidr, port) for cidr in CLIENTS for port in (80, 443)
    ]
    assert list_openings(build(), "Ingress") == []


def test_calls_go_out_by_https_and_to_the_stores_inside() -> None:
    assert list_openings(build(), "Egress") == [("0.0.0.0/0", 443)]
    assert list_openings(build(inner_ports=(5433, 5433)), "Egress") == [("0.0.0.0/0", 443), ("10.20.0.0/16", 5433)]


def test_the_instance_is_the_plan_s_with_session_tokens_and_encrypted_disks() -> None:
    made = build().one("aws:ec2/instance:Instance")
    assert made.props["instanceType"] == SPEC.instance_class
    assert made.props["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "httpPutResponseHopLimit": 1,
    }
    disk = made.props["rootBlockDevice"]
    assert (disk["encrypted"], disk["volumeSize"], disk["volumeType"]) == (True, SPEC.root_disk_gb, "gp3")
    assert made.props["maintenanceOptions"] == {"autoRecovery": "default"}
    assert "keyName" not in made.props


def test_data_lies_on_a_protected_volume_that_outlives_the_instance() -> None:
    found = build()
    volume = found.one("aws:ebs/volume:Volume")
    assert volume.protect
    assert volume.props["finalSnapshot"] is True
    for keeps_copies in (True, False):
        unprotected = build(protect=False, keeps_copies=keeps_copies).one("aws:ebs/volume:Volume")
        assert (unprotected.protect, unprotected.props["finalSnapshot"]) == (False, keeps_copies)
    assert (volume.props["size"], volume.props["iops"]) == (SPEC.data_disk_gb, SPEC.disk_iops)
    assert volume.props["encrypted"] is True
    assert volume.props["availabilityZone"] == "us-east-1a"
    attachment = found.one("aws:ec2/volumeAttachment:VolumeAttachment").props
    assert (attachment["volumeId"], attachment["instanceId"]) == ("vol-host-data", "i-host-instance")


def test_other_user_data_replace_the_instance_and_a_newer_image_does_not() -> None:
    made = build().one("aws:ec2/instance:Instance")
    assert made.ignored == ("ami",)
    assert made.props["userDataReplaceOnChange"] is True, "a machine reads them at its first start alone"
    assert base64.b64decode(made.props["userDataBase64"]) == b"vol-host-data"
    assert "ami" not in made.secret


def test_an_image_can_be_pinned_and_another_one_replaces_the_instance() -> None:
    made = build(image_id="ami-1").one("aws:ec2/instance:Instance")
    assert (made.props["ami"], made.ignored) == ("ami-1", ())


@pytest.mark.parametrize(("name", "burstable"), [("t3.medium", True), ("t4g.large", True), ("c6i.large", False)])
def test_burstable_classes_never_run_up_credits(name: str, burstable: bool) -> None:
    assert is_burstable(name) is burstable
    made = build(replace(SPEC, instance_class=name)).one("aws:ec2/instance:Instance").props
    assert made.get("creditSpecification") == ({"cpuCredits": "standard"} if burstable else None)


def test_the_role_names_actions_and_resources() -> None:
    statements = json.loads(build().one("aws:iam/rolePolicy:RolePolicy").props["policy"])["Statement"]
    for statement in statements:
        assert not [action for action in statement["Action"] if "*" in action]
        if "*" in statement["Resource"]:
            assert set(statement["Action"]) <= UNSCOPED_ACTIONS
    by_name = {each["Sid"]: each["Resource"] for each in statements}
    assert by_name["ReadSecrets"] == ["arn:aws:secretsmanager:us-east-1:123456789012:secret:admin"]
    assert by_name["UseObjects"] == ["arn:aws:s3:::dumps/*"]
    assert by_name["ReadObjects"] == ["arn:aws:s3:::releases/*"]
    assert by_name["UseKey"] == ["arn:aws:kms:us-east-1:123456789012:key/k"]


def test_the_address_and_the_volume_belong_to_the_instance_and_every_part_to_the_host() -> None:
    found = build()
    assert found.one("aws:ec2/eip:Eip").props["instance"] == "i-host-instance"
    assert all("reme:aws:ServiceHost" in each.parent for each in found if each.custom)

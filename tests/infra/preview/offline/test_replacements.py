"""The tables of what replaces a resource: against the clouds' documentation, and against Terraform's real provider."""

import json
import os
import subprocess
from collections.abc import Mapping

import pytest

from infra.preview.offline.differences import compare
from infra.preview.offline.replacements import judge, knows_type
from infra.preview.offline.sdk import find_sdk, nested_fields
from tests.emulated_aws.stage import ROOT, find_provider
from tests.infra.preview.offline.calls import PLACES
from tests.servers.installation import PLACE, ServerMissing
from tests.servers.waiting import PATIENCE_S

FORCING = {
    "aws:ec2/vpc:Vpc": ("cidrBlock", "instanceTenancy", "region"),
    "aws:ec2/subnet:Subnet": ("cidrBlock", "vpcId", "availabilityZone"),
    "aws:ec2/securityGroup:SecurityGroup": ("vpcId", "description", "name"),
    "aws:ec2/instance:Instance": ("ami", "subnetId", "availabilityZone", "rootBlockDevice.encrypted"),
    "aws:ebs/volume:Volume": ("availabilityZone", "encrypted", "kmsKeyId", "snapshotId"),
    "aws:rds/instance:Instance": ("engine", "username", "dbName", "storageEncrypted", "kmsKeyId"),
    "aws:elasticache/replicationGroup:ReplicationGroup": ("replicationGroupId", "subnetGroupName", "port"),
    "aws:lb/targetGroup:TargetGroup": ("vpcId", "port", "protocol", "targetType", "name"),
    "aws:lb/loadBalancer:LoadBalancer": ("internal", "name", "loadBalancerType"),
    "aws:sqs/queue:Queue": ("name", "fifoQueue"),
    "aws:dynamodb/table:Table": ("name",),
    "aws:s3/bucket:Bucket": ("bucket",),
    "aws:ecs/service:Service": ("cluster", "launchType", "name", "schedulingStrategy"),
    "aws:iam/role:Role": ("name", "path"),
    "aws:sns/topic:Topic": ("name", "fifoTopic"),
    "aws:opensearch/domain:Domain": ("domainName",),
    "alicloud:vpc/switch:Switch": ("cidrBlock", "vpcId", "zoneId"),
    "alicloud:ecs/instance:Instance": ("availabilityZone", "systemDiskCategory", "dataDisks[*].category"),
    "alicloud:rds/instance:Instance": ("engine", "vpcId"),
}
"""Properties that the documentation of the clouds' APIs has no way to change ("Modify…" has no such parameter)."""
CHANGEABLE = {
    "aws:ec2/vpc:Vpc": ("enableDnsHostnames", "tags"),
    "aws:ec2/instance:Instance": ("instanceType", "vpcSecurityGroupIds", "rootBlockDevice.volumeSize"),
    "aws:ebs/volume:Volume": ("size", "iops", "throughput", "type"),
    "aws:rds/instance:Instance": ("instanceClass", "allocatedStorage", "multiAz", "backupRetentionPeriod"),
    "aws:elasticache/replicationGroup:ReplicationGroup": ("nodeType", "numCacheClusters"),
    "aws:lb/targetGroup:TargetGroup": ("deregistrationDelay", "healthCheck.path"),
    "aws:sqs/queue:Queue": ("visibilityTimeoutSeconds",),
    "aws:ecs/service:Service": ("desiredCount", "taskDefinition"),
    "alicloud:ecs/instance:Instance": ("instanceType", "systemDiskSize"),
    "alicloud:vpc/switch:Switch": ("description",),
}
ASKED = {
    "aws_vpc": "aws:ec2/vpc:Vpc",
    "aws_subnet": "aws:ec2/subnet:Subnet",
    "aws_ebs_volume": "aws:ebs/volume:Volume",
    "aws_iam_role": "aws:iam/role:Role",
    "aws_lb_target_group": "aws:lb/targetGroup:TargetGroup",
    "aws_sns_topic": "aws:sns/topic:Topic",
    "aws_sqs_queue": "aws:sqs/queue:Queue",
}


def put(path: str, value: object) -> dict[str, object]:
    """Inputs with a value at a path of the tables."""
    made: object = value
    for step in reversed(path.split(".")):
        made = {step.removesuffix("[*]"): [made] if step.endswith("[*]") else made}
    assert isinstance(made, dict)
    return made


@pytest.mark.parametrize(("type_", "path"), [(type_, path) for type_, paths in FORCING.items() for path in paths])
def test_what_cannot_be_changed_forces(type_: str, path: str) -> None:
    verdict = judge(type_, compare(put(path, "a"), put(path, "b")))
    assert verdict.forcing == {path.replace("[*]", "[0]")}


@pytest.mark.parametrize(("type_", "path"), [(type_, path) for type_, paths in CHANGEABLE.items() for path in paths])
def test_what_can_be_changed_does_not_force(type_: str, path: str) -> None:
    verdict = judge(type_, compare(put(path, "a"), put(path, "b")))
    assert not verdict.forcing
    assert not verdict.unsure


def test_a_type_that_is_not_in_the_tables_is_unsure() -> None:
    assert not knows_type("aws:made/up:Up")
    assert judge("aws:made/up:Up", compare({"a": 1}, {"a": 2})).unsure == {"a"}


def test_the_tables_name_properties_of_the_sdks() -> None:
    for type_, paths in FORCING.items():
        sdk = find_sdk(type_.partition(":")[0], PLACES)
        shape = sdk.resource(type_) if sdk is not None else None
        assert shape is not None, type_
        assert {path.partition(".")[0].removesuffix("[*]") for path in paths} <= shape.inputs.keys()
    sdk = find_sdk("aws", PLACES)
    instance = sdk.resource("aws:ec2/instance:Instance") if sdk is not None else None
    assert instance is not None
    assert "volumeSize" in nested_fields(instance.folder, "InstanceRootBlockDeviceArgs", of="_inputs.py")


@pytest.fixture(scope="module")
def answers() -> Mapping[str, list[str]]:
    """What Terraform's provider answers today."""
    python = PLACE / "aws-plugin" / "bin" / "python"
    try:
        provider = find_provider()
    except ServerMissing as missing:
        pytest.skip(str(missing))
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{PLACE / 'aws-plugin' / 'generated'}",
        # Whatever a plan would ask AWS fails at once.
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    command = [str(python), "-m", "tools.planned_replacements", str(provider), *ASKED]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    found: Mapping[str, list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("asked", ASKED)
def test_the_provider_still_says_so(answers: Mapping[str, list[str]], asked: str) -> None:
    token = ASKED[asked]
    for path in answers[asked]:
        first, *rest = path.split("_")
        name = first + "".join(each.title() for each in rest)
        assert judge(token, compare({name: "a"}, {name: "b"})).forcing == {name}
    expected = {each for each in FORCING.get(token, ()) if each != "region"}
    assert len(answers[asked]) >= len(expected)

"""Resources as Terraform has them: names and forms against the schema of Terraform's provider."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.emulated_aws.tokens import find_type
from tests.infra.checkov.plan_document import write_plan
from tests.infra.checkov.spoils import read_spoils
from tests.infra.checkov.translation import TYPES, Reference, name_type, translate
from tests.infra.recorder import Recorded
from tests.servers.installation import PLACE


def recorded(type_: str, name: str, /, **props: Any) -> Recorded:
    return Recorded(
        urn=name,
        type=type_,
        name=name,
        props=props,
        parent="",
        custom=True,
        protect=False,
        retain=False,
        ignored=(),
        secret=frozenset(),
        provider="",
    )


VPC = recorded("aws:ec2/vpc:Vpc", "network-vpc", cidrBlock="10.0.0.0/16", tags={"managed-by": "pulumi"})


def test_names_blocks_and_maps_are_terraforms() -> None:
    rules = [{"expiration": {"days": 30.0}, "transitions": [{"days": 7}]}]
    lifecycle = recorded("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", "old", rules=rules)
    vpc, found = translate([VPC, lifecycle])
    assert (vpc.address, vpc.values) == (
        "aws_vpc.network-vpc",
        {"cidr_block": "10.0.0.0/16", "tags": {"managed-by": "pulumi"}},
    )
    assert found.values == {"rule": [{"expiration": [{"days": 30}], "transition": [{"days": 7}]}]}


def test_what_another_resource_has_is_a_reference() -> None:
    bucket = recorded("aws:s3/bucket:Bucket", "store")
    group = recorded("aws:ec2/securityGroup:SecurityGroup", "group", vpcId="network-vpc-id", description="of the test")
    policy = recorded("aws:s3/bucketPolicy:BucketPolicy", "policy", bucket="store-1234567", policy="{}")
    log = recorded(
        "aws:ec2/flowLog:FlowLog", "flows", logDestination="arn:aws:s3:::store-1234567", vpcId="vpc-of-others"
    )
    *_, group_, policy_, log_ = translate([VPC, bucket, group, policy, log])
    assert group_.values["vpc_id"] == Reference("aws_vpc.network-vpc.id")
    assert policy_.values["bucket"] == Reference("aws_s3_bucket.store.bucket")
    assert log_.values == {"log_destination": Reference("aws_s3_bucket.store.arn"), "vpc_id": "vpc-of-others"}
    root = write_plan([group_])
    assert root["planned_values"]["root_module"]["resources"][0]["values"] == {"description": "of the test"}
    assert root["configuration"]["root_module"]["resources"][0]["expressions"] == {
        "vpc_id": {"references": ["aws_vpc.network-vpc.id", "aws_vpc.network-vpc"]},
        "description": {},
    }


def test_an_ambiguous_name_is_the_one_of_the_property() -> None:
    plan = recorded("aws:backup/plan:Plan", "disks")
    selection = recorded("aws:backup/selection:Selection", "disks", planId="disks-id", name="other")
    assert translate([selection, plan])[0].values["plan_id"] == Reference("aws_backup_plan.disks.id")


@pytest.mark.slow
@pytest.mark.xdist_group("checkov")
def test_the_types_are_those_in_use(stacks: dict[str, tuple[Recorded, ...]]) -> None:
    used = {name_type(each.type) for resources in stacks.values() for each in resources if each.custom}
    spoiled = {name_type(spoil["type"]) for spoil in read_spoils().values()}
    assert (used | spoiled) - {""} == TYPES


@pytest.mark.slow
@pytest.mark.xdist_group("checkov")
def test_every_name_and_form_of_the_stacks_is_in_the_providers_schema(stacks: dict[str, tuple[Recorded, ...]]) -> None:
    schemas = _read_schemas(PLACE / "aws-plugin" / "terraform")
    assert set(schemas) >= TYPES
    recorded_types = {each.type for resources in stacks.values() for each in resources if name_type(each.type)}
    assert {type_: name_type(type_) for type_ in recorded_types} == {
        type_: find_type(type_, schemas) for type_ in recorded_types
    }
    found = [each for resources in stacks.values() for each in translate(resources)]
    wrong = {fault for each in found for fault in _list_faults(each.type, each.values, schemas[each.type]["block"])}
    assert wrong == set()


def _read_schemas(place: Path) -> Mapping[str, Any]:
    if not (place / ".terraform").exists():
        pytest.skip("Terraform's AWS provider is not installed: run `bash tools/install-pulumi.sh`")
    command = ["terraform", "providers", "schema", "-json"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=300, check=True)
    providers = json.loads(done.stdout)["provider_schemas"]
    schemas: Mapping[str, Any] = next(each for name, each in providers.items() if name.endswith("/aws"))[
        "resource_schemas"
    ]
    return schemas


def _list_faults(path: str, values: Mapping[str, Any], block: Mapping[str, Any]) -> Iterator[str]:
    attributes, blocks = block.get("attributes", {}), block.get("block_types", {})
    for name, value in values.items():
        has_blocks = isinstance(value, list) and any(isinstance(each, Mapping) for each in value)
        if name in blocks and has_blocks:
            for each in value:
                yield from _list_faults(f"{path}.{name}", each, blocks[name]["block"])
        elif name not in attributes:
            yield f"{path}.{name} is unknown, or a block that is given as a value"
        elif not isinstance(value, Reference):
            type_ = attributes[name].get("type")
            is_many = isinstance(type_, list) and type_[0] in ("list", "set")
            if isinstance(value, list) != is_many or isinstance(value, Mapping) != (type_[0] == "map"):
                yield f"{path}.{name} is {type_}"

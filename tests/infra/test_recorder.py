"""The recorder itself: what it keeps of a registration, and that no run sees another."""

import pulumi
import pulumi_aws as aws
import pytest

from infra.aws.zones import list_zones
from infra.errors import NotEnoughZones
from tests.infra.recorder import record


def make_network() -> None:
    zones = list_zones(2, "us-east-1")
    vpc = aws.ec2.Vpc("main", cidr_block="10.0.0.0/16", opts=pulumi.ResourceOptions(protect=True))
    aws.ec2.Subnet("one", vpc_id=vpc.id, cidr_block="10.0.0.0/24", availability_zone=zones[1])
    aws.secretsmanager.SecretVersion("word", secret_id=vpc.id, secret_string=pulumi.Output.secret("hidden"))
    pulumi.export("vpc", vpc.id)


def test_a_registration_is_kept_whole() -> None:
    for _ in range(2):
        found = record(make_network)
        assert sorted(each.name for each in found) == ["main", "one", "word"]
        assert found.one("aws:ec2/vpc:Vpc").protect
        assert found.one("aws:ec2/subnet:Subnet").props["availabilityZone"] == "us-east-1b"
        assert found.one("aws:ec2/subnet:Subnet").props["vpcId"] == "main-id"
        assert found.one("aws:secretsmanager/secretVersion:SecretVersion").secret == {"secretString"}
        assert found.outputs == {"vpc": "main-id"}


def test_errors_of_the_program_go_through_and_leave_nothing() -> None:
    def fail() -> None:
        make_network()
        list_zones(4, "eu-west-1")

    with pytest.raises(NotEnoughZones, match="eu-west-1 has 3 zones and the plan needs 4"):
        record(fail)
    assert record(lambda: None).resources == ()

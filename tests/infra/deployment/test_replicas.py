"""Regions told of each other: the peers' buckets, and where those on another cloud are, once they are there."""

import pytest

from infra.deployment.errors import DeploymentError
from infra.deployment.replicas import (
    CALLERS,
    PEERS,
    REPLICAS,
    describe_settings,
    find_callers,
    find_peers,
    find_replicas,
)
from infra.planning import StackPlan
from infra.settings import CallerSettings, PeerSettings, ReplicaSettings
from tests.infra.stacks import plan_recorded
from tests.infra.worlds import ADDRESS, SINGAPORE, WORLD

US, EU, SG = "global-us-east-1", "global-eu-west-1", "global-ap-southeast-1"
KEY = "arn:aws:kms:{}:123456789012:key/data"
OUTPUTS = {
    US: {"bucket": "objects-bucket-us", "bucket_key": KEY.format("us-east-1")},
    EU: {"bucket": "objects-bucket-eu", "bucket_key": KEY.format("eu-west-1")},
}
PLANNED = {name: plan_recorded(name) for name in (US, EU)}


def plan_world() -> dict[str, StackPlan]:
    """The plans of the environment over two clouds."""
    there = {"reme-cloud:cloud": "alicloud", "alicloud:region": "ap-southeast-1", "aws:region": ""}
    return {US: plan_recorded(US, WORLD), EU: plan_recorded(EU, WORLD), SG: plan_recorded(US, WORLD | there)}


def test_each_region_gets_the_others_bucket_and_key() -> None:
    found = find_replicas(PLANNED, OUTPUTS)
    assert {name: set(replicas) for name, replicas in found.items()} == {US: {"eu-west-1"}, EU: {"us-east-1"}}
    assert describe_settings(REPLICAS, found[US], {}) == {
        "reme-cloud:replicas.eu-west-1.bucket_arn": "arn:aws:s3:::objects-bucket-eu",
        "reme-cloud:replicas.eu-west-1.key_arn": KEY.format("eu-west-1"),
    }


def test_what_is_known_already_is_not_said_again() -> None:
    found = find_replicas(PLANNED, OUTPUTS)
    assert describe_settings(REPLICAS, found[US], found[US]) == {}
    other = ReplicaSettings(bucket_arn="arn:aws:s3:::former-bucket")
    assert "reme-cloud:replicas.eu-west-1.bucket_arn" in describe_settings(REPLICAS, found[US], {"eu-west-1": other})


def test_a_region_that_is_not_there_yet_gets_nothing_and_gives_nothing() -> None:
    assert find_replicas(PLANNED, {US: OUTPUTS[US], EU: {}})[US] == {}
    assert find_replicas({US: PLANNED[US]}, {US: OUTPUTS[US]}) == {US: {}}


def test_an_isolated_region_and_a_region_alone_share_nothing() -> None:
    assert plan_recorded("aws-prod").peers == ()
    workload = {
        "users": 5000,
        "clouds": ["aws", "alicloud"],
        "regions": [{"region": "aws:us-east-1"}, {"region": "aws:eu-west-1"}, {"region": "alicloud:cn-beijing"}],
    }
    assert plan_recorded(US, {"reme-cloud:workload": workload}).peers == ("eu-west-1",)


class TestPeersOnAnotherCloud:
    """The first region learns where the others are; nobody else does."""

    def test_the_first_region_is_told_of_the_balancer(self) -> None:
        found = find_peers(plan_world(), {US: {}, EU: {"entrance_address": "elb"}, SG: {"entrance_address": ADDRESS}})
        assert found == {US: {SINGAPORE: PeerSettings(address=ADDRESS)}, EU: {}, SG: {}}
        key = 'reme-cloud:peers["alicloud:ap-southeast-1"].address'
        assert describe_settings(PEERS, found[US], {}) == {key: ADDRESS}
        assert describe_settings(PEERS, found[US], found[US]) == {}

    def test_a_region_that_is_not_there_yet_is_told_of_to_nobody(self) -> None:
        assert find_peers(plan_world(), {US: {}, EU: {}, SG: {"entrance_address": ""}})[US] == {}

    def test_what_is_no_balancer_is_never_written_into_a_file(self) -> None:
        with pytest.raises(DeploymentError, match=r"of alicloud:ap-southeast-1 is 'elsewhere\.example\.com'"):
            find_peers(plan_world(), {SG: {"entrance_address": "elsewhere.example.com"}})


CALLING = {
    US: {"outbound_addresses": ["198.51.100.1", "198.51.100.2"]},
    EU: {"outbound_addresses": ["198.51.100.3"]},
    SG: {"outbound_addresses": ["198.51.100.4", "198.51.100.5", "198.51.100.6"]},
}


class TestWhoCallsFromWhere:
    """Regions on AWS let in the others of their environment, each address by itself."""

    def test_each_region_on_aws_is_told_of_all_others(self) -> None:
        found = find_callers(plan_world(), CALLING)
        assert found[EU] == {
            "aws:us-east-1": CallerSettings(addresses="198.51.100.1,198.51.100.2"),
            SINGAPORE: CallerSettings(addresses="198.51.100.4,198.51.100.5,198.51.100.6"),
        }
        assert found[US].keys() == {"aws:eu-west-1", SINGAPORE} and found[SG] == {}
        told = describe_settings(CALLERS, found[US], {})
        assert told['reme-cloud:callers["aws:eu-west-1"].addresses'] == "198.51.100.3"

    def test_a_region_alone_and_one_that_is_not_there_call_nobody(self) -> None:
        assert find_callers({US: plan_recorded("aws-prod")}, CALLING) == {US: {}}
        assert find_callers(plan_world(), {US: CALLING[US], EU: {"outbound_addresses": []}, SG: {}})[US] == {}

    def test_what_is_no_address_is_never_written_into_a_file(self) -> None:
        with pytest.raises(DeploymentError, match="of aws:eu-west-1 is '0.0.0.0/0', which are no addresses"):
            find_callers(plan_world(), {EU: {"outbound_addresses": ["0.0.0.0/0"]}})

"""Regions told of each other: the peers' buckets, between those that share data, once they are there."""

from infra.deployment.replicas import describe_settings, find_replicas
from infra.settings import ReplicaSettings
from tests.infra.stacks import plan_recorded

US, EU = "global-us-east-1", "global-eu-west-1"
KEY = "arn:aws:kms:{}:123456789012:key/data"
OUTPUTS = {
    US: {"bucket": "objects-bucket-us", "bucket_key": KEY.format("us-east-1")},
    EU: {"bucket": "objects-bucket-eu", "bucket_key": KEY.format("eu-west-1")},
}
PLANNED = {name: plan_recorded(name) for name in (US, EU)}


def test_each_region_gets_the_others_bucket_and_key() -> None:
    found = find_replicas(PLANNED, OUTPUTS)
    assert {name: set(replicas) for name, replicas in found.items()} == {US: {"eu-west-1"}, EU: {"us-east-1"}}
    assert describe_settings(found[US], {}) == {
        "reme-cloud:replicas.eu-west-1.bucket_arn": "arn:aws:s3:::objects-bucket-eu",
        "reme-cloud:replicas.eu-west-1.key_arn": KEY.format("eu-west-1"),
    }


def test_what_is_known_already_is_not_said_again() -> None:
    found = find_replicas(PLANNED, OUTPUTS)
    assert describe_settings(found[US], found[US]) == {}
    other = ReplicaSettings(bucket_arn="arn:aws:s3:::former-bucket")
    assert "reme-cloud:replicas.eu-west-1.bucket_arn" in describe_settings(found[US], {"eu-west-1": other})


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

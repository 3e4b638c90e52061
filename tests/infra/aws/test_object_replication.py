"""Copies of objects: to the named peers alone, under their keys, by a role that can do no more."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from infra.aws.object_replication import REPLICATED
from infra.errors import InvalidStack
from infra.facts import WEIGHTS_PREFIX
from tests.infra.recorder import Recording
from tests.infra.stacks import record_stack

EU, KEY = "arn:aws:s3:::objects-bucket-eu", "arn:aws:kms:eu-west-1:123456789012:key/data"
TYPE = "aws:s3/bucketReplicationConfig:BucketReplicationConfig"


def deploy(replicas: Mapping[str, Any], stack: str = "global-us-east-1") -> Recording:
    return record_stack(stack, {"reme-cloud:replicas": replicas})


@pytest.fixture(scope="module")
def made() -> Recording:
    return deploy({"eu-west-1": {"bucket_arn": EU, "key_arn": KEY}})


@pytest.mark.slow
def test_working_memory_and_profiles_are_copied_with_their_deletions_and_weights_are_not(made: Recording) -> None:
    rules = made.one(TYPE).props["rules"]
    assert [rule["filter"]["prefix"] for rule in rules] == list(REPLICATED)
    assert not WEIGHTS_PREFIX.startswith(REPLICATED)
    assert len({rule["priority"] for rule in rules}) == len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["status"] == rule["deleteMarkerReplication"]["status"] == "Enabled"
        assert rule["destination"] == {"bucket": EU, "encryptionConfiguration": {"replicaKmsKeyId": KEY}}
        assert rule["sourceSelectionCriteria"]["sseKmsEncryptedObjects"]["status"] == "Enabled"


def test_it_waits_for_the_versions_without_which_s3_refuses_it(made: Recording) -> None:
    versions = made.one("aws:s3/bucketVersioning:BucketVersioning", "objects-bucket-versions")
    assert made.one(TYPE).props["bucket"] == versions.props["bucket"]


def test_the_role_reads_here_writes_there_and_uses_the_keys_through_s3_alone(made: Recording) -> None:
    trust = json.loads(made.one("aws:iam/role:Role", "objects-replication-role").props["assumeRolePolicy"])
    assert trust["Statement"][0]["Principal"] == {"Service": "s3.amazonaws.com"}
    assert trust["Statement"][0]["Condition"]["StringEquals"]["aws:SourceAccount"]
    policy = json.loads(made.one("aws:iam/rolePolicy:RolePolicy", "objects-replication-role-policy").props["policy"])
    allowed = {each["Sid"]: each for each in policy["Statement"]}
    assert not [action for each in allowed.values() for action in each["Action"] if "*" in action]
    assert all(each.startswith(f"{EU}/reme/") for each in allowed["WriteCopies"]["Resource"])
    assert "s3:ObjectOwnerOverrideToBucketOwner" not in allowed["WriteCopies"]["Action"]
    assert allowed["WriteUnderKeys"]["Resource"] == [KEY]
    assert allowed["WriteUnderKeys"]["Condition"] == {
        "StringEquals": {"kms:ViaService": ["s3.eu-west-1.amazonaws.com"]}
    }
    assert allowed["ReadUnderKey"]["Action"] == ["kms:Decrypt"] and allowed["ReadUnderKey"]["Condition"]


def test_without_named_buckets_nothing_is_copied() -> None:
    assert not deploy({}).of(TYPE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stack", "replicas", "said"),
    [
        ("global-us-east-1", {"ap-southeast-1": {"bucket_arn": EU, "key_arn": KEY}}, "valid: eu-west-1"),
        ("aws-prod", {"eu-west-1": {"bucket_arn": EU, "key_arn": KEY}}, "shares data with no other region"),
        ("global-us-east-1", {"eu-west-1": {"bucket_arn": EU}}, "bucket_key"),
        ("global-us-east-1", {"eu-west-1": {"bucket_arn": "objects"}}, "replicas.eu-west-1.bucket_arn"),
    ],
)
def test_data_goes_nowhere_that_the_plan_does_not_share_it_with(
    stack: str, replicas: Mapping[str, Any], said: str
) -> None:
    with pytest.raises(InvalidStack, match=said):
        deploy(replicas, stack)

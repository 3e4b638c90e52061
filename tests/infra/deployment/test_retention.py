"""What stays of a state, by the properties that the engine keeps of each resource."""

from typing import Any

import pytest

from infra.deployment.retention import list_protected, list_retained


def resource(kind: str, inputs: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A resource of a state."""
    return {"urn": f"urn:pulumi:s::p::{kind}::it", "type": kind, "inputs": inputs or {}, **more}


@pytest.mark.parametrize(
    ("kept", "gone", "words"),
    [
        (
            resource("aws:rds/instance:Instance", {"skipFinalSnapshot": False}),
            resource("aws:rds/instance:Instance", {"skipFinalSnapshot": True}),
            "a final snapshot of the database",
        ),
        (
            resource("aws:kms/key:Key", {"deletionWindowInDays": 30.0}),
            resource("aws:kms/alias:Alias"),
            "for 30 more days",
        ),
        (
            resource("aws:secretsmanager/secret:Secret", {"recoveryWindowInDays": 7}),
            resource("aws:secretsmanager/secret:Secret", {"recoveryWindowInDays": 0}),
            "for 7 more days",
        ),
        (
            resource("aws:s3/bucket:Bucket", outputs={"forceDestroy": False}),
            resource("aws:s3/bucket:Bucket", {"forceDestroy": True}),
            "until it is emptied",
        ),
        (
            resource("aws:s3/bucket:Bucket", {"forceDestroy": True}, retainOnDelete=True),
            resource("aws:ec2/vpc:Vpc"),
            "which Pulumi leaves alone",
        ),
        (
            resource("alicloud:oss/bucket:Bucket", {"forceDestroy": False}),
            resource("alicloud:oss/bucket:Bucket", {"forceDestroy": True}),
            "until it is emptied",
        ),
        (
            resource("alicloud:oos/secretParameter:SecretParameter", retainOnDelete=True),
            resource("alicloud:ecs/ecsInvocation:EcsInvocation", retainOnDelete=True),
            "which Pulumi leaves alone",
        ),
    ],
)
def test_what_the_provider_keeps_is_listed(kept: dict[str, Any], gone: dict[str, Any], words: str) -> None:
    (found,) = list_retained([kept, gone])
    assert (found.type, found.name) == (kept["type"], "it")
    assert words in found.what


@pytest.mark.parametrize("cloud", ["aws:s3", "alicloud:oss"])
def test_the_settings_of_a_kept_bucket_have_no_line_of_their_own(cloud: str) -> None:
    policy = resource(f"{cloud}/bucketPolicy:BucketPolicy", retainOnDelete=True)
    bucket = resource(f"{cloud}/bucket:Bucket", retainOnDelete=True)
    assert [each.type for each in list_retained([policy, bucket])] == [f"{cloud}/bucket:Bucket"]


def test_protected_resources_are_named() -> None:
    assert list_protected([resource("a:b:C", protect=True), resource("a:b:D")]) == ("it",)

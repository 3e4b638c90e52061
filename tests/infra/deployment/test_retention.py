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
    ],
)
def test_what_the_provider_keeps_is_listed(kept: dict[str, Any], gone: dict[str, Any], words: str) -> None:
    (found,) = list_retained([kept, gone])
    assert (found.type, found.name) == (kept["type"], "it")
    assert words in found.what


def test_the_settings_of_a_kept_bucket_have_no_line_of_their_own() -> None:
    policy = resource("aws:s3/bucketPolicy:BucketPolicy", retainOnDelete=True)
    bucket = resource("aws:s3/bucket:Bucket", retainOnDelete=True)
    assert [each.type for each in list_retained([policy, bucket])] == ["aws:s3/bucket:Bucket"]


def test_protected_resources_are_named() -> None:
    assert list_protected([resource("a:b:C", protect=True), resource("a:b:D")]) == ("it",)

"""Every bucket of a stack: closed, versioned, encrypted, over TLS only, its access logged."""

import json
from typing import Any

import pytest

from infra.alicloud.private_bucket import Lock, PrivateBucket, PrivateBucketArgs, delete_replaced, expire
from policies.judgement import judge
from policies.settings import PolicySettings
from tests.infra.alicloud.facts import find_limit, find_unknown
from tests.infra.recorded_graph import read_recording
from tests.infra.recorder import Recording, record

REGION = "cn-beijing"
BUCKET, WORM = "alicloud:oss/bucket:Bucket", "alicloud:oss/bucketWorm:BucketWorm"
TAGS = {
    "project": "reme-cloud",
    "environment": "prod",
    "stack": "alicloud-prod",
    "component": "logs",
    "managed-by": "pulumi",
}


def build(name: str = "things", **change: Any) -> Recording:
    values: dict[str, Any] = {
        "kms_key_id": "key-1",
        "account": "1234567890123456",
        "access_log_bucket": "access",
        "tags": TAGS,
        "protect": True,
        "keeps_copies": True,
    }

    def program() -> None:
        PrivateBucket(name, PrivateBucketArgs(**{**values, **change}))

    return record(program, region=REGION, config={"alicloud:region": REGION})


def test_nothing_is_public_and_every_version_is_kept() -> None:
    found = build()
    assert found.one("alicloud:oss/bucketAcl:BucketAcl").props["acl"] == "private"
    assert found.one("alicloud:oss/bucketPublicAccessBlock:BucketPublicAccessBlock").props["blockPublicAccess"] is True
    bucket = found.one(BUCKET)
    assert "acl" not in bucket.props and set(bucket.ignored) == {"acl", "policy"}, "others set these"
    assert bucket.props["versioning"] == {"status": "Enabled"}
    assert bucket.props["bucket"] == "things-1a2b3c4d"


def test_plain_text_is_denied_to_everyone_and_old_tls_is_not_spoken() -> None:
    found = build()
    (statement,) = json.loads(found.one("alicloud:oss/bucketPolicy:BucketPolicy").props["policy"])["Statement"]
    arn = "acs:oss:*:1234567890123456:things-1a2b3c4d"
    assert statement == {
        "Effect": "Deny",
        "Principal": ["*"],
        "Action": ["oss:*"],
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"acs:SecureTransport": ["false"]}},
    }
    tls = found.one("alicloud:oss/bucketHttpsConfig:BucketHttpsConfig").props
    assert tls["enable"] is True and tls["tlsVersions"] == ["TLSv1.2", "TLSv1.3"]


def test_our_key_encrypts_where_there_is_one_and_oss_s_own_else() -> None:
    assert build().one(BUCKET).props["serverSideEncryptionRule"] == {
        "sseAlgorithm": "KMS",
        "kmsMasterKeyId": "key-1",
    }
    assert build(kms_key_id=None).one(BUCKET).props["serverSideEncryptionRule"] == {"sseAlgorithm": "AES256"}


def test_a_kept_bucket_outlives_its_stack_as_it_is_and_another_goes_with_what_is_in_it() -> None:
    for keeps_copies in (True, False):
        found = build(keeps_copies=keeps_copies, lock=Lock(days=2555))
        assert found.one(BUCKET).props["forceDestroy"] is not keeps_copies
        kept = {each.retain for each in found if each.type.startswith("alicloud:")}
        assert kept == {keeps_copies}, "its list, policy and lock as well"
    assert (build().one(BUCKET).protect, build(protect=False).one(BUCKET).protect) == (True, False)


def test_a_lock_is_in_force_at_once_and_only_where_the_bucket_stays() -> None:
    lock = build(lock=Lock(days=2555)).one(WORM).props
    assert (lock["retentionPeriodInDays"], lock["status"]) == (2555, "Locked")
    assert find_limit("bucket lock days") >= 2555
    assert build(lock=Lock(days=2555), keeps_copies=False).of(WORM) == [], "nobody could destroy it"
    assert build().of(WORM) == []


def test_access_is_logged_unless_the_bucket_is_the_log() -> None:
    logging = build().one(BUCKET).props["logging"]
    assert (logging["targetBucket"], logging["targetPrefix"]) == ("access", "oss/things/")
    assert "logging" not in build(access_log_bucket=None).one(BUCKET).props


def test_what_was_begun_or_deleted_does_not_stay_for_ever() -> None:
    rules = build(lifecycle=[delete_replaced(7), expire(90)]).one(BUCKET).props["lifecycleRules"]
    assert [rule["id"] for rule in rules] == ["tidy", "delete-replaced", "expire"]
    assert all(rule["enabled"] for rule in rules)
    assert rules[0]["abortMultipartUploads"] == [{"days": 7}]
    assert rules[0]["expirations"] == [{"expiredObjectDeleteMarker": True}]
    assert rules[1]["noncurrentVersionExpirations"] == [{"days": 7}]
    assert rules[2]["expirations"] == [{"days": 90}]


@pytest.mark.parametrize("environment", ["dev", "prod", "cn"])
def test_it_keeps_the_policies(environment: str) -> None:
    settings = PolicySettings.model_validate({"environment": environment})
    tags = {**TAGS, "environment": environment}
    found = build("trail-audit", lock=Lock(days=2555), tags=tags)
    broken = judge(read_recording(found, "alicloud-prod", REGION), settings)
    assert [f"{each.rule}: {each.message}" for each in broken] == []
    unlocked = judge(read_recording(build("trail-audit", tags=tags), "alicloud-prod", REGION), settings)
    assert {each.rule for each in unlocked} == {"audit-buckets-are-write-once"}


def test_values_are_those_of_the_provider_s_pages() -> None:
    found = build(lock=Lock(days=1))
    bucket = found.one(BUCKET).props
    used: set[tuple[str, object]] = {
        ("bucket storage class", bucket["storageClass"]),
        ("bucket redundancy", bucket["redundancyType"]),
        ("bucket encryption", bucket["serverSideEncryptionRule"]["sseAlgorithm"]),
        ("bucket versioning", bucket["versioning"]["status"]),
        ("bucket list", found.one("alicloud:oss/bucketAcl:BucketAcl").props["acl"]),
        ("bucket lock", found.one(WORM).props["status"]),
    }
    tls = found.one("alicloud:oss/bucketHttpsConfig:BucketHttpsConfig").props["tlsVersions"]
    assert find_unknown(used | {("bucket tls", version) for version in tls}) == set()
    assert find_unknown({("bucket storage class", "Glacier")}), "the table knows what there is not"
    assert len(TAGS) <= find_limit("bucket tags")

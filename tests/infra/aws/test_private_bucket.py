"""Every bucket of a stack: closed, versioned, encrypted, over TLS only, its access logged."""

import json
from typing import Any

from infra.aws.private_bucket import Lock, PrivateBucket, PrivateBucketArgs
from tests.infra.recorder import Recording, record


def build(**change: Any) -> Recording:
    values: dict[str, Any] = {
        "kms_key_arn": "arn:key",
        "access_log_bucket": "access",
        "tags": {"project": "reme-cloud"},
        "protect": True,
        "keeps_copies": True,
    }

    def program() -> None:
        PrivateBucket("things", PrivateBucketArgs(**{**values, **change}))

    return record(program)


def read_statements(found: Recording, name: str) -> dict[str, dict[str, Any]]:
    policy = json.loads(found.one("aws:s3/bucketPolicy:BucketPolicy", f"{name}-policy").props["policy"])
    return {each["Sid"]: each for each in policy["Statement"]}


def test_nothing_is_public_and_every_version_is_kept() -> None:
    found = build()
    closed = found.one("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock").props
    assert [closed[each] for each in sorted(closed) if each != "bucket"] == [True] * 4
    ownership = found.one("aws:s3/bucketOwnershipControls:BucketOwnershipControls").props
    assert ownership["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
    versions = found.one("aws:s3/bucketVersioning:BucketVersioning").props
    assert versions["versioningConfiguration"] == {"status": "Enabled"}


def test_plain_text_and_old_tls_are_denied_to_everyone() -> None:
    statements = read_statements(build(), "things")
    assert statements["DenyPlainText"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statements["DenyOldTls"]["Condition"] == {"NumericLessThan": {"s3:TlsVersion": "1.2"}}
    for each in statements.values():
        assert (each["Effect"], each["Principal"], each["Action"]) == ("Deny", {"AWS": "*"}, "s3:*")
        assert each["Resource"] == ["arn:aws:s3:::things-1234567", "arn:aws:s3:::things-1234567/*"]


def test_our_key_encrypts_where_there_is_one_and_s3s_own_else() -> None:
    for key, algorithm in (("arn:key", "aws:kms"), (None, "AES256")):
        made = build(kms_key_arn=key)
        settings = made.one("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")
        (rule,) = settings.props["rules"]
        assert rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"] == algorithm
        assert rule["applyServerSideEncryptionByDefault"].get("kmsMasterKeyId") == key
        assert rule["bucketKeyEnabled"] is (key is not None)


def test_a_kept_bucket_outlives_its_stack_as_it_is_and_another_goes_with_what_is_in_it() -> None:
    lock = Lock(mode="COMPLIANCE", days=2555)
    for keeps_copies in (True, False):
        found = build(keeps_copies=keeps_copies, lock=lock)
        assert found.one("aws:s3/bucket:Bucket").props["forceDestroy"] is not keeps_copies
        assert {each.retain for each in found if each.custom} == {keeps_copies}, "its policy, ages and lock as well"


def test_lifting_the_protection_of_a_bucket_does_not_give_it_up() -> None:
    bucket = build(protect=False).one("aws:s3/bucket:Bucket")
    assert (bucket.protect, bucket.retain, bucket.props["forceDestroy"]) == (False, True, False)
    assert build().one("aws:s3/bucket:Bucket").protect


def test_access_is_logged_unless_the_bucket_is_the_log() -> None:
    logging = build().one("aws:s3/bucketLogging:BucketLogging").props
    assert (logging["targetBucket"], logging["targetPrefix"]) == ("access", "s3/things/")
    assert build(access_log_bucket=None).of("aws:s3/bucketLogging:BucketLogging") == []


def test_a_lock_is_made_with_the_bucket_and_holds_by_default() -> None:
    found = build(lock=Lock(mode="COMPLIANCE", days=2555))
    assert found.one("aws:s3/bucket:Bucket").props["objectLockEnabled"] is True
    lock = found.one("aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration").props
    assert lock["rule"] == {"defaultRetention": {"mode": "COMPLIANCE", "days": 2555}}
    assert build().of("aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration") == []

"""A private bucket of OSS: the one form that every bucket of a stack has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_alicloud as alicloud
import pulumi_random as random

Statement = Mapping[str, object]
LifecycleRule = alicloud.oss.BucketLifecycleRuleArgs

MULTIPART_DAYS = 7
"""Parts of an upload that was never completed are deleted then (ours, as on AWS)."""
TLS_VERSIONS = ("TLSv1.2", "TLSv1.3")
"""Requests over an older TLS are refused (OSS, PutBucketHttpsConfig)."""
LOG_PREFIX = "oss/"
"""Where the logs of access to buckets lie in the bucket of access logs."""
LOCKED = "Locked"
"""A retention policy in force; one that nobody locks within 24 hours is void (OSS, InitiateBucketWorm)."""
REDUNDANCY = "LRS"
"""Copies within a zone, which is what the bill has a price of (sizing.billing.alicloud)."""
NAME_BYTES = 4
_BESIDE = ["acl", "policy"]
"""Properties that resources of their own set (the provider's pages of BucketAcl and BucketPolicy)."""


def delete_replaced(days: int) -> LifecycleRule:
    """The rule that deletes replaced and deleted versions for good, `days` after they stopped being current."""
    return LifecycleRule(
        id="delete-replaced",
        enabled=True,
        prefix="",
        noncurrent_version_expirations=[
            alicloud.oss.BucketLifecycleRuleNoncurrentVersionExpirationArgs(days=days),
        ],
    )


def expire(days: int, *, name: str = "expire", prefix: str = "") -> LifecycleRule:
    """The rule that deletes objects at an age; the earlier of two rules wins."""
    return LifecycleRule(
        id=name,
        enabled=True,
        prefix=prefix,
        expirations=[alicloud.oss.BucketLifecycleRuleExpirationArgs(days=days)],
    )


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A locked retention policy: nobody, the account's owner neither, deletes or replaces an object for `days` after it
    was written, and nobody lifts or shortens the policy. OSS has no weaker mode for all accounts."""

    days: int


@dataclass(frozen=True, kw_only=True)
class PrivateBucketArgs:
    """What differs between buckets.

    `kms_key_id` encrypts with that key; None with OSS's own keys (AES256). `account` is the account's id, for ARNs.
    `access_log_bucket` is the name of the bucket that keeps who read what; None for that bucket itself.
    `statements` makes more statements of the bucket's policy from its ARN. `lifecycle` is added to the rules that
    every bucket has. `storage_class` is that of objects when they are written. With `protect` Pulumi refuses to delete
    the bucket; with `keeps_copies` a destroyed stack leaves it as it is, with its objects and all its settings. A
    `lock` is made only with `keeps_copies`, since nobody could destroy the bucket.
    """

    kms_key_id: pulumi.Input[str] | None
    account: str
    access_log_bucket: pulumi.Input[str] | None
    tags: Mapping[str, str]
    protect: bool
    keeps_copies: bool
    lifecycle: Sequence[LifecycleRule] = ()
    statements: Callable[[pulumi.Output[str]], Sequence[Statement]] = field(default=lambda _: ())
    lock: Lock | None = None
    storage_class: str = "Standard"


class PrivateBucket(pulumi.ComponentResource):
    """A bucket without public access, versioned, encrypted, reached over TLS only, its access logged.

    Names of buckets are global and the provider makes none up that tells whose it is: the logical name and random
    digits are the name, and stay.
    Attributes: `bucket` (its name), `arn` (acs:oss:…); `versioned_bucket`, its name once it has versions.
    """

    bucket: pulumi.Output[str]
    arn: pulumi.Output[str]
    versioned_bucket: pulumi.Output[str]

    def __init__(self, name: str, args: PrivateBucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:PrivateBucket", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self, retain_on_delete=args.keeps_copies)
        digits = random.RandomId(f"{name}-digits", byte_length=NAME_BYTES, opts=pulumi.ResourceOptions(parent=self))
        made = alicloud.oss.Bucket(
            name,
            bucket=pulumi.Output.concat(f"{name}-", digits.hex),
            storage_class=args.storage_class,
            redundancy_type=REDUNDANCY,
            versioning={"status": "Enabled"},
            server_side_encryption_rule=_encrypt(args.kms_key_id),
            logging=_log(name, args.access_log_bucket),
            lifecycle_rules=[_tidy(), *args.lifecycle],
            # a rule for the whole bucket and one for a prefix may both delete
            lifecycle_rule_allow_same_action_overlap=True,
            force_destroy=not args.keeps_copies,
            tags=args.tags,
            opts=pulumi.ResourceOptions.merge(
                child, pulumi.ResourceOptions(protect=args.protect, ignore_changes=_BESIDE)
            ),
        )
        arn = pulumi.Output.concat(f"acs:oss:*:{args.account}:", made.bucket)
        acl = alicloud.oss.BucketAcl(f"{name}-acl", bucket=made.bucket, acl="private", opts=child)
        closed = alicloud.oss.BucketPublicAccessBlock(
            f"{name}-closed",
            bucket=made.bucket,
            block_public_access=True,
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[acl])),
        )
        policy = alicloud.oss.BucketPolicy(
            f"{name}-policy",
            bucket=made.bucket,
            policy=pulumi.Output.json_dumps({"Version": "1", "Statement": [_require_tls(arn), *args.statements(arn)]}),
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[closed])),
        )
        alicloud.oss.BucketHttpsConfig(
            f"{name}-tls", bucket=made.bucket, enable=True, tls_versions=list(TLS_VERSIONS), opts=child
        )
        if args.lock is not None and args.keeps_copies:
            alicloud.oss.BucketWorm(
                f"{name}-lock",
                bucket=made.bucket,
                retention_period_in_days=args.lock.days,
                status=LOCKED,
                opts=child,
            )
        # Whoever is handed the bucket may write to it at once, so the policy that admits it comes first.
        self.bucket = policy.bucket
        self.versioned_bucket = made.bucket
        self.arn = pulumi.Output.all(arn, policy.id).apply(lambda known: str(known[0]))
        self.register_outputs({"bucket": self.bucket, "arn": self.arn})


def _encrypt(kms_key_id: pulumi.Input[str] | None) -> alicloud.oss.BucketServerSideEncryptionRuleArgs:
    if kms_key_id is None:
        return alicloud.oss.BucketServerSideEncryptionRuleArgs(sse_algorithm="AES256")
    return alicloud.oss.BucketServerSideEncryptionRuleArgs(sse_algorithm="KMS", kms_master_key_id=kms_key_id)


def _log(name: str, target: pulumi.Input[str] | None) -> alicloud.oss.BucketLoggingArgs | None:
    if target is None:
        return None
    return alicloud.oss.BucketLoggingArgs(target_bucket=target, target_prefix=f"{LOG_PREFIX}{name}/")


def _tidy() -> LifecycleRule:
    """Every bucket's rule: what was begun and never completed goes, and marks of deletion with nothing beneath."""
    return LifecycleRule(
        id="tidy",
        enabled=True,
        prefix="",
        abort_multipart_uploads=[alicloud.oss.BucketLifecycleRuleAbortMultipartUploadArgs(days=MULTIPART_DAYS)],
        expirations=[alicloud.oss.BucketLifecycleRuleExpirationArgs(expired_object_delete_marker=True)],
    )


def _require_tls(arn: pulumi.Output[str]) -> Statement:
    return {
        "Effect": "Deny",
        "Principal": ["*"],
        "Action": ["oss:*"],
        "Resource": [arn, pulumi.Output.concat(arn, "/*")],
        "Condition": {"Bool": {"acs:SecureTransport": ["false"]}},
    }

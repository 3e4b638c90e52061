"""A private bucket: the one form that every bucket of a stack has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

Statement = Mapping[str, object]
LifecycleRule = aws.s3.BucketLifecycleConfigurationRuleArgs

MULTIPART_DAYS = 7
"""Parts of an upload that was never completed are deleted then (ours; AWS's own examples take 7)."""
OLDEST_TLS = "1.2"
"""Requests over an older TLS are denied (S3 itself offers 1.2 and 1.3)."""
LOG_PREFIX = "s3/"
"""Where the logs of access to buckets lie in the bucket of access logs."""


def filter_prefix(prefix: str) -> aws.s3.BucketLifecycleConfigurationRuleFilterArgs:
    """The filter of a lifecycle rule; an empty prefix is the whole bucket."""
    return aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=prefix)


def delete_replaced(days: int) -> LifecycleRule:
    """The rule that deletes replaced and deleted versions for good, `days` after they stopped being current."""
    return LifecycleRule(
        id="delete-replaced",
        status="Enabled",
        filter=filter_prefix(""),
        noncurrent_version_expiration=aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
            noncurrent_days=days
        ),
    )


def expire(
    days: int,
    *,
    name: str = "expire",
    prefix: str = "",
    transitions: Sequence[aws.s3.BucketLifecycleConfigurationRuleTransitionArgs] = (),
) -> LifecycleRule:
    """The rule that deletes objects at an age, after moves to colder classes; the earlier of two rules wins."""
    return LifecycleRule(
        id=name,
        status="Enabled",
        filter=filter_prefix(prefix),
        transitions=list(transitions) or None,
        expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=days),
    )


@dataclass(frozen=True, kw_only=True)
class Lock:
    """Object Lock's default retention: nobody deletes or replaces a version before it ends.

    `mode` COMPLIANCE binds everyone including the account's root; GOVERNANCE can be lifted by those who may.
    """

    mode: str
    days: int


@dataclass(frozen=True, kw_only=True)
class PrivateBucketArgs:
    """What differs between buckets.

    `kms_key_arn` encrypts with that key and a bucket key; None with S3's own keys (AES256).
    `access_log_bucket` is the name of the bucket that keeps who read what; None for that bucket itself.
    `statements` makes more statements of the bucket's policy from its ARN. `lifecycle` is added to the rules that
    every bucket has. With `protect` Pulumi refuses to delete the bucket; with `keeps_copies` a destroyed stack leaves
    it as it is, with its objects and all its settings.
    """

    kms_key_arn: pulumi.Input[str] | None
    access_log_bucket: pulumi.Input[str] | None
    tags: Mapping[str, str]
    protect: bool
    keeps_copies: bool
    lifecycle: Sequence[LifecycleRule] = ()
    statements: Callable[[pulumi.Output[str]], Sequence[Statement]] = field(default=lambda _: ())
    lock: Lock | None = None


class PrivateBucket(pulumi.ComponentResource):
    """A bucket without public access, versioned, encrypted, reached over TLS only, its access logged.

    Attributes: `bucket` (its name), `arn`; `versioned_bucket`, its name once it has versions.
    """

    bucket: pulumi.Output[str]
    arn: pulumi.Output[str]
    versioned_bucket: pulumi.Output[str]

    def __init__(self, name: str, args: PrivateBucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:PrivateBucket", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self, retain_on_delete=args.keeps_copies)
        made = aws.s3.Bucket(
            name,
            force_destroy=not args.keeps_copies,
            object_lock_enabled=args.lock is not None,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect, retain_on_delete=args.keeps_copies),
        )
        closed = aws.s3.BucketPublicAccessBlock(
            f"{name}-closed",
            bucket=made.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        aws.s3.BucketOwnershipControls(
            f"{name}-ownership",
            bucket=made.bucket,
            rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=child,
        )
        versioned = aws.s3.BucketVersioning(
            f"{name}-versions",
            bucket=made.bucket,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=child,
        )
        _encrypt(name, made, args.kms_key_arn, child)
        policy = aws.s3.BucketPolicy(
            f"{name}-policy",
            bucket=made.bucket,
            policy=pulumi.Output.json_dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [*_require_tls(made.arn), *args.statements(made.arn)],
                }
            ),
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[closed])),
        )
        after_versions = pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[versioned]))
        aws.s3.BucketLifecycleConfiguration(
            f"{name}-lifecycle",
            bucket=made.bucket,
            rules=[*_tidying_rules(), *args.lifecycle],
            opts=after_versions,
        )
        if args.access_log_bucket is not None:
            aws.s3.BucketLogging(
                f"{name}-log",
                bucket=made.bucket,
                target_bucket=args.access_log_bucket,
                target_prefix=f"{LOG_PREFIX}{name}/",
                opts=child,
            )
        if args.lock is not None:
            aws.s3.BucketObjectLockConfiguration(
                f"{name}-lock",
                bucket=made.bucket,
                rule=aws.s3.BucketObjectLockConfigurationRuleArgs(
                    default_retention=aws.s3.BucketObjectLockConfigurationRuleDefaultRetentionArgs(
                        mode=args.lock.mode, days=args.lock.days
                    )
                ),
                opts=after_versions,
            )
        # Whoever is handed the bucket may write to it at once, so the policy that admits it comes first.
        self.bucket = policy.bucket
        self.versioned_bucket = versioned.bucket
        self.arn = pulumi.Output.all(made.arn, policy.id).apply(lambda known: str(known[0]))
        self.register_outputs({"bucket": self.bucket, "arn": self.arn})


def _encrypt(
    name: str, made: aws.s3.Bucket, kms_key_arn: pulumi.Input[str] | None, opts: pulumi.ResourceOptions
) -> None:
    with_key = kms_key_arn is not None
    aws.s3.BucketServerSideEncryptionConfiguration(
        f"{name}-encryption",
        bucket=made.bucket,
        rules=[
            aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
                apply_server_side_encryption_by_default=(
                    aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
                        sse_algorithm="aws:kms" if with_key else "AES256", kms_master_key_id=kms_key_arn
                    )
                ),
                bucket_key_enabled=with_key,
            )
        ],
        opts=opts,
    )


def _tidying_rules() -> list[LifecycleRule]:
    return [
        LifecycleRule(
            id="abort-uploads",
            status="Enabled",
            filter=filter_prefix(""),
            abort_incomplete_multipart_upload=(
                aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                    days_after_initiation=MULTIPART_DAYS
                )
            ),
        ),
        LifecycleRule(
            id="drop-empty-markers",
            status="Enabled",
            filter=filter_prefix(""),
            expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(expired_object_delete_marker=True),
        ),
    ]


def _require_tls(arn: pulumi.Output[str]) -> list[Statement]:
    everything = [arn, pulumi.Output.concat(arn, "/*")]
    return [
        {
            "Sid": sid,
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "s3:*",
            "Resource": everything,
            "Condition": condition,
        }
        for sid, condition in (
            ("DenyPlainText", {"Bool": {"aws:SecureTransport": "false"}}),
            ("DenyOldTls", {"NumericLessThan": {"s3:TlsVersion": OLDEST_TLS}}),
        )
    ]

"""The bucket of the service: offloaded working memory, profiles, model weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.object_replication import Peer, replicate_objects
from infra.aws.private_bucket import LifecycleRule, PrivateBucket, PrivateBucketArgs, delete_replaced, filter_prefix
from infra.facts import WORKING_PREFIXES
from infra.tagging import Tags
from sizing.plan import ObjectStoreSpec

INFREQUENT_FROM_DAYS = 30
"""S3 moves no object to Standard-IA before this age (S3's lifecycle documentation)."""


@dataclass(frozen=True, kw_only=True)
class ObjectStoreArgs:
    """`spec` has the ages in days; `access_log_bucket` is the name of the stack's bucket of access logs.

    `expires` lets S3 delete working memory by the age of the object. The service deletes by the age of the last
    offloading, which is younger where a text was offloaded again without being written again: so only where the
    service writes it again may S3 delete as well. `peers` are other regions' buckets that get copies.
    """

    spec: ObjectStoreSpec
    kms_key_arn: pulumi.Input[str] | None
    access_log_bucket: pulumi.Input[str] | None
    tags: Tags
    protect: bool
    keeps_copies: bool
    expires: bool = False
    peers: Sequence[Peer] = ()


class ObjectStore(pulumi.ComponentResource):
    """One private bucket; working memory in it moves to a colder class and expires by the plan's ages.

    Attributes: `bucket` (its name), `arn`.
    """

    bucket: pulumi.Output[str]
    arn: pulumi.Output[str]

    def __init__(self, name: str, args: ObjectStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:ObjectStore", name, {}, opts)
        made = PrivateBucket(
            f"{name}-bucket",
            PrivateBucketArgs(
                kms_key_arn=args.kms_key_arn,
                access_log_bucket=args.access_log_bucket,
                lifecycle=age_rules(args.spec, expires=args.expires),
                tags=args.tags.named("object-store"),
                protect=args.protect,
                keeps_copies=args.keeps_copies,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        if args.peers:
            replicate_objects(name, made, args.peers, kms_key_arn=args.kms_key_arn, tags=args.tags, parent=self)
        self.bucket = made.bucket
        self.arn = made.arn
        self.register_outputs({"bucket": self.bucket, "arn": self.arn})


def age_rules(spec: ObjectStoreSpec, *, expires: bool) -> list[LifecycleRule]:
    """The ages of §4.5 as corrected, as rules: archived, and deleted where `expires`; one rule for each prefix.

    Where working memory is deleted at the age of its archiving (GDPR: 30 days) or sooner, nothing is archived. A
    version that was replaced or deleted stays for the hot days, so that a mistake can be undone.
    """
    archived_from = max(spec.archive_after_days, INFREQUENT_FROM_DAYS)
    transitions = []
    if archived_from < spec.delete_after_days:
        transitions.append(
            aws.s3.BucketLifecycleConfigurationRuleTransitionArgs(days=archived_from, storage_class="STANDARD_IA")
        )
    expiration = aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=spec.delete_after_days) if expires else None
    rules = [delete_replaced(spec.hot_days)]
    if transitions or expiration:
        rules += [
            LifecycleRule(
                id=f"age-working-memory-{number}",
                status="Enabled",
                filter=filter_prefix(prefix),
                transitions=transitions or None,
                expiration=expiration,
            )
            for number, prefix in enumerate(WORKING_PREFIXES, start=1)
        ]
    return rules

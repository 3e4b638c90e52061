"""The bucket of the service: offloaded working memory, profiles, model weights."""

from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from infra.alicloud.private_bucket import LifecycleRule, PrivateBucket, PrivateBucketArgs, delete_replaced
from infra.facts import WORKING_PREFIXES
from infra.tagging import Tags
from sizing.plan import ObjectStoreSpec

COLD = "IA"
"""Infrequent Access: what the bill charges for the days between the two ages (sizing.billing.alicloud_plan). Archive
would answer no read before it is restored, and the service reads working memory at any age."""


@dataclass(frozen=True, kw_only=True)
class ObjectStoreArgs:
    """`spec` has the ages in days; `access_log_bucket` is the name of the stack's bucket of access logs.

    `expires` lets OSS delete working memory by the age of the object. The service deletes by the age of the last
    offloading, which is younger where a text was offloaded again without being written again: so only where the
    service writes it again may OSS delete as well.
    """

    spec: ObjectStoreSpec
    kms_key_id: pulumi.Input[str] | None
    account: str
    access_log_bucket: pulumi.Input[str] | None
    tags: Tags
    protect: bool
    keeps_copies: bool
    expires: bool = False


class ObjectStore(pulumi.ComponentResource):
    """One private bucket; working memory in it moves to a colder class and expires by the plan's ages.

    Attributes: `bucket` (its name), `arn`.
    """

    bucket: pulumi.Output[str]
    arn: pulumi.Output[str]

    def __init__(self, name: str, args: ObjectStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:ObjectStore", name, {}, opts)
        made = PrivateBucket(
            f"{name}-bucket",
            PrivateBucketArgs(
                kms_key_id=args.kms_key_id,
                account=args.account,
                access_log_bucket=args.access_log_bucket,
                lifecycle=age_rules(args.spec, expires=args.expires),
                tags=args.tags.named("object-store"),
                protect=args.protect,
                keeps_copies=args.keeps_copies,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.bucket = made.bucket
        self.arn = made.arn
        self.register_outputs({"bucket": self.bucket, "arn": self.arn})


def age_rules(spec: ObjectStoreSpec, *, expires: bool) -> list[LifecycleRule]:
    """The ages of §4.5 as corrected, as rules: colder, and deleted where `expires`; one rule for each prefix.

    Where working memory is deleted at the age of its archiving (GDPR: 30 days) or sooner, nothing grows cold. A
    version that was replaced or deleted stays for the hot days, so that a mistake can be undone.
    """
    colder = spec.archive_after_days < spec.delete_after_days
    rules = [delete_replaced(spec.hot_days)]
    if colder or expires:
        rules += [
            _age(number, prefix, spec, colder, expires) for number, prefix in enumerate(WORKING_PREFIXES, start=1)
        ]
    return rules


def _age(number: int, prefix: str, spec: ObjectStoreSpec, colder: bool, expires: bool) -> LifecycleRule:
    moves = [alicloud.oss.BucketLifecycleRuleTransitionArgs(days=spec.archive_after_days, storage_class=COLD)]
    ends = [alicloud.oss.BucketLifecycleRuleExpirationArgs(days=spec.delete_after_days)]
    return LifecycleRule(
        id=f"age-working-memory-{number}",
        enabled=True,
        prefix=prefix,
        transitions=moves if colder else None,
        expirations=ends if expires else None,
    )

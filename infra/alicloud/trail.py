"""Who did what to the account: ActionTrail's events in a bucket that nobody can change for seven years."""

from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from infra.alicloud.private_bucket import Lock, PrivateBucket, PrivateBucketArgs, delete_replaced, expire
from infra.naming import fix_name
from infra.tagging import Tags
from sizing.plan import LogStoreSpec

LONGEST_TRAIL = 36
"""Characters of a trail's name, of six to these (ROS, ALIYUN::ACTIONTRAIL::Trail)."""
PREFIX = "actiontrail"
"""Before the names of its objects: 6 to 32 characters, a letter first (ROS, ALIYUN::ACTIONTRAIL::Trail)."""
EVENTS = "All"
"""Reads and writes; ActionTrail's own default are writes."""


@dataclass(frozen=True, kw_only=True)
class AuditTrailArgs:
    """`spec` says how long audits are kept; `account` is the account's id.

    The bucket is locked only with `keeps_copies`: nobody could destroy it before its time.
    """

    spec: LogStoreSpec
    kms_key_id: pulumi.Input[str] | None
    account: str
    region: str
    tags: Tags
    protect: bool
    keeps_copies: bool
    access_log_bucket: pulumi.Input[str] | None = None


class AuditTrail(pulumi.ComponentResource):
    """The audit bucket, and the account's trail of this region into it.

    ActionTrail writes by its service-linked role, which the account has once ActionTrail is switched on; no policy of
    the bucket admits it. Attributes: `audit_bucket`, `audit_arn`, `trail_name`.
    """

    audit_bucket: pulumi.Output[str]
    audit_arn: pulumi.Output[str]
    trail_name: pulumi.Output[str]

    def __init__(self, name: str, args: AuditTrailArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:AuditTrail", name, {}, opts)
        days = args.spec.audit_days
        audit = PrivateBucket(
            f"{name}-audit",
            PrivateBucketArgs(
                kms_key_id=args.kms_key_id,
                account=args.account,
                access_log_bucket=args.access_log_bucket,
                lifecycle=[expire(days), delete_replaced(1)],
                lock=Lock(days=days),
                tags=args.tags.named("logs"),
                protect=args.protect,
                keeps_copies=args.keeps_copies,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        trail = alicloud.actiontrail.Trail(
            f"{name}-events",
            trail_name=fix_name(args.tags.stack, "trail", LONGEST_TRAIL),
            oss_bucket_name=audit.bucket,
            oss_key_prefix=PREFIX,
            event_rw=EVENTS,
            trail_region=args.region,
            status="Enable",
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        self.audit_bucket, self.audit_arn, self.trail_name = audit.bucket, audit.arn, trail.trail_name
        self.register_outputs({"audit_bucket": self.audit_bucket, "trail_name": self.trail_name})

"""Backups by the plan's schedule: snapshots of disks, and the buckets of dumps and archives.

The service's own dump job (`infra.service.dumps`) writes to both buckets, to each by itself: the weekly dump to
`dumps`, the dump of the month's first day to `archive`, which lies in Archive from its first minute.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from infra.alicloud.private_bucket import LifecycleRule, PrivateBucket, PrivateBucketArgs, delete_replaced, expire
from infra.facts import SNAPSHOTS_PREFIX
from infra.naming import fix_name
from infra.tagging import Tags
from sizing.plan import BackupSpec

ARCHIVE = "Archive"
"""The storage class of the archive's bucket."""
DAILY_HOUR_UTC = 2
"""§10.4: all of it at 02:00 UTC."""
POLICY_HOURS_AHEAD = 8
"""The hours of a snapshot policy are of UTC+8 everywhere (the provider's page of AutoSnapshotPolicy)."""
EVERY_DAY = tuple(str(day) for day in range(1, 8))
HOURLY_KEPT_DAYS = 7
"""§10.4: copies for fast recovery are kept seven days."""
DAILY_KEPT_DAYS = 35
"""As long as a managed database keeps its own daily copies."""
REPLACED_KEPT_DAYS = 7
"""Time to undo a dump's deletion by mistake (ours)."""
DAYS_PER_YEAR = 365
LONGEST_NAME = 128
"""Characters of a snapshot policy's name (the provider's page of AutoSnapshotPolicy)."""


@dataclass(frozen=True, kw_only=True)
class BackupArgs:
    """`account` is the account's id; `kms_key_id` encrypts both buckets, OSS's own keys do else. With `keeps_copies` a
    destroyed stack leaves both buckets; snapshots outlive their disk and their policy until their time is over."""

    spec: BackupSpec
    kms_key_id: pulumi.Input[str] | None
    account: str
    tags: Tags
    protect: bool
    keeps_copies: bool
    access_log_bucket: pulumi.Input[str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """When snapshots are made, in hours of UTC+8, every day, and for how many days each is kept."""

    hours: tuple[int, ...]
    kept_days: int


class BackupPlan(pulumi.ComponentResource):
    """Two private buckets, and a snapshot policy for the disks that are covered.

    Attributes: `dumps_bucket`, `dumps_arn`, `archive_bucket`, `archive_arn`.
    """

    dumps_bucket: pulumi.Output[str]
    dumps_arn: pulumi.Output[str]
    archive_bucket: pulumi.Output[str]
    archive_arn: pulumi.Output[str]

    def __init__(self, name: str, args: BackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:BackupPlan", name, {}, opts)
        self._prefix, self._args = name, args
        dumps = self._make_bucket("dumps", _keep_dumps(args.spec.retention_days), "Standard")
        archive = self._make_bucket("archive", [expire(args.spec.archive_years * DAYS_PER_YEAR)], ARCHIVE)
        self.dumps_bucket, self.dumps_arn = dumps.bucket, dumps.arn
        self.archive_bucket, self.archive_arn = archive.bucket, archive.arn
        self.register_outputs({"dumps_bucket": self.dumps_bucket, "archive_bucket": self.archive_bucket})

    def cover_disks(self, disk_ids: Sequence[pulumi.Input[str]]) -> None:
        """Snapshot disks of machines that are made after this, since they are told where their dumps go.

        A disk has one policy and a policy one retention (ECS, ApplyAutoSnapshotPolicy).
        """
        child = pulumi.ResourceOptions(parent=self)
        schedule = schedule_snapshots(self._args.spec)
        policy = alicloud.ecs.AutoSnapshotPolicy(
            f"{self._prefix}-disks",
            auto_snapshot_policy_name=fix_name(self._args.tags.stack, f"{self._prefix}-disks", LONGEST_NAME),
            repeat_weekdays=list(EVERY_DAY),
            time_points=[str(hour) for hour in schedule.hours],
            retention_days=schedule.kept_days,
            tags=self._args.tags.named("backup"),
            opts=child,
        )
        for place, disk_id in enumerate(disk_ids, start=1):
            alicloud.ecs.EcsAutoSnapshotPolicyAttachment(
                f"{self._prefix}-disk-{place}", auto_snapshot_policy_id=policy.id, disk_id=disk_id, opts=child
            )

    def _make_bucket(self, kind: str, ages: Sequence[LifecycleRule], storage_class: str) -> PrivateBucket:
        args = self._args
        return PrivateBucket(
            f"{self._prefix}-{kind}",
            PrivateBucketArgs(
                kms_key_id=args.kms_key_id,
                account=args.account,
                access_log_bucket=args.access_log_bucket,
                lifecycle=[*ages, delete_replaced(REPLACED_KEPT_DAYS)],
                storage_class=storage_class,
                tags=args.tags.named("backup"),
                protect=args.protect,
                keeps_copies=args.keeps_copies,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )


def schedule_snapshots(spec: BackupSpec) -> Schedule:
    """By the hour for a week where the plan may lose no more than an hour; by the day for five weeks else.

    What is older comes from the weekly dumps.
    """
    if spec.rpo_hours <= 1:
        return Schedule(hours=tuple(range(24)), kept_days=min(HOURLY_KEPT_DAYS, spec.retention_days))
    daily = (DAILY_HOUR_UTC + POLICY_HOURS_AHEAD) % 24
    return Schedule(hours=(daily,), kept_days=min(DAILY_KEPT_DAYS, spec.retention_days))


def _keep_dumps(days: int) -> list[LifecycleRule]:
    """Dumps for the plan's days; snapshots of vectors, which can be made again, as long as other fast copies."""
    return [expire(days), expire(HOURLY_KEPT_DAYS, name="expire-snapshots", prefix=f"{SNAPSHOTS_PREFIX}/")]

"""Backups by the plan's schedule: recovery points of databases and disks, and the buckets of dumps and archives.

The service's own dump job (`infra.service.dumps`) writes to both buckets, to each by itself: the weekly dump to
`dumps`, the dump of the month's first day to `archive`. The archive lives there for every tier, since a recovery point
of RDS cannot move to cold storage (AWS Backup's feature table), and one of a disk moves as a full copy of the whole
disk.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.private_bucket import LifecycleRule, PrivateBucket, PrivateBucketArgs, delete_replaced, expire
from infra.aws.roles import describe_trust, make_role
from infra.facts import SNAPSHOTS_PREFIX
from infra.tagging import Tags
from sizing.plan import BackupSpec, DatabaseSpec

HOURLY = "cron(0 * ? * * *)"
DAILY = "cron(0 2 ? * * *)"
WEEKLY = "cron(0 3 ? * SUN *)"
"""§10.4: hot data every hour, all of it at 02:00, once more on Sunday at 03:00; times are UTC."""

HOURLY_KEPT_DAYS = 7
"""§10.4: copies for fast recovery are kept seven days."""
DAILY_KEPT_DAYS = 35
"""As long as a managed database keeps its own daily copies (RDS's limit)."""
START_MINUTES, COMPLETE_MINUTES = 60, 180
"""AWS Backup starts a job within the first and gives it up after the second; 60 is the least that it takes."""
REPLACED_KEPT_DAYS = 7
"""Time to undo a dump's deletion by mistake (ours)."""
DAYS_PER_YEAR = 365
_POLICIES = "arn:aws:iam::aws:policy/service-role"


@dataclass(frozen=True, kw_only=True)
class BackupArgs:
    """What is backed up, each by its ARN; both groups have rules of their own.

    `database_arns`: managed databases, whose recovery to any minute is their own; `disk_arns`: disks that hold what
    exists nowhere else.
    With `keeps_copies` recovery points cannot be deleted before their time, and a destroyed stack leaves the vault, its
    lock and both buckets.
    """

    spec: BackupSpec
    database: DatabaseSpec
    database_arns: Sequence[pulumi.Input[str]] = ()
    disk_arns: Sequence[pulumi.Input[str]] = ()
    kms_key_arn: pulumi.Input[str] | None
    access_log_bucket: pulumi.Input[str] | None
    tags: Tags
    protect: bool
    keeps_copies: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """When recovery points are made (AWS's cron) and for how many days each is kept."""

    name: str
    schedule: str
    kept_days: int


INDEX_RULES = (Rule(name="daily", schedule=DAILY, kept_days=HOURLY_KEPT_DAYS),)


class BackupPlan(pulumi.ComponentResource):
    """A vault with a plan for each group that has something to back up, and two private buckets.

    Attributes: `vault_name`, `vault_arn`; `dumps_bucket`, `dumps_arn`, `archive_bucket`, `archive_arn`.
    """

    vault_name: pulumi.Output[str]
    vault_arn: pulumi.Output[str]
    dumps_bucket: pulumi.Output[str]
    dumps_arn: pulumi.Output[str]
    archive_bucket: pulumi.Output[str]
    archive_arn: pulumi.Output[str]

    def __init__(self, name: str, args: BackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:BackupPlan", name, {}, opts)
        tags = args.tags.named("backup")
        groups = [
            ("databases", args.database_arns, database_rules(args.database)),
            ("disks", args.disk_arns, disk_rules(args.spec)),
        ]
        vault = aws.backup.Vault(
            f"{name}-vault",
            kms_key_arn=args.kms_key_arn,
            force_destroy=not args.keeps_copies,
            tags=tags,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect, retain_on_delete=args.keeps_copies),
        )
        if args.keeps_copies:
            kept = [rule.kept_days for rules in (INDEX_RULES, *(rules for _, _, rules in groups)) for rule in rules]
            aws.backup.VaultLockConfiguration(
                f"{name}-lock",
                backup_vault_name=vault.name,
                min_retention_days=min(kept),
                max_retention_days=max(kept),
                opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
            )
        role = make_role(
            f"{name}-role",
            trust=describe_trust("backup"),
            statements=[],
            managed=[f"{_POLICIES}/AWSBackupServiceRolePolicyFor{purpose}" for purpose in ("Backup", "Restores")],
            component="backup",
            tags=args.tags,
            parent=self,
        )
        self._prefix, self._args, self._vault, self._role = name, args, vault.name, role.arn
        for group, arns, rules in groups:
            if arns:
                self._cover(group, arns, rules)
        dumps, archive = (self._make_bucket(name, kind, args) for kind in ("dumps", "archive"))
        self.vault_name, self.vault_arn = vault.name, vault.arn
        self.dumps_bucket, self.dumps_arn = dumps.bucket, dumps.arn
        self.archive_bucket, self.archive_arn = archive.bucket, archive.arn
        self.register_outputs({"vault_name": self.vault_name, "dumps_bucket": self.dumps_bucket})

    def cover_disks(self, disk_arns: Sequence[pulumi.Input[str]]) -> None:
        """Back up disks of a host that is made after this, since it is told where its dumps go."""
        self._cover("disks", disk_arns, disk_rules(self._args.spec))

    def cover_indexes(self, disk_arns: Sequence[pulumi.Input[str]]) -> None:
        """Back up disks of vector indexes, which can be rebuilt from the database; their nodes are made after this,
        since they are told where their snapshots go."""
        self._cover("indexes", disk_arns, INDEX_RULES)

    def _cover(self, group: str, arns: Sequence[pulumi.Input[str]], rules: Sequence[Rule]) -> None:
        child = pulumi.ResourceOptions(parent=self)
        name = f"{self._prefix}-{group}"
        plan = _make_plan(name, self._vault, rules, self._args.tags.named("backup"), child)
        aws.backup.Selection(
            name, name=group, plan_id=plan.id, iam_role_arn=self._role, resources=list(arns), opts=child
        )

    def _make_bucket(self, name: str, kind: str, args: BackupArgs) -> PrivateBucket:
        spec = args.spec
        ages = _keep_dumps(spec.retention_days) if kind == "dumps" else [_archive(spec.archive_years)]
        return PrivateBucket(
            f"{name}-{kind}",
            PrivateBucketArgs(
                kms_key_arn=args.kms_key_arn,
                access_log_bucket=args.access_log_bucket,
                lifecycle=[*ages, delete_replaced(REPLACED_KEPT_DAYS)],
                tags=args.tags.named("backup"),
                protect=args.protect,
                keeps_copies=args.keeps_copies,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )


def database_rules(spec: DatabaseSpec) -> list[Rule]:
    """The rules for a managed database: it goes back to any minute by itself, so nothing is copied by the hour.

    Its weekly dumps beyond these days are in the bucket of dumps.
    """
    return [
        Rule(name="daily", schedule=DAILY, kept_days=spec.backup_retention_days),
        Rule(name="weekly", schedule=WEEKLY, kept_days=spec.backup_retention_days),
    ]


def disk_rules(spec: BackupSpec) -> list[Rule]:
    """The rules for disks: by the hour where the plan may lose no more than that, by the day, by the week."""
    hourly = [Rule(name="hourly", schedule=HOURLY, kept_days=HOURLY_KEPT_DAYS)] if spec.rpo_hours <= 1 else []
    return [
        *hourly,
        Rule(name="daily", schedule=DAILY, kept_days=min(DAILY_KEPT_DAYS, spec.retention_days)),
        Rule(name="weekly", schedule=WEEKLY, kept_days=spec.retention_days),
    ]


def _make_plan(
    name: str,
    vault: pulumi.Output[str],
    rules: Sequence[Rule],
    tags: dict[str, str],
    opts: pulumi.ResourceOptions,
) -> aws.backup.Plan:
    return aws.backup.Plan(
        name,
        rules=[
            aws.backup.PlanRuleArgs(
                rule_name=rule.name,
                target_vault_name=vault,
                schedule=rule.schedule,
                start_window=START_MINUTES,
                completion_window=COMPLETE_MINUTES,
                lifecycle=aws.backup.PlanRuleLifecycleArgs(delete_after=rule.kept_days),
                recovery_point_tags=tags,
            )
            for rule in rules
        ],
        tags=tags,
        opts=opts,
    )


def _keep_dumps(days: int) -> list[LifecycleRule]:
    """Dumps for the plan's days; snapshots of vectors, which can be made again, as long as other fast copies."""
    return [
        expire(days),
        expire(HOURLY_KEPT_DAYS, name="expire-snapshots", prefix=f"{SNAPSHOTS_PREFIX}/"),
    ]


def _archive(years: int) -> LifecycleRule:
    """Objects go to Glacier on the day that they are written, and are deleted after the years."""
    glacier = aws.s3.BucketLifecycleConfigurationRuleTransitionArgs(days=0, storage_class="GLACIER")
    return expire(years * DAYS_PER_YEAR, transitions=[glacier])

"""Backups, standbys in other zones, and what guards against deletion."""

from collections.abc import Iterable

from policies import kinds
from policies.links import satellites
from policies.properties import Requirement, as_number, at_least, is_set, is_true, one_of, read_one, requiring
from policies.rule import Finding, Rule, breach, undecided
from policies.settings import PolicySettings
from sizing.graph.resources import Resource, ResourceGraph, is_unknown

_DAYS = {
    kinds.AWS_DATABASE: ("backupRetentionPeriod", "database_backup_days"),
    kinds.AWS_DATABASE_CLUSTER: ("backupRetentionPeriod", "database_backup_days"),
    kinds.AWS_CACHE: ("snapshotRetentionLimit", "cache_backup_days"),
    kinds.ALI_DATABASE_BACKUPS: ("backupRetentionPeriod", "database_backup_days"),
}


def _check_days(resource: Resource, settings: PolicySettings) -> Iterable[Finding]:
    path, name = _DAYS[resource.type]
    days, wanted = read_one(resource, path), settings.threshold(name)
    if resource.type == kinds.AWS_DATABASE and is_set(read_one(resource, "replicateSourceDb")):
        return  # a replica's source has the backups
    if is_unknown(days):
        yield undecided(resource, path)
    elif as_number(days) < wanted:
        yield breach(resource, property=path, found=f"{as_number(days):g}", days=f"{wanted:g}")


BACKUP_DAYS = Rule(
    id="databases-keep-backups",
    family="backups",
    title="Backups of databases are kept long enough",
    severity="high",
    message="{where}: {property} is {found}, and backups must be kept for {days} days or more",
    remedy="Raise the retention; it costs storage only beyond the size of the database.",
    kinds=frozenset(_DAYS),
    frameworks=("RDS.11", "CKV_AWS_133", "ElastiCache.1"),
    check=_check_days,
)


def _check_alicloud(graph: ResourceGraph, _: PolicySettings) -> Iterable[Finding]:
    for database in graph.of(kinds.ALI_DATABASE):
        found, unsure = satellites(graph, kinds.ALI_DATABASE_BACKUPS, "instanceId", database)
        if not found:
            yield undecided(database, "its backup policy") if unsure else breach(database)


BACKUP_POLICIES = Rule(
    id="databases-have-a-backup-policy",
    family="backups",
    title="A database of Alibaba Cloud says when it is backed up",
    severity="high",
    message="{where}: no BackupPolicy belongs to the database",
    remedy="Add an rds.BackupPolicy with a retention and log backups.",
    kinds=frozenset({kinds.ALI_DATABASE}),
    stack_check=_check_alicloud,
)


LOG_BACKUPS = requiring(
    (Requirement(kind=kinds.ALI_DATABASE_BACKUPS, path="enableBackupLog", accepts=is_true, wanted="true"),),
    id="databases-keep-their-log",
    family="backups",
    title="A database of Alibaba Cloud can be brought back to any second",
    severity="high",
    remedy="Set enableBackupLog to true: between two backups the log alone has what was written.",
    frameworks=(),
)


def _check_disks(graph: ResourceGraph, _: PolicySettings) -> Iterable[Finding]:
    for disk in graph.of(kinds.AWS_DISK):
        found, unsure = satellites(graph, kinds.AWS_BACKUP_SELECTION, "resources[]", disk)
        by_tag = any(is_set(read_one(each, "selectionTags")) for each in graph.of(kinds.AWS_BACKUP_SELECTION))
        if not found and not by_tag:
            yield undecided(disk, "its backup selection") if unsure else breach(disk)
    for disk in graph.of(kinds.ALI_DISK):
        found, unsure = satellites(graph, kinds.ALI_DISK_SNAPSHOTS, "diskId", disk)
        if not found:
            yield undecided(disk, "its snapshot policy") if unsure else breach(disk)


DISK_BACKUPS = Rule(
    id="disks-are-backed-up",
    family="backups",
    title="Disks of their own are in a backup plan",
    severity="high",
    message="{where}: no backup plan selects the disk",
    remedy="Name the disk in a backup selection (AWS), or let snapshots be made by a policy (Alibaba Cloud).",
    kinds=frozenset({kinds.AWS_DISK, kinds.ALI_DISK}),
    frameworks=("EC2.28",),
    stack_check=_check_disks,
)


def _is_not(resource: Resource, path: str, value: str) -> bool | None:
    found = read_one(resource, path)
    return None if is_unknown(found) else found != value


SPREAD = requiring(
    (
        Requirement(kind=kinds.AWS_DATABASE, path="multiAz", accepts=is_true, wanted="true"),
        Requirement(kind=kinds.AWS_CACHE, path="multiAzEnabled", accepts=is_true, wanted="true"),
        Requirement(kind=kinds.AWS_CACHE, path="automaticFailoverEnabled", accepts=is_true, wanted="true"),
        Requirement(
            kind=kinds.AWS_SEARCH_DOMAIN, path="clusterConfig.zoneAwarenessEnabled", accepts=is_true, wanted="true"
        ),
        Requirement(
            kind=kinds.AWS_SERVICE,
            path="desiredCount",
            accepts=lambda value: value == 0 or at_least(2)(value),
            wanted="2 or more (or 0: switched off)",
            only=lambda each: _is_not(each, "schedulingStrategy", "DAEMON"),
        ),
        Requirement(
            kind=kinds.AWS_AUTOSCALING_GROUP,
            path="vpcZoneIdentifiers",
            accepts=lambda value: isinstance(value, list | tuple) and len(value) >= 2,
            wanted="two subnets or more",
        ),
        Requirement(
            kind=kinds.AWS_LOAD_BALANCER,
            path="subnets",
            accepts=lambda value: isinstance(value, list | tuple) and len(value) >= 2,
            wanted="two subnets or more",
            only=lambda each: not is_set(read_one(each, "subnetMappings")),
        ),
        Requirement(
            kind=kinds.ALI_DATABASE,
            path="category",
            accepts=one_of(
                "HighAvailability", "AlwaysOn", "Finance", "cluster", "serverless_standard", "serverless_ha"
            ),
            wanted="HighAvailability, cluster, serverless_standard or serverless_ha",
        ),
        Requirement(kind=kinds.ALI_DATABASE, path="zoneIdSlaveA", accepts=is_set, wanted="another zone"),
        Requirement(kind=kinds.ALI_CACHE, path="secondaryZoneId", accepts=is_set, wanted="another zone"),
        Requirement(kind=kinds.ALI_TAIR, path="secondaryZoneId", accepts=is_set, wanted="another zone"),
        Requirement(
            kind=kinds.ALI_ALB,
            path="zoneMappings",
            accepts=lambda value: isinstance(value, list | tuple) and len(value) >= 2,
            wanted="two zones or more",
        ),
        Requirement(
            kind=kinds.ALI_SCALING_GROUP,
            path="vswitchIds",
            accepts=lambda value: isinstance(value, list | tuple) and len(value) >= 2,
            wanted="two switches or more",
        ),
    ),
    id="spread-over-zones",
    family="availability",
    title="Nothing depends on one zone",
    severity="high",
    remedy="Place a standby or another node in a second zone, or use an environment that does without.",
    frameworks=("RDS.5", "CKV_AWS_157", "ElastiCache.3", "ELB.13", "AutoScaling.2"),
)
DELETION = requiring(
    (
        Requirement(kind=kinds.AWS_DATABASE, path="deletionProtection", accepts=is_true, wanted="true"),
        Requirement(kind=kinds.AWS_DATABASE_CLUSTER, path="deletionProtection", accepts=is_true, wanted="true"),
        Requirement(kind=kinds.AWS_LOAD_BALANCER, path="enableDeletionProtection", accepts=is_true, wanted="true"),
        Requirement(kind=kinds.ALI_DATABASE, path="deletionProtection", accepts=is_true, wanted="true"),
        Requirement(kind=kinds.ALI_INSTANCE, path="deletionProtection", accepts=is_true, wanted="true"),
        Requirement(kind=kinds.ALI_CACHE, path="instanceReleaseProtection", accepts=is_true, wanted="true"),
        Requirement(kind=kinds.ALI_ALB, path="deletionProtectionEnabled", accepts=is_true, wanted="true"),
        Requirement(kind=kinds.ALI_KEY, path="deletionProtection", accepts=one_of("Enabled"), wanted="Enabled"),
    ),
    id="deletion-protection",
    family="protection",
    title="The cloud refuses to delete what matters",
    severity="high",
    remedy="Turn deletion protection on; take it off in a change of its own before a deletion that is meant.",
    frameworks=("RDS.7", "RDS.8", "ELB.6", "CKV_AWS_293", "CKV_AWS_139", "CKV_AWS_150"),
)


def _check_protected(resource: Resource, _: PolicySettings) -> Iterable[Finding]:
    if not resource.protected:
        yield breach(resource)


PROTECTED = Rule(
    id="protect-data",
    family="protection",
    title="Pulumi refuses to delete what holds data",
    severity="high",
    message="{where}: the resource holds data and has not the option protect",
    remedy="Set protect=True in the resource's options.",
    kinds=kinds.DATA_KINDS,
    check=_check_protected,
)
FINAL_COPIES = requiring(
    (
        Requirement(
            kind=kinds.AWS_DATABASE,
            path="skipFinalSnapshot",
            accepts=lambda value: not is_true(value),
            wanted="false",
        ),
        Requirement(
            kind=kinds.AWS_BUCKET, path="forceDestroy", accepts=lambda value: not is_true(value), wanted="false"
        ),
        Requirement(
            kind=kinds.AWS_REGISTRY, path="forceDelete", accepts=lambda value: not is_true(value), wanted="false"
        ),
        Requirement(
            kind=kinds.AWS_SECRET,
            path="recoveryWindowInDays",
            accepts=lambda value: value is None or as_number(value) >= 7,
            wanted="7 or more",
        ),
        Requirement(
            kind=kinds.AWS_KEY,
            path="deletionWindowInDays",
            accepts=lambda value: value is None or as_number(value) >= 7,
            wanted="7 or more",
        ),
        Requirement(
            kind=kinds.ALI_BUCKET, path="forceDestroy", accepts=lambda value: not is_true(value), wanted="false"
        ),
        Requirement(
            kind=kinds.ALI_SECRET,
            path="forceDeleteWithoutRecovery",
            accepts=lambda value: not is_true(value),
            wanted="false",
        ),
        Requirement(
            kind=kinds.ALI_DATABASE,
            path="releasedKeepPolicy",
            accepts=one_of("All", "Lastest"),
            wanted="All",
            only=lambda each: None if is_unknown(read_one(each, "engine")) else read_one(each, "engine") == "MySQL",
        ),
    ),
    id="keep-final-copies",
    family="protection",
    title="A deletion leaves a copy, or time to take it back",
    severity="medium",
    remedy="Keep a final snapshot, empty buckets by hand, and leave a window for recovery.",
    frameworks=("KMS.3",),
)
RULES = (BACKUP_DAYS, BACKUP_POLICIES, LOG_BACKUPS, DISK_BACKUPS, SPREAD, DELETION, PROTECTED, FINAL_COPIES)

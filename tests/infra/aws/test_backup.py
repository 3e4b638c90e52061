"""Backups: §10.4's times and ages, each kind of data by its own rules, dumps and archive beside each other."""

from dataclasses import replace
from typing import Any

from infra.aws.backup import BackupArgs, BackupPlan
from infra.facts import SNAPSHOTS_PREFIX
from infra.tagging import Tags
from tests.infra.aws.test_log_buckets import list_days
from tests.infra.recorder import Recording, record
from tests.infra.service.plans import COMPANY, plan_region

PLAN = plan_region(**COMPANY)
TAGS = Tags(environment="prod", stack="aws-prod", more={})


def build(**change: Any) -> Recording:
    values: dict[str, Any] = {
        "spec": PLAN.backup,
        "database": PLAN.database,
        "database_arns": ["arn:db"],
        "disk_arns": ["arn:disk"],
        "kms_key_arn": "arn:key",
        "access_log_bucket": "access",
        "tags": TAGS,
        "protect": True,
        "keeps_copies": True,
    }

    def program() -> None:
        BackupPlan("backup", BackupArgs(**{**values, **change})).cover_indexes(["arn:index-1", "arn:index-2"])

    return record(program)


def read_rules(found: Recording, group: str) -> dict[str, tuple[str, int]]:
    rules = found.one("aws:backup/plan:Plan", f"backup-{group}").props["rules"]
    assert all(rule["targetVaultName"] == "backup-vault-1234567" for rule in rules)
    return {rule["ruleName"]: (rule["schedule"], rule["lifecycle"]["deleteAfter"]) for rule in rules}


def test_disks_are_copied_by_the_hour_the_day_and_the_week() -> None:
    assert read_rules(build(), "disks") == {
        "hourly": ("cron(0 * ? * * *)", 7),
        "daily": ("cron(0 2 ? * * *)", 35),
        "weekly": ("cron(0 3 ? * SUN *)", 90),
    }


def test_where_a_day_may_be_lost_nothing_is_copied_by_the_hour() -> None:
    assert set(read_rules(build(spec=replace(PLAN.backup, rpo_hours=24)), "disks")) == {"daily", "weekly"}


def test_a_database_goes_back_by_itself_and_its_copies_last_as_long() -> None:
    days = PLAN.database.backup_retention_days
    assert read_rules(build(), "databases") == {
        "daily": ("cron(0 2 ? * * *)", days),
        "weekly": ("cron(0 3 ? * SUN *)", days),
    }


def test_each_plan_takes_its_own_resources_and_none_is_made_for_nothing() -> None:
    found = build(disk_arns=[])
    taken = {each.name: each.props["resources"] for each in found.of("aws:backup/selection:Selection")}
    assert taken == {"backup-databases": ["arn:db"], "backup-indexes": ["arn:index-1", "arn:index-2"]}
    assert {each.name for each in found.of("aws:backup/plan:Plan")} == set(taken)


def test_dumps_last_ninety_days_and_the_archive_seven_years_in_glacier_from_the_first_day() -> None:
    found = build()
    assert list_days(found, "backup-dumps") == [PLAN.backup.retention_days] == [90]
    assert list_days(found, "backup-dumps", f"{SNAPSHOTS_PREFIX}/") == [7], "vectors can be made again"
    assert list_days(found, "backup-archive") == [7 * 365]
    rules = found.one(
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", "backup-archive-lifecycle"
    ).props["rules"]
    assert [rule["transitions"] for rule in rules if "transitions" in rule] == [
        [{"days": 0, "storageClass": "GLACIER"}]
    ]


def test_a_lock_allows_every_rule_and_nothing_longer_or_shorter() -> None:
    found = build()
    lock = found.one("aws:backup/vaultLockConfiguration:VaultLockConfiguration").props
    kept = [days for group in ("disks", "databases", "indexes") for _, days in read_rules(found, group).values()]
    assert (lock["minRetentionDays"], lock["maxRetentionDays"]) == (min(kept), max(kept))
    assert "changeableForDays" not in lock, "governance mode: it can be lifted by those who may"
    assert not build(keeps_copies=False).of("aws:backup/vaultLockConfiguration:VaultLockConfiguration")


def test_the_vault_is_protected_and_under_our_key() -> None:
    vault = build().one("aws:backup/vault:Vault")
    assert (vault.protect, vault.props["kmsKeyArn"], vault.props["forceDestroy"]) == (True, "arn:key", False)
    attached = build().of("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    assert {each.props["policyArn"].rpartition("For")[2] for each in attached} == {"Backup", "Restores"}


def test_a_vault_and_its_lock_outlive_the_stack_where_copies_are_kept() -> None:
    found = build(protect=False)
    vault = found.one("aws:backup/vault:Vault")
    assert (vault.protect, vault.retain, vault.props["forceDestroy"]) == (False, True, False)
    assert found.one("aws:backup/vaultLockConfiguration:VaultLockConfiguration").retain
    gone = build(protect=False, keeps_copies=False).one("aws:backup/vault:Vault")
    assert (gone.retain, gone.props["forceDestroy"]) == (False, True)

"""Backups: §10.4's times and ages; dumps and archive beside each other, disks by one policy each."""

from dataclasses import replace
from typing import Any

from infra.alicloud.backup import BackupArgs, BackupPlan, schedule_snapshots
from infra.facts import SNAPSHOTS_PREFIX
from infra.tagging import Tags
from policies.judgement import judge
from policies.settings import PolicySettings
from tests.infra.alicloud.facts import find_limit
from tests.infra.alicloud.test_object_store import age
from tests.infra.recorded_graph import read_recording
from tests.infra.recorder import Recording, record
from tests.infra.service.plans import PERSONAL, plan_region

SPEC = plan_region(**PERSONAL, clouds=["alicloud"]).backup
BUCKET, POLICY = "alicloud:oss/bucket:Bucket", "alicloud:ecs/autoSnapshotPolicy:AutoSnapshotPolicy"
ATTACHMENT = "alicloud:ecs/ecsAutoSnapshotPolicyAttachment:EcsAutoSnapshotPolicyAttachment"


def build(disks: tuple[str, ...] = ("d-1", "d-2"), **change: Any) -> Recording:
    values: dict[str, Any] = {
        "spec": SPEC,
        "kms_key_id": None,
        "account": "1234567890123456",
        "tags": Tags(environment="dev", stack="alicloud-dev", more={}),
        "protect": True,
        "keeps_copies": True,
    }

    def program() -> None:
        BackupPlan("backup", BackupArgs(**{**values, **change})).cover_disks(disks)

    return record(program, config={"alicloud:region": "cn-beijing"})


def test_dumps_last_ninety_days_and_the_archive_seven_years_in_archive_from_the_first_minute() -> None:
    found = build()
    dumps, archive = (found.one(BUCKET, f"backup-{kind}").props for kind in ("dumps", "archive"))
    assert (dumps["storageClass"], archive["storageClass"]) == ("Standard", "Archive")
    assert age("reme/2026-11-22", dumps["lifecycleRules"]) == {"DELETED": SPEC.retention_days} == {"DELETED": 90}
    assert age(f"{SNAPSHOTS_PREFIX}/a", dumps["lifecycleRules"]) == {"DELETED": 7}, "vectors can be made again"
    assert age("reme/2026-11-01", archive["lifecycleRules"]) == {"DELETED": 7 * 365}
    assert dumps["lifecycleRuleAllowSameActionOverlap"] is True, "two rules delete the same snapshot"


def test_the_alarm_on_dumps_knows_the_bucket_by_how_its_name_begins() -> None:
    assert build().one(BUCKET, "backup-dumps").props["bucket"].startswith("backup-dumps-")


def test_a_disk_has_one_policy() -> None:
    found = build()
    attached = {each.props["diskId"]: each.props["autoSnapshotPolicyId"] for each in found.of(ATTACHMENT)}
    assert attached == dict.fromkeys(("d-1", "d-2"), "backup-disks-id")
    assert len(found.of(POLICY)) == find_limit("snapshot policies of a disk")
    policy = found.one(POLICY).props
    assert policy["repeatWeekdays"] == list("1234567")
    assert (policy["timePoints"], policy["retentionDays"]) == ([str(hour) for hour in range(24)], 7)


def test_where_a_day_may_be_lost_snapshots_are_made_at_two_utc_and_last_longer() -> None:
    schedule = schedule_snapshots(replace(SPEC, rpo_hours=24))
    assert (schedule.hours, schedule.kept_days) == ((2 + find_limit("snapshot hour offset"),), 35)
    assert schedule_snapshots(replace(SPEC, rpo_hours=24, retention_days=14)).kept_days == 14


def test_copies_outlive_the_stack_where_they_are_kept() -> None:
    for keeps_copies in (True, False):
        buckets = build(protect=False, keeps_copies=keeps_copies).of(BUCKET)
        assert [(each.retain, each.props["forceDestroy"]) for each in buckets] == [(keeps_copies, not keeps_copies)] * 2


def test_it_keeps_the_policies() -> None:
    found = build(access_log_bucket="access", tags=Tags(environment="prod", stack="alicloud-prod", more={}))
    settings = PolicySettings.model_validate({"environment": "prod"})
    broken = judge(read_recording(found, "alicloud-prod", "cn-beijing"), settings)
    assert [f"{each.rule}: {each.message}" for each in broken] == []

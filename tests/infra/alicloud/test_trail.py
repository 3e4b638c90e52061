"""The audit trail: every event of the account in a bucket that nobody can change for seven years."""

from typing import Any

import pytest

from infra.alicloud.trail import AuditTrail, AuditTrailArgs
from infra.tagging import Tags
from policies.judgement import judge
from policies.settings import PolicySettings
from tests.infra.alicloud.facts import find_limit, find_unknown
from tests.infra.alicloud.test_object_store import age
from tests.infra.recorded_graph import read_recording
from tests.infra.recorder import Recording, record
from tests.infra.service.plans import COMPANY, PERSONAL, PLATFORM, plan_region

SPEC = plan_region(**PERSONAL, clouds=["alicloud"]).log_store
TRAIL, WORM = "alicloud:actiontrail/trail:Trail", "alicloud:oss/bucketWorm:BucketWorm"


def build(*, stack: str = "alicloud-prod", **change: Any) -> Recording:
    values: dict[str, Any] = {
        "spec": SPEC,
        "kms_key_id": None,
        "account": "1234567890123456",
        "region": "cn-beijing",
        "tags": Tags(environment="prod", stack=stack, more={}),
        "protect": True,
        "keeps_copies": True,
        "access_log_bucket": "access",
    }

    def program() -> None:
        AuditTrail("trail", AuditTrailArgs(**{**values, **change}))

    return record(program, stack_name=stack, region="cn-beijing", config={"alicloud:region": "cn-beijing"})


def test_reads_and_writes_of_this_region_go_to_the_locked_bucket() -> None:
    found = build()
    trail = found.one(TRAIL).props
    assert trail["ossBucketName"] == "trail-audit-1a2b3c4d" == found.one(WORM).props["bucket"]
    assert (trail["eventRw"], trail["trailRegion"], trail["status"]) == ("All", "cn-beijing", "Enable")
    assert found.one(TRAIL).protect


def test_the_lock_is_as_long_as_audits_are_kept_and_what_is_older_goes() -> None:
    found = build()
    assert found.one(WORM).props["retentionPeriodInDays"] == SPEC.audit_days == 2555
    rules = found.one("alicloud:oss/bucket:Bucket").props["lifecycleRules"]
    assert age("actiontrail/a", rules) == {"DELETED": SPEC.audit_days}


@pytest.mark.parametrize("workload", [COMPANY, PLATFORM])
def test_a_cluster_s_is_locked_for_seven_years_and_its_bucket_logs_access(workload: dict[str, object]) -> None:
    spec = plan_region(**workload, clouds=["alicloud"]).log_store
    found = build(spec=spec)
    lock = found.one(WORM)
    assert (lock.props["retentionPeriodInDays"], lock.props["status"]) == (2555, "Locked") and lock.retain
    bucket = found.one("alicloud:oss/bucket:Bucket")
    assert bucket.props["logging"]["targetBucket"] == "access" and bucket.protect and bucket.retain


def test_a_stack_that_keeps_nothing_can_be_destroyed() -> None:
    found = build(protect=False, keeps_copies=False)
    assert not found.of(WORM) and not any(each.protect or each.retain for each in found)


def test_values_are_those_of_the_provider_s_pages() -> None:
    trail = build(stack="a-stack-" + "x" * 80).one(TRAIL).props
    assert find_unknown({("trail events", trail["eventRw"]), ("trail status", trail["status"])}) == set()
    assert 6 <= len(trail["trailName"]) <= find_limit("trail name characters")
    assert len(build(stack="a").one(TRAIL).props["trailName"]) >= 6


@pytest.mark.parametrize("environment", ["prod", "cn"])
def test_it_keeps_the_policies(environment: str) -> None:
    found = build(tags=Tags(environment=environment, stack="alicloud-prod", more={}))
    settings = PolicySettings.model_validate({"environment": environment})
    broken = judge(read_recording(found, "alicloud-prod", "cn-beijing"), settings)
    assert [f"{each.rule}: {each.message}" for each in broken] == []

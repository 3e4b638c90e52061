"""The bucket of access logs: a year in China, and nobody deletes what is in it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from infra.alicloud.access_logs import AccessLogs, AccessLogsArgs
from infra.alicloud.private_bucket import PrivateBucket, PrivateBucketArgs
from infra.tagging import Tags
from policies.judgement import judge
from policies.settings import PolicySettings
from tests.infra.alicloud.facts import OF_STACKS
from tests.infra.alicloud.test_object_store import age
from tests.infra.recorded_graph import read_recording
from tests.infra.recorder import Recording, record
from tests.infra.service.plans import COMPANY, plan_region

SPEC = plan_region(**COMPANY, clouds=["alicloud"]).log_store
BUCKET, POLICY = "alicloud:oss/bucket:Bucket", "alicloud:oss/bucketPolicy:BucketPolicy"


def build(*, environment: str = "prod", logging: bool = False, **change: Any) -> Recording:
    values: dict[str, Any] = {
        "spec": SPEC,
        "account": "1234567890123456",
        "region": "cn-hangzhou",
        "tags": Tags(environment=environment, stack="alicloud-prod", more={}),
        "protect": True,
        "keeps_copies": True,
    }

    def program() -> None:
        args = AccessLogsArgs(**{**values, **change})
        logs = AccessLogs("access-logs", args)
        if logging:
            PrivateBucket(
                "dumps",
                PrivateBucketArgs(
                    kms_key_id="key-1",
                    account=args.account,
                    access_log_bucket=logs.bucket,
                    tags=args.tags.named("backup"),
                    protect=True,
                    keeps_copies=True,
                ),
            )

    return record(program, stack_name="alicloud-prod", region="cn-hangzhou", config={"alicloud:region": "cn-hangzhou"})


def test_logs_are_kept_as_long_as_access_lines() -> None:
    short = replace(SPEC, access_days=90)
    assert age("oss/a", build(spec=short).one(BUCKET).props["lifecycleRules"]) == {"DELETED": 365}
    abroad = build(spec=short, region="ap-southeast-1").one(BUCKET)
    assert age("oss/a", abroad.props["lifecycleRules"]) == {"DELETED": 90}


def test_nobody_deletes_them_where_copies_are_kept() -> None:
    found = build()
    bucket = found.one(BUCKET)
    statements = json.loads(found.one(POLICY).props["policy"])["Statement"]
    (forbidden,) = [each for each in statements if "oss:DeleteObjectVersion" in each["Action"]]
    assert (forbidden["Effect"], forbidden["Principal"]) == ("Deny", ["*"])
    assert forbidden["Resource"] == [f"acs:oss:*:1234567890123456:{bucket.props['bucket']}/*"]
    assert bucket.protect and bucket.retain and "logging" not in bucket.props, "it would log about itself"
    lifted = build(protect=False, keeps_copies=False)
    assert "oss:DeleteObject" not in lifted.one(POLICY).props["policy"]
    assert not any(each.protect or each.retain for each in lifted)


@pytest.mark.parametrize("environment", ["prod", "cn"])
def test_a_bucket_that_takes_logs_need_not_log_about_itself(environment: str) -> None:
    settings = PolicySettings.model_validate({"environment": environment})
    found = build(environment=environment, logging=True)
    logged = {each.name: each.props.get("logging", {}).get("targetBucket") for each in found.of(BUCKET)}
    assert logged == {"access-logs-bucket": None, "dumps": found.one(BUCKET, "access-logs-bucket").props["bucket"]}
    broken = judge(read_recording(found, "alicloud-prod", "cn-hangzhou"), settings)
    assert [f"{each.rule}: {each.message}" for each in broken if each.rule not in OF_STACKS] == []
    alone = judge(read_recording(build(environment=environment), "alicloud-prod", "cn-hangzhou"), settings)
    assert {each.rule for each in alone} - OF_STACKS == {"buckets-log-access"}, "nothing writes to it"

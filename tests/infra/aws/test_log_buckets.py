"""The logs' buckets: who may write, how long it is kept, and that nobody deletes it before."""

import json

from infra.aws.log_buckets import LogBuckets, LogBucketsArgs
from infra.facts import AUDIT_PREFIX
from infra.tagging import Tags
from tests.infra.aws.test_private_bucket import read_statements
from tests.infra.recorder import ACCOUNT, Recording, record
from tests.infra.service.plans import COMPANY, plan_region

SPEC = plan_region(**COMPANY).log_store
TAGS = Tags(environment="prod", stack="aws-prod", more={})
ACCESS_ARN = "arn:aws:s3:::logs-access-1234567"
BALANCER_OBJECT = f"{ACCESS_ARN}/AWSLogs/{ACCOUNT}/elasticloadbalancing/eu-west-1/2026/11/22/x.log.gz"


def build(*, keeps_copies: bool = True, region: str = "eu-west-1") -> Recording:
    args = LogBucketsArgs(
        spec=SPEC, region=region, kms_key_arn="arn:key", tags=TAGS, protect=False, keeps_copies=keeps_copies
    )

    def program() -> None:
        LogBuckets("logs", args).let_add("service-role")

    return record(program, region=region)


def list_days(found: Recording, name: str, prefix: str = "") -> list[int]:
    rules = found.one("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", f"{name}-lifecycle").props[
        "rules"
    ]
    matching = [rule for rule in rules if rule["filter"]["prefix"] == prefix]
    return [rule["expiration"]["days"] for rule in matching if "days" in rule.get("expiration", {})]


def test_each_log_is_kept_as_long_as_the_plan_says() -> None:
    found = build()
    assert list_days(found, "logs-access") == [365]
    assert list_days(found, "logs-audit") == [SPEC.audit_days] == [7 * 365]


def test_the_audit_log_is_locked_for_all_its_days() -> None:
    for keeps_copies, mode in ((True, "COMPLIANCE"), (False, "GOVERNANCE")):
        lock = build(keeps_copies=keeps_copies).one(
            "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
        )
        assert lock.name == "logs-audit-lock"
        assert lock.props["rule"]["defaultRetention"] == {"mode": mode, "days": SPEC.audit_days}


def test_the_service_adds_to_the_audit_log_and_does_nothing_else_there() -> None:
    right = build().one("aws:iam/rolePolicy:RolePolicy", "logs-audit-writer").props
    assert right["role"] == "service-role"
    allowed = {each["Sid"]: (each["Action"], each["Resource"]) for each in json.loads(right["policy"])["Statement"]}
    assert allowed == {
        "AddObjects": (["s3:PutObject"], [f"arn:aws:s3:::logs-audit-1234567/{AUDIT_PREFIX}*"]),
        "AddUnderKey": (["kms:GenerateDataKey"], ["arn:key"]),
    }


def test_trails_of_this_account_deliver_to_the_audit_log() -> None:
    statements = read_statements(build(), "logs-audit")
    trail = statements["Trails"]
    assert (trail["Action"], trail["Principal"]) == ("s3:PutObject", {"Service": "cloudtrail.amazonaws.com"})
    assert trail["Resource"] == f"arn:aws:s3:::logs-audit-1234567/AWSLogs/{ACCOUNT}/*"
    source = {"aws:SourceArn": f"arn:aws:cloudtrail:eu-west-1:{ACCOUNT}:trail/*"}
    assert trail["Condition"]["ArnLike"] == statements["TrailLooksUp"]["Condition"]["ArnLike"] == source


def test_writers_of_access_logs_are_admitted_from_this_account_alone() -> None:
    statements = read_statements(build(), "logs-access")
    admitted = {each["Sid"]: each for each in statements.values() if each["Effect"] == "Allow"}
    assert {each["Principal"]["Service"] for each in admitted.values()} == {
        "logdelivery.elasticloadbalancing.amazonaws.com",
        "delivery.logs.amazonaws.com",
        "logging.s3.amazonaws.com",
    }
    assert all(ACCOUNT in str(each["Condition"]) for each in admitted.values())
    assert all(each["Action"] in ("s3:PutObject", "s3:GetBucketAcl") for each in admitted.values())
    assert admitted["BucketLogs"]["Resource"] == f"{ACCESS_ARN}/*"
    assert admitted["BalancerLogs"]["Resource"][0] == BALANCER_OBJECT.partition("elastic")[0] + "*"
    assert admitted["BalancerLogs"]["Condition"]["ArnLike"]["aws:SourceArn"] == (
        f"arn:aws:elasticloadbalancing:eu-west-1:{ACCOUNT}:loadbalancer/*"
    )
    sources = admitted["DeliveredLogs"]["Condition"]["ArnLike"]["aws:SourceArn"]
    assert sources == [f"arn:aws:logs:{region}:{ACCOUNT}:*" for region in ("eu-west-1", "us-east-1")], (
        "flow logs of the region, and the CDN's from its own"
    )


def test_nobody_deletes_access_logs_of_a_stack_that_keeps_copies() -> None:
    kept = read_statements(build(), "logs-access")["KeepUntilExpired"]
    assert (kept["Effect"], kept["Principal"], kept["Resource"]) == ("Deny", {"AWS": "*"}, f"{ACCESS_ARN}/*")
    assert set(kept["Action"]) == {"s3:DeleteObject", "s3:DeleteObjectVersion"}
    assert "KeepUntilExpired" not in read_statements(build(keeps_copies=False), "logs-access"), "a test stack can go"


def test_access_logs_lie_under_s3s_keys_and_the_audit_log_under_ours() -> None:
    found = build()
    for name, algorithm in (("access", "AES256"), ("audit", "aws:kms")):
        (rule,) = found.one(
            "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
            f"logs-{name}-encryption",
        ).props["rules"]
        assert rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"] == algorithm
    assert found.one("aws:s3/bucketLogging:BucketLogging").props["bucket"] == "logs-audit-1234567"

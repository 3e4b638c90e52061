"""The database: as large as the plan, reached by the service alone, over TLS, with its memories out of the logs."""

from typing import Any

import pulumi
import pytest

from infra.aws.database import Database, DatabaseArgs
from infra.aws.fixed_names import FOREVER, round_retention
from infra.naming import fix_name
from infra.tagging import Tags
from tests.infra.recorder import Recording, record
from tests.infra.service.plans import COMPANY, plan_region

SPEC = plan_region(**COMPANY).database
TAGS = Tags(environment="prod", stack="aws-prod", more={})
INSTANCE = "aws:rds/instance:Instance"


def build(**change: Any) -> Recording:
    values: dict[str, Any] = {
        "spec": SPEC,
        "vpc_id": "vpc-1",
        "subnet_ids": ["subnet-1", "subnet-2"],
        "client_security_group_ids": ["sg-service"],
        "password": "a generated password",
        "kms_key_arn": "arn:data",
        "log_key_arn": "arn:log",
        "log_days": 90,
        "tags": TAGS,
        "protect": True,
        "keeps_copies": True,
    }

    def program() -> None:
        made = Database("database", DatabaseArgs(**{**values, **change}))
        pulumi.export("place", pulumi.Output.format("{0}:{1}/{2}", made.endpoint, made.port, made.name))

    return record(program)


def test_it_is_what_the_plan_says() -> None:
    props = build().one(INSTANCE).props
    assert (props["engine"], props["instanceClass"]) == ("postgres", SPEC.instance_class)
    assert (props["allocatedStorage"], props["storageType"]) == (SPEC.storage_gb, "gp3")
    assert (props["multiAz"], props["backupRetentionPeriod"]) == (SPEC.multi_zone, SPEC.backup_retention_days)
    assert props["maxAllocatedStorage"] >= props["allocatedStorage"] * 1.1, "RDS refuses less"


def test_only_the_service_reaches_it_and_only_on_its_port() -> None:
    found = build()
    props = found.one(INSTANCE).props
    assert (props["publiclyAccessible"], props["vpcSecurityGroupIds"]) == (False, ["database-group-id"])
    (rule,) = found.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    assert rule.props["referencedSecurityGroupId"] == "sg-service"
    assert rule.props["fromPort"] == rule.props["toPort"] == props["port"] != 5432
    assert found.of("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule") == []


def test_the_password_is_a_secret_and_everything_is_encrypted_under_our_key() -> None:
    instance = build().one(INSTANCE)
    assert "password" in instance.secret
    assert instance.props["username"] not in ("postgres", "admin")
    assert instance.props["storageEncrypted"] is True
    assert instance.props["kmsKeyId"] == instance.props["performanceInsightsKmsKeyId"] == "arn:data"


def test_connections_need_tls_and_slow_statements_are_logged_without_texts() -> None:
    group = build().one("aws:rds/parameterGroup:ParameterGroup").props
    parameters = {each["name"]: (each["value"], each["applyMethod"]) for each in group["parameters"]}
    assert parameters["rds.force_ssl"] == ("1", "immediate")
    assert parameters["log_min_duration_statement"] == ("1000", "immediate")
    for name in ("log_parameter_max_length", "log_parameter_max_length_on_error"):
        assert parameters[name] == ("0", "immediate")
    assert parameters["shared_preload_libraries"] == ("pg_stat_statements", "pending-reboot"), "a static one"
    assert group["family"] == f"postgres{build().one(INSTANCE).props['engineVersion']}"


def test_logs_lie_in_groups_that_end_and_are_there_before_the_first_line() -> None:
    found = build()
    identifier = found.one(INSTANCE).props["identifier"]
    groups = {each.props["name"]: each.props for each in found.of("aws:cloudwatch/logGroup:LogGroup")}
    exported = found.one(INSTANCE).props["enabledCloudwatchLogsExports"]
    assert set(groups) == {f"/aws/rds/instance/{identifier}/{log}" for log in exported}
    assert all((each["retentionInDays"], each["kmsKeyId"]) == (90, "arn:log") for each in groups.values())


@pytest.mark.parametrize("keeps_copies", [True, False])
@pytest.mark.parametrize("protect", [True, False])
def test_protection_refuses_a_deletion_and_copies_outlive_it(protect: bool, keeps_copies: bool) -> None:
    instance = build(protect=protect, keeps_copies=keeps_copies).one(INSTANCE)
    assert instance.protect is protect
    assert instance.props["deletionProtection"] is protect
    assert instance.props["skipFinalSnapshot"] is not keeps_copies
    assert instance.props["deleteAutomatedBackups"] is not keeps_copies
    assert ("finalSnapshotIdentifier" in instance.props) is keeps_copies


def test_the_service_is_told_where_it_is() -> None:
    assert build().outputs["place"] == "database-instance.us-east-1.rds.amazonaws.com:5433/reme"


def test_fixed_names_keep_to_their_limits_and_apart() -> None:
    assert fix_name("aws-prod", "database", 63) == "aws-prod-database"
    assert fix_name("9_Lives--", "cache", 40) == "s-9-lives-cache"
    long = [fix_name(f"{'x' * 60}{end}", "cache", 40) for end in "ab"]
    assert all(len(each) == 40 for each in long)
    assert long[0] != long[1]


def test_logs_are_kept_no_shorter_than_wanted() -> None:
    assert [round_retention(days) for days in (1, 90, 100, 2555, 4000)] == [1, 90, 120, 2557, FOREVER]

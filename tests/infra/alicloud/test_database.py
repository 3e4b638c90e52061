"""The database: as large as the plan, reached from the service's own networks alone, encrypted where RDS can."""

import json
from dataclasses import replace
from typing import Any

import pulumi
import pytest

from infra.alicloud.database import Database, DatabaseArgs, choose_collected_days
from infra.service.configuration import APSARADB_AUTHORITIES_URL
from infra.tagging import Tags
from sizing.plan import DatabaseSpec
from tests.infra.alicloud.computed import ACCOUNT
from tests.infra.recorder import Recording, record

SERVERLESS = DatabaseSpec(
    engine="postgresql",
    edition="serverless",
    instance_class="",
    capacity_units=4.0,
    multi_zone=True,
    storage_gb=30,
    memory_needed_gb=8.0,
    backup_retention_days=35,
)
INSTANCE = replace(SERVERLESS, edition="instance", instance_class="pg.x4.large.2c", capacity_units=0.0)
TYPE = "alicloud:rds/instance:Instance"


def build(**change: Any) -> Recording:
    values: dict[str, Any] = {
        "spec": SERVERLESS,
        "zone_names": ["cn-hangzhou-h", "cn-hangzhou-i", "cn-hangzhou-j"],
        "subnet_ids": ["vsw-1", "vsw-2", "vsw-3"],
        "vpc_id": "vpc-1",
        "client_cidrs": ["10.20.16.0/20", "10.20.0.0/20"],
        "password": "Generated0Password",
        "kms_key_id": "key-data",
        "log_days": 90,
        "tags": Tags(environment="prod", stack="alicloud-prod", more={}),
        "protect": True,
        "keeps_copies": True,
    }

    def program() -> None:
        made = Database("database", DatabaseArgs(**{**values, **change}))
        pulumi.export("place", pulumi.Output.format("{0}:{1}/{2}", made.endpoint, made.port, made.name))
        pulumi.export("trust", [made.tls, made.authorities_url])

    return record(program, region="cn-hangzhou")


def test_a_serverless_one_has_the_plans_units_at_least_and_never_pauses() -> None:
    props = build().one(TYPE).props
    assert (props["engine"], props["instanceChargeType"]) == ("PostgreSQL", "Serverless")
    assert (props["category"], props["instanceType"]) == ("serverless_standard", "pg.n2.serverless.2c")
    (units,) = props["serverlessConfigs"]
    assert (units["minCapacity"], units["maxCapacity"], units["autoPause"]) == (4, 8, False)
    assert (props["instanceStorage"], props["dbInstanceStorageType"]) == (30, "cloud_essd")


@pytest.mark.parametrize(("planned", "most"), [(8.0, 14), (14.0, 14)])
def test_units_grow_to_what_rds_sells(planned: float, most: float) -> None:
    props = build(spec=replace(SERVERLESS, capacity_units=planned)).one(TYPE).props
    (units,) = props["serverlessConfigs"]
    assert (units["minCapacity"], units["maxCapacity"]) == (planned, most)


def test_the_standby_is_in_the_second_zone_and_where_there_is_none_there_is_one_zone() -> None:
    props = build().one(TYPE).props
    assert (props["zoneId"], props["zoneIdSlaveA"], props["vswitchId"]) == (
        "cn-hangzhou-h",
        "cn-hangzhou-i",
        "vsw-1,vsw-2",
    )
    alone = build(spec=replace(SERVERLESS, multi_zone=False)).one(TYPE).props
    assert (alone["category"], alone["instanceType"]) == ("serverless_basic", "pg.n2.serverless.1c")
    assert alone["vswitchId"] == "vsw-1" and "zoneIdSlaveA" not in alone


def test_a_class_of_its_own_has_tls_and_a_disk_under_our_key() -> None:
    found = build(spec=INSTANCE)
    props = found.one(TYPE).props
    assert (props["instanceChargeType"], props["category"]) == ("Postpaid", "HighAvailability")
    assert props["instanceType"] == "pg.x4.large.2c"
    assert (props["sslAction"], props["caType"]) == ("Open", "aliyun")
    assert props["encryptionKey"] == "key-data" and "tdeStatus" not in props
    assert props["roleArn"] == f"acs:ram::{ACCOUNT}:role/aliyunrdsinstanceencryptiondefaultrole"
    assert (props["storageAutoScale"], props["storageUpperBound"]) == ("Enable", 60)
    assert found.outputs["trust"] == [True, APSARADB_AUTHORITIES_URL]


def test_what_rds_gives_no_serverless_instance_is_not_asked_for_and_said() -> None:
    found = build()
    props = found.one(TYPE).props
    assert not {"sslAction", "caType", "encryptionKey", "storageAutoScale"} & props.keys()
    assert props["tdeStatus"] == "Enabled"
    assert found.outputs["trust"] == [False, ""]


@pytest.mark.parametrize(("instance_class", "kms_key_id"), [("pg.x4.large.2c", None), ("pg.n2.medium.2c", "key-data")])
def test_where_no_key_of_ours_can_be_used_rdss_own_encrypts_the_disk(
    instance_class: str, kms_key_id: str | None
) -> None:
    """Which is a call of its own, before anything is put on the disk; general-purpose classes take no other key."""
    found = build(spec=replace(INSTANCE, instance_class=instance_class), kms_key_id=kms_key_id, keeps_copies=False)
    props = found.one(TYPE).props
    assert props["tdeStatus"] == "Enabled" and "encryptionKey" not in props
    run = found.one("alicloud:oos/execution:Execution")
    assert json.loads(run.props["parameters"]) == {"instanceId": "database-instance-id"}
    assert run.retain, "a record that cannot be deleted once it is forgotten"
    template = found.one("alicloud:oos/template:Template").props
    assert run.props["templateName"] == template["templateName"]
    encrypt, _, wait = json.loads(template["content"])["Tasks"]
    assert (encrypt["Properties"]["Service"], encrypt["Properties"]["API"]) == ("RDS", "ModifyDBInstanceConfig")
    told = encrypt["Properties"]["Parameters"]
    assert (told["ConfigName"], told["ConfigValue"], told["DBInstanceId"]) == (
        "encryptionKey",
        "ServiceKey",
        "{{ instanceId }}",
    )
    assert wait["Properties"]["DesiredValues"] == ["Running"]


def test_a_disk_that_is_encrypted_already_or_cannot_be_is_left_alone() -> None:
    for spec in (SERVERLESS, INSTANCE):
        assert not build(spec=spec).of("alicloud:oos/execution:Execution")


def test_only_the_services_networks_reach_it() -> None:
    found = build()
    assert found.one(TYPE).props["securityIps"] == ["10.20.0.0/20", "10.20.16.0/20"]
    assert not [each for each in found if "onnection" in each.type], "a connection would be a public address"


def test_the_password_is_a_secret_and_the_account_may_create_the_extension() -> None:
    account = build().one("alicloud:rds/rdsAccount:RdsAccount")
    assert "accountPassword" in account.secret
    assert (account.props["accountName"], account.props["accountType"]) == ("reme", "Super")


def test_connections_are_logged_and_texts_of_statements_are_not() -> None:
    props = build().one(TYPE).props
    parameters = {each["name"]: each["value"] for each in props["parameters"]}
    assert [parameters[name] for name in ("log_connections", "log_disconnections", "log_duration")] == ["on"] * 3
    assert (parameters["log_min_duration_statement"], parameters["log_statement"]) == ("-1", "ddl")


@pytest.mark.parametrize(("days", "kept"), [(90, 180), (180, 180), (200, 365), (2555, 1825)])
def test_statements_are_collected_for_half_a_year_at_least(days: int, kept: int) -> None:
    assert choose_collected_days(days) == kept
    props = build(log_days=days).one(TYPE).props
    assert (props["sqlCollectorStatus"], props["sqlCollectorConfigValue"]) == ("Enabled", kept)


@pytest.mark.parametrize(("planned", "kept"), [(35, 35), (3, 7)])
def test_it_goes_back_to_any_minute_of_the_plans_days(planned: int, kept: int) -> None:
    found = build(spec=replace(SERVERLESS, backup_retention_days=planned))
    policy = found.one("alicloud:rds/backupPolicy:BackupPolicy").props
    assert policy["instanceId"] == "database-instance-id"
    assert len(policy["preferredBackupPeriods"]) == 7
    assert policy["enableBackupLog"] is True
    assert policy["backupRetentionPeriod"] == policy["logBackupRetentionPeriod"] == kept


@pytest.mark.parametrize("keeps_copies", [True, False])
@pytest.mark.parametrize("protect", [True, False])
def test_protection_refuses_a_deletion_and_copies_outlive_it(protect: bool, keeps_copies: bool) -> None:
    found = build(protect=protect, keeps_copies=keeps_copies)
    instance, database = found.one(TYPE), found.one("alicloud:rds/database:Database")
    assert instance.protect is database.protect is instance.props["deletionProtection"] is protect
    assert {each.retain for each in found if each.type.startswith("alicloud:")} == {keeps_copies}
    assert ("releasedKeepPolicy" in instance.props) is keeps_copies


def test_the_service_is_told_where_it_is() -> None:
    assert build().outputs["place"] == "database-instance.pg.rds.aliyuncs.com:5432/reme"

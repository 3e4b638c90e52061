"""The cache: over TLS and with a password, for the service alone, with a replica where the plan has two nodes."""

from dataclasses import replace
from typing import Any

import pytest

from infra.aws.cache import Cache, CacheArgs
from infra.tagging import Tags
from tests.infra.recorder import Recording, record
from tests.infra.service.plans import COMPANY, plan_region

SPEC = plan_region(**COMPANY).cache
TAGS = Tags(environment="prod", stack="aws-prod", more={})
GROUP = "aws:elasticache/replicationGroup:ReplicationGroup"


def build(watched: list[str] | None = None, **change: Any) -> Recording:
    watched = [] if watched is None else watched
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
    }

    def program() -> None:
        made = Cache("cache", CacheArgs(**{**values, **change}))
        watched.extend(made.member_ids)

    return record(program)


def test_it_is_what_the_plan_says_and_a_replica_takes_over_by_itself() -> None:
    for nodes in (2, 1):
        props = build(spec=replace(SPEC, nodes=nodes)).one(GROUP).props
        assert (props["nodeType"], props["numCacheClusters"]) == (SPEC.node_class, nodes)
        assert props["automaticFailoverEnabled"] is props["multiAzEnabled"] is (nodes > 1)


@pytest.mark.parametrize(("engine", "family"), [("valkey", "valkey8"), ("redis", "redis7")])
def test_version_and_parameters_belong_to_the_engine(engine: Any, family: str) -> None:
    found = build(spec=replace(SPEC, engine=engine))
    assert found.one(GROUP).props["engine"] == engine
    assert found.one(GROUP).props["engineVersion"].startswith(family[-1] + ".")
    assert found.one("aws:elasticache/parameterGroup:ParameterGroup").props["family"] == family


def test_it_is_encrypted_on_disk_and_on_the_wire_and_wants_a_password() -> None:
    group = build().one(GROUP)
    assert group.props["atRestEncryptionEnabled"] is group.props["transitEncryptionEnabled"] is True
    assert (group.props["transitEncryptionMode"], group.props["kmsKeyId"]) == ("required", "arn:data")
    assert "authToken" in group.secret


def test_only_the_service_reaches_it() -> None:
    found = build()
    (rule,) = found.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    assert (rule.props["referencedSecurityGroupId"], rule.props["fromPort"]) == ("sg-service", 6379)
    assert found.one(GROUP).props["securityGroupIds"] == ["cache-group-id"]


def test_no_command_is_logged_and_what_is_logged_ends() -> None:
    found = build()
    assert [each["logType"] for each in found.one(GROUP).props["logDeliveryConfigurations"]] == ["engine-log"]
    log = found.one("aws:cloudwatch/logGroup:LogGroup").props
    assert (log["retentionInDays"], log["kmsKeyId"]) == (90, "arn:log")


def test_its_members_have_elasticaches_names_so_that_alarms_can_watch_each() -> None:
    members: list[str] = []
    found = build(members)
    identifier = found.one(GROUP).props["replicationGroupId"]
    assert len(identifier) <= 40
    assert members == [f"{identifier}-001", f"{identifier}-002"]

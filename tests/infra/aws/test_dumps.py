"""The dump job on a cluster and on a host: when, from what, to where, and with which rights."""

import base64
import gzip
import json
from typing import Any

import pytest
import yaml

from infra.service.dumps import DUMPS
from tests.infra.recorder import Recording
from tests.infra.stacks import record_stack


@pytest.fixture(scope="module")
def cluster() -> Recording:
    return record_stack("aws-prod")


@pytest.fixture(scope="module")
def host() -> Recording:
    return record_stack("aws-dev")


def read_statements(found: Recording, name: str) -> list[dict[str, Any]]:
    document = json.loads(found.one("aws:iam/rolePolicy:RolePolicy", name).props["policy"])
    return list(document["Statement"])


def name_buckets(found: Recording) -> dict[str, dict[str, Any]]:
    return {dump.name: dict(found.one("aws:s3/bucket:Bucket", f"backup-{dump.name}-bucket").props) for dump in DUMPS}


@pytest.mark.slow
def test_a_cluster_dumps_by_the_week_and_by_the_month(cluster: Recording) -> None:
    schedules = {each.name: each.props for each in cluster.of("aws:scheduler/schedule:Schedule")}
    assert {name: each["scheduleExpression"] for name, each in schedules.items()} == {
        "dumps-dumps": "cron(0 3 ? * SUN *)",
        "dumps-archive": "cron(0 5 1 * ? *)",
    }
    for name, each in schedules.items():
        assert each["scheduleExpressionTimezone"] == "UTC"
        (override,) = json.loads(each["target"]["input"])["containerOverrides"]
        assert override["name"] == "reme"
        command = override["command"]
        assert command[0] == "backup"
        assert command[-1].startswith(f"s3://backup-{name.removeprefix('dumps-')}")
        assert command[-1].endswith("/reme")


def test_the_task_is_the_services_image_without_its_port(cluster: Recording) -> None:
    task = cluster.one("aws:ecs/taskDefinition:TaskDefinition", "dumps-task").props
    service = cluster.one("aws:ecs/taskDefinition:TaskDefinition", "service-task").props
    preparation, dump = json.loads(task["containerDefinitions"])
    serving = next(each for each in json.loads(service["containerDefinitions"]) if each["name"] == "reme")
    assert (dump["image"], dump["environment"], dump["secrets"]) == (
        serving["image"],
        serving["environment"],
        serving["secrets"],
    )
    assert dump["readonlyRootFilesystem"] is True
    assert not {"portMappings", "healthCheck"} & dump.keys()
    assert dump["dependsOn"] == [{"containerName": preparation["name"], "condition": "SUCCESS"}]
    assert task["executionRoleArn"] == service["executionRoleArn"]
    assert task["taskRoleArn"] != service["taskRoleArn"]


def test_its_role_writes_to_the_two_buckets_and_does_nothing_else(cluster: Recording) -> None:
    statements = read_statements(cluster, "dumps-task-role-policy")
    assert {action for each in statements for action in each["Action"]} == {"s3:PutObject", "kms:GenerateDataKey"}
    (writing,) = (each for each in statements if each["Action"] == ["s3:PutObject"])
    assert len(writing["Resource"]) == 2
    assert all("backup-" in each and each.endswith("/*") for each in writing["Resource"])


def test_the_scheduler_may_start_this_task_here_alone(cluster: Recording) -> None:
    run, give, *_ = read_statements(cluster, "dumps-scheduler-role-policy")
    task = cluster.one("aws:ecs/taskDefinition:TaskDefinition", "dumps-task").props
    assert run["Action"] == ["ecs:RunTask"]
    assert len(run["Resource"]) == 1
    assert "ecs:cluster" in run["Condition"]["ArnEquals"]
    assert set(give["Resource"]) == {task["taskRoleArn"], task["executionRoleArn"]}
    trust = json.loads(cluster.one("aws:iam/role:Role", "dumps-scheduler-role").props["assumeRolePolicy"])
    (statement,) = trust["Statement"]
    assert statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def test_a_dump_that_fails_is_told(cluster: Recording) -> None:
    rule = cluster.one("aws:cloudwatch/eventRule:EventRule", "dumps-failed").props
    detail = json.loads(rule["eventPattern"])["detail"]
    assert len(detail["taskDefinitionArn"]) == 1
    assert {"containers": {"exitCode": [{"anything-but": [0]}]}} in detail["$or"]
    target = cluster.one("aws:cloudwatch/eventTarget:EventTarget", "dumps-failed").props
    assert target["arn"] == cluster.one("aws:sns/topicPolicy:TopicPolicy").props["arn"]


def test_a_host_dumps_by_timers_that_its_first_start_enables(host: Recording) -> None:
    packed = host.one("aws:ec2/instance:Instance").props["userDataBase64"]
    files = {
        file["path"]: file["content"]
        for file in yaml.safe_load(gzip.decompress(base64.b64decode(packed)))["write_files"]
    }
    for dump in DUMPS:
        unit = files[f"/etc/systemd/system/reme-{dump.name}.service"]
        assert f"/opt/reme/current/bin/reme backup --scratch {dump.scratch} ${{{dump.variable}}}\n" in unit
        assert "\nUser=reme\n" in unit
        assert f"OnCalendar={dump.calendar}\n" in files[f"/etc/systemd/system/reme-{dump.name}.timer"]
        assert f"reme-{dump.name}.timer" in files["/usr/local/sbin/reme-first-start"]


def test_a_host_is_told_its_buckets_with_its_settings(host: Recording) -> None:
    parameters = host.one("aws:ssm/association:Association").props["parameters"]
    environment = base64.b64decode(parameters["Environment"]).decode().splitlines()
    found = dict(line.split("=", 1) for line in environment)
    for dump in DUMPS:
        assert found[dump.variable].startswith(f'"s3://backup-{dump.name}')
    assert found["AWS_DEFAULT_REGION"] == '"us-east-1"'


def test_a_hosts_role_writes_dumps_and_does_not_read_or_delete_them(host: Recording) -> None:
    statements = read_statements(host, "host-role-policy")
    about = [each for each in statements if any("backup-" in resource for resource in each["Resource"])]
    assert [each["Action"] for each in about] == [["s3:PutObject"]]
    assert len(about[0]["Resource"]) == 2

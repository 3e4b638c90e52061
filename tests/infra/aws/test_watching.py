"""Managed Prometheus and Datadog: who sends what where, by which right, and who is told."""

import base64
import gzip
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.alarms import limit_tokens
from infra.alert_rules import build_rules
from infra.aws.roles import UNSCOPED_ACTIONS
from infra.aws.tasks import share_node
from infra.collector import RESERVED_MB
from infra.datadog import RESERVED_MB as AGENT_MB
from infra.errors import InvalidStack, MissingSetting
from tests.infra.recorder import Recording
from tests.infra.stacks import ALTERNATIVES, plan_recorded, record_stack

TASK = "aws:ecs/taskDefinition:TaskDefinition"
WRITE_URL = "https://aps-workspaces.us-east-1.amazonaws.com/workspaces/ws-metrics-workspace/api/v1/remote_write"


def deploy(name: str) -> Recording:
    stack, more = ALTERNATIVES[name]
    return record_stack(stack, more)


@pytest.fixture(scope="module")
def managed() -> Recording:
    return deploy("managed prometheus")


@pytest.fixture(scope="module")
def datadog() -> Recording:
    return deploy("datadog")


def read_containers(made: Recording, task: str) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in json.loads(made.one(TASK, task).props["containerDefinitions"])}


def read_policy(made: Recording, name: str) -> dict[str, dict[str, Any]]:
    policy = json.loads(made.one("aws:iam/rolePolicy:RolePolicy", name).props["policy"])
    return {each["Sid"]: each for each in policy["Statement"]}


class TestManagedPrometheus:
    def test_each_task_sends_its_metrics_and_goes_on_without_the_collector(self, managed: Recording) -> None:
        containers = read_containers(managed, "service-task")
        collector = containers["collector"]
        assert not collector["essential"] and collector["readonlyRootFilesystem"] and not collector.get("secrets")
        (variable,) = collector["environment"]
        settings = json.loads(variable["value"])
        assert settings["remote_write"] == [{"url": WRITE_URL, "sigv4": {"region": "us-east-1"}}]
        assert settings["scrape_configs"][0]["static_configs"] == [{"targets": ["127.0.0.1:8002"]}]
        assert list(containers)[-1] == "reme" and "dependsOn" in containers["reme"]

    def test_its_memory_is_taken_from_the_services_share(self, managed: Recording) -> None:
        spec = plan_recorded("aws-prod").region.compute
        containers = read_containers(managed, "service-task")
        reserved = sum(each["memoryReservation"] for each in containers.values())
        assert containers["reme"]["memoryReservation"] == share_node(spec).reserved_mb - RESERVED_MB
        assert 2 * reserved <= share_node(spec).limit_mb, "an update needs room for two tasks on a node"

    def test_its_shell_tells_tasks_apart_and_writes_the_settings(self, managed: Recording, tmp_path: Path) -> None:
        collector = read_containers(managed, "service-task")["collector"]
        (script,) = collector["command"]
        server = tmp_path / "prometheus"
        server.write_text('#!/bin/sh\necho "$TASK $@"\n', encoding="utf-8")
        server.chmod(0o755)
        script = script.replace("/tmp", str(tmp_path)).replace("/bin/prometheus", str(server))  # noqa: S108
        given = {
            "PATH": os.environ["PATH"],
            "ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/0a1b-32",
            "CONFIGURATION": collector["environment"][0]["value"],
        }
        done = subprocess.run([*collector["entryPoint"], script], env=given, capture_output=True, text=True, check=True)
        assert done.stdout.startswith("0a1b-32 --agent --config.file=")
        assert (tmp_path / "agent.json").read_text() == given["CONFIGURATION"]

    def test_the_task_may_write_to_the_workspace_and_grafana_may_read_it(self, managed: Recording) -> None:
        arn = "arn:aws:amp:us-east-1:123456789012:metrics-workspace"
        assert read_policy(managed, "service-task-role-policy")["SendMetrics"] == {
            "Sid": "SendMetrics",
            "Effect": "Allow",
            "Action": ["aps:RemoteWrite"],
            "Resource": [arn],
        }
        (reading,) = read_policy(managed, "metrics-grafana-role-policy").values()
        assert reading["Resource"] == [arn] and not [each for each in reading["Action"] if "*" in each or "Put" in each]

    @pytest.mark.slow
    def test_rules_are_the_shipped_ones_at_the_plans_limit_and_tell_the_topic(self, managed: Recording) -> None:
        plan = plan_recorded(*ALTERNATIVES["managed prometheus"]).region
        rules = managed.one("aws:amp/ruleGroupNamespace:RuleGroupNamespace").props["data"]
        assert yaml.safe_load(rules) == build_rules(limit_tokens(plan.load), of_nodes=False)
        definition = yaml.safe_load(
            managed.one("aws:amp/alertManagerDefinition:AlertManagerDefinition").props["definition"]
        )
        settings = yaml.safe_load(definition["alertmanager_config"])
        (receiver,) = settings["receivers"]
        topic = "arn:aws:sns:us-east-1:123456789012:notices-topic"
        assert settings["route"]["receiver"] == receiver["name"]
        assert receiver["sns_configs"][0]["topic_arn"] == topic
        policy = json.loads(managed.one("aws:sns/topicPolicy:TopicPolicy").props["policy"])
        (alerts,) = [each for each in policy["Statement"] if each["Sid"] == "PublishAlerts"]
        assert alerts["Principal"] == {"Service": "aps.amazonaws.com"} and alerts["Condition"]["StringEquals"]
        usual = json.loads(record_stack("aws-prod").one("aws:sns/topicPolicy:TopicPolicy").props["policy"])
        assert "PublishAlerts" not in {each["Sid"] for each in usual["Statement"]}

    @pytest.mark.slow
    def test_people_sign_in_as_the_stack_is_told(self) -> None:
        stack, more = ALTERNATIVES["managed prometheus"]
        for sign_in in ("SAML", "AWS_SSO"):
            made = record_stack(stack, {**more, "reme-cloud:alerts": {"grafana_sign_in": sign_in}})
            assert made.one("aws:grafana/workspace:Workspace").props["authenticationProviders"] == [sign_in]

    def test_the_outputs_say_where_to_look(self, managed: Recording) -> None:
        assert managed.outputs["metrics_url"] == WRITE_URL.removesuffix("api/v1/remote_write")
        assert managed.outputs["grafana_url"].startswith("https://g-")

    @pytest.mark.parametrize("kind", ["managed-prometheus", "prometheus"])
    def test_a_single_host_is_not_watched_by_it(self, kind: str) -> None:
        workload = {"reme-cloud:workload": {"users": 60, "overrides": {"monitoring": kind}}}
        with pytest.raises(InvalidStack, match="cloud or datadog"):
            record_stack("aws-team", workload)


class TestDatadog:
    def test_an_agent_runs_once_on_each_node_in_its_network(self, datadog: Recording) -> None:
        service = datadog.one("aws:ecs/service:Service", "datadog-service").props
        assert service["schedulingStrategy"] == "DAEMON"
        task = datadog.one(TASK, "datadog-task").props
        assert task["networkMode"] == "host" and "pidMode" not in task and "taskRoleArn" not in task
        agent = read_containers(datadog, "datadog-task")["datadog-agent"]
        assert not agent["privileged"] and all(mount["readOnly"] for mount in agent["mountPoints"])
        assert {mount["sourceVolume"] for mount in agent["mountPoints"]} == {each["name"] for each in task["volumes"]}

    def test_keys_are_secrets_that_the_execution_role_reads(self, datadog: Recording) -> None:
        agent = read_containers(datadog, "datadog-task")["datadog-agent"]
        sources = {each["name"]: each["valueFrom"] for each in agent["secrets"]}
        assert set(sources) == {"DD_API_KEY", "REME_METRICS_KEY"}
        readable = read_policy(datadog, "service-execution-role-policy")["ReadSecrets"]["Resource"]
        assert set(sources.values()) <= set(readable)
        assert "%%env_REME_METRICS_KEY%%" in json.dumps(
            read_containers(datadog, "service-task")["reme"]["dockerLabels"]
        )

    def test_the_service_does_not_get_datadogs_key(self, datadog: Recording) -> None:
        service = read_containers(datadog, "service-task")["reme"]
        assert "DD_API_KEY" not in {each["name"] for each in service["secrets"]}

    def test_agents_reach_the_tasks_at_the_services_port_only(self, datadog: Recording) -> None:
        rule = datadog.one("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "datadog-to-service").props
        assert rule["referencedSecurityGroupId"] == "service-capacity-group-id"
        assert (rule["fromPort"], rule["toPort"], rule["securityGroupId"]) == (8002, 8002, "service-group-id")

    def test_its_memory_is_taken_from_the_nodes(self, datadog: Recording) -> None:
        spec = plan_recorded("aws-prod").region.compute
        tasks = sum(each["memoryReservation"] for each in read_containers(datadog, "service-task").values())
        assert 2 * tasks + AGENT_MB <= share_node(spec).limit_mb

    @pytest.mark.parametrize(("name", "instance"), [("datadog", "vectors-1"), ("datadog on a host", "host-instance")])
    def test_machines_get_the_package_and_fetch_the_key_by_their_role(self, name: str, instance: str) -> None:
        made = deploy(name)
        files = read_user_data(made, instance)
        assert (
            "datadog-agent" in files["packages"]
            and ["systemctl", "restart", "datadog-agent.service"] in files["runcmd"]
        )
        written = {each["path"]: each["content"] for each in files["write_files"]}
        (source,) = json.loads(written["/etc/reme/datadog.secrets.json"]).values()
        policies = [json.loads(each.props["policy"]) for each in made.of("aws:iam/rolePolicy:RolePolicy")]
        readers = [each for each in policies if any(source in each_.get("Resource", ()) for each_ in each["Statement"])]
        assert readers
        assert "of the tests" not in json.dumps(files)
        assert ("/etc/datadog-agent/conf.d/openmetrics.d/conf.yaml" in written) == (instance == "host-instance")
        agent = json.loads(written.get("/etc/reme/cloudwatch-agent.json", "{}"))
        assert "metrics" not in agent and "metrics_collected" not in agent.get("logs", {}), (
            "these are billed as metrics"
        )

    @pytest.mark.slow
    def test_it_needs_its_key_and_a_machine_that_its_image_is_for(self) -> None:
        stack, more = ALTERNATIVES["datadog"]
        with pytest.raises(MissingSetting, match="datadog-api-key"):
            record_stack(stack, more, without=["reme-cloud:datadog-api-key"])
        workload = {"users": 500, "architecture": "arm64", "overrides": {"monitoring": "datadog"}}
        with pytest.raises(InvalidStack, match="x86_64"):
            record_stack(stack, {"reme-cloud:workload": workload})


def read_user_data(made: Recording, instance: str) -> dict[str, Any]:

    props = made.one("aws:ec2/instance:Instance", instance).props
    return dict(yaml.safe_load(gzip.decompress(base64.b64decode(props["userDataBase64"]))))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["managed prometheus", "datadog"])
def test_no_role_may_do_everything_somewhere(name: str) -> None:
    for each in deploy(name).of("aws:iam/rolePolicy:RolePolicy"):
        for statement in json.loads(each.props["policy"])["Statement"]:
            actions = set(statement["Action"])
            assert not [action for action in actions if "*" in action], each.name
            if statement["Resource"] in ("*", ["*"]):
                assert actions <= UNSCOPED_ACTIONS or "Condition" in statement, each.name

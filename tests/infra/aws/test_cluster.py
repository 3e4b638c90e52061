"""The cluster: tasks that fit twice on a node, kept in their zones, updated without a gap, with roles of their own."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from infra.aws.cluster import ClusterArgs, ServiceCluster
from infra.aws.roles import UNSCOPED_ACTIONS
from infra.aws.tasks import AGENT_RESERVE_MB, TASKS_PER_NODE, share_node
from infra.errors import InvalidStack
from infra.service.container import ContainerContent
from infra.tagging import Tags
from sizing.plan import ComputeSpec
from tests.infra.recorder import ACCOUNT, Recording, record
from tests.infra.service.plans import COMPANY, PLATFORM, plan_region

TAGS = Tags(environment="prod", stack="aws-prod", more={})
PLAN = plan_region(**COMPANY)
SPEC = PLAN.compute
LLM_SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:models-AbCdEf"  # noqa: S105 - an address
ADMIN_SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:admin-AbCdEf"  # noqa: S105 - an address
CONTENT = ContainerContent(
    environment={"REME_HTTP__PORT": "8002"},
    secrets={"LLM_API_KEY": f"{LLM_SECRET}:llm::"},
    preparation_environment={"ROLE": "admin"},
    preparation_secrets={"ADMIN_KEY": ADMIN_SECRET},
    preparation=("python", "-c", "pass"),
)
GREEN: dict[str, Any] = {
    "green_target_group_arn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/green/1"
}


def build(spec: ComputeSpec = SPEC, **change: Any) -> Recording:
    values: dict[str, Any] = {
        "spec": spec,
        "balancer": PLAN.balancer,
        "region": "us-east-1",
        "vpc_id": "vpc-1",
        "cidr": "10.20.0.0/16",
        "private_subnet_ids": ["subnet-1", "subnet-2"],
        "image": "images/reme@sha256:1",
        "content": CONTENT,
        "secret_arns": [LLM_SECRET, ADMIN_SECRET],
        "target_group_arn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/1",
        "balancer_security_group_id": "sg-balancer",
        "log_group_name": "/reme/aws-prod/service",
        "log_group_arn": "arn:aws:logs:us-east-1:123456789012:log-group:/reme/aws-prod/service",
        "bucket_arns": ["arn:aws:s3:::objects"],
        "repository_arns": ["arn:aws:ecr:us-east-1:123456789012:repository/reme"],
        "kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/k",
        "inner_ports": (5433, 6379),
        "tags": TAGS,
    }

    def program() -> None:
        ServiceCluster("cluster", ClusterArgs(**{**values, **change}))

    return record(program)


def read_containers(found: Recording, name: str = "cluster-task") -> dict[str, dict[str, Any]]:
    task = found.one("aws:ecs/taskDefinition:TaskDefinition", name).props
    return {each["name"]: each for each in json.loads(task["containerDefinitions"])}


@pytest.mark.parametrize("workload", [COMPANY, PLATFORM])
def test_two_tasks_fit_on_a_node_and_one_may_use_all_of_it(workload: dict[str, object]) -> None:
    spec = plan_region(**workload).compute
    containers = read_containers(build(spec)).values()
    reserved = sum(each["memoryReservation"] for each in containers)
    assert TASKS_PER_NODE * reserved <= spec.memory_gb * 1024 * 0.92 - AGENT_RESERVE_MB
    assert TASKS_PER_NODE * sum(each["cpu"] for each in containers) <= spec.vcpu * 1024
    limit = share_node(spec).limit_mb
    assert spec.memory_needed_gb * 1000**3 < limit * 1024**2, "the limit leaves what the plan needs"
    assert all(each["memoryReservation"] <= each["memory"] <= limit for each in containers)


def test_a_container_is_locked_down() -> None:
    found = build()
    service = read_containers(found)["reme"]
    for each in read_containers(found).values():
        assert each["user"] == "10001:10001"
        assert each["readonlyRootFilesystem"] is True
        assert each["privileged"] is False
        assert each["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}
    task = found.one("aws:ecs/taskDefinition:TaskDefinition").props
    assert task["networkMode"] == "awsvpc"
    assert not {"pidMode", "ipcMode"} & set(task)
    assert task["executionRoleArn"] != task["taskRoleArn"]
    assert [each["containerPath"] for each in service["mountPoints"]] == ["/var/lib/reme"]
    assert {each["sourceVolume"] for each in service["mountPoints"]} == {each["name"] for each in task["volumes"]}


def test_secrets_are_named_and_never_written_out() -> None:
    service = read_containers(build())["reme"]
    assert service["secrets"] == [{"name": "LLM_API_KEY", "valueFrom": f"{LLM_SECRET}:llm::"}]
    assert service["environment"] == [{"name": "REME_HTTP__PORT", "value": "8002"}]
    assert service["logConfiguration"]["options"]["awslogs-group"] == "/reme/aws-prod/service"


def test_the_store_is_prepared_before_the_service_starts_with_secrets_that_the_service_lacks() -> None:
    containers = read_containers(build())
    preparation, service = containers["prepare"], containers["reme"]
    assert (preparation["essential"], preparation["entryPoint"]) == (False, ["python", "-c", "pass"])
    assert "entryPoint" not in service
    assert service["dependsOn"] == [{"containerName": "prepare", "condition": "SUCCESS"}]
    assert {each["name"] for each in preparation["secrets"]} == {"ADMIN_KEY", "LLM_API_KEY"}
    assert {each["name"] for each in preparation["environment"]} == {"ROLE", "REME_HTTP__PORT"}
    assert "portMappings" not in preparation


def test_the_probe_is_python_that_asks_the_service_s_port() -> None:
    check = read_containers(build())["reme"]["healthCheck"]
    assert check["command"][:3] == ["CMD", "python", "-c"]
    compile(check["command"][3], "probe", "exec")
    assert f"'127.0.0.1', {PLAN.balancer.target_port}" in check["command"][3]
    assert check["timeout"] < check["interval"]


def test_updates_keep_every_task_and_are_undone_when_they_fail() -> None:
    service = build().one("aws:ecs/service:Service")
    made = service.props
    assert made["desiredCount"] == SPEC.nodes
    assert (made["deploymentMinimumHealthyPercent"], made["deploymentMaximumPercent"]) == (100, 200)
    assert made["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert [each["field"] for each in made["orderedPlacementStrategies"]] == [
        "attribute:ecs.availability-zone",
        "instanceId",
    ]
    assert made["loadBalancers"][0]["containerPort"] == PLAN.balancer.target_port
    assert made["networkConfiguration"]["assignPublicIp"] is False
    assert service.ignored == ("desiredCount",)


def test_tasks_and_nodes_scale_between_the_plan_s_numbers() -> None:
    found = build()
    nodes = found.one("aws:autoscaling/group:Group").props
    assert (nodes["minSize"], nodes["maxSize"]) == (SPEC.nodes, SPEC.max_nodes)
    tasks = found.one("aws:appautoscaling/target:Target").props
    assert (tasks["minCapacity"], tasks["maxCapacity"]) == (SPEC.nodes, SPEC.max_nodes)
    assert tasks["resourceId"].startswith("service/cluster-cluster-")
    policy = found.one("aws:appautoscaling/policy:Policy").props["targetTrackingScalingPolicyConfiguration"]
    assert policy["targetValue"] == 60
    assert policy["customizedMetricSpecification"]["dimensions"][0]["name"] == "ClusterName"
    scaling = found.one("aws:ecs/capacityProvider:CapacityProvider").props["autoScalingGroupProvider"]
    assert scaling["managedScaling"]["targetCapacity"] * TASKS_PER_NODE == 100


def test_a_cluster_that_cannot_grow_has_no_scaling() -> None:
    assert not build(replace(SPEC, max_nodes=SPEC.nodes)).of("aws:appautoscaling/target:Target")


def test_nodes_are_private_with_session_tokens_and_encrypted_disks() -> None:
    template = build().one("aws:ec2/launchTemplate:LaunchTemplate").props
    assert template["instanceType"] == SPEC.instance_class
    assert template["metadataOptions"]["httpTokens"] == "required"
    assert template["metadataOptions"]["httpPutResponseHopLimit"] == 1
    assert template["networkInterfaces"][0]["associatePublicIpAddress"] == "false"
    disk = template["blockDeviceMappings"][0]["ebs"]
    assert (disk["encrypted"], disk["volumeSize"]) == ("true", SPEC.root_disk_gb)
    settings = base64.b64decode(template["userData"]).decode()
    assert settings.startswith("#!/bin/bash\n")
    assert "ECS_AWSVPC_BLOCK_IMDS=true" in settings
    assert "ECS_CLUSTER=cluster-cluster-" in settings


def test_the_image_follows_the_processor_and_the_card() -> None:
    def image(**change: Any) -> str:
        found = build(replace(SPEC, **change)).one("aws:ec2/launchTemplate:LaunchTemplate")
        return str(found.props["imageId"]).removeprefix("resolve:ssm:/aws/service/ecs/optimized-ami/")

    assert image(architecture="x86_64") == "amazon-linux-2023/recommended/image_id"
    assert image(architecture="arm64") == "amazon-linux-2023/arm64/recommended/image_id"
    assert image(gpu="T4 16 GB") == "amazon-linux-2023/gpu/recommended/image_id"
    service = read_containers(build(replace(SPEC, gpu="T4 16 GB")))["reme"]
    assert service["resourceRequirements"] == [{"type": "GPU", "value": "1"}]


def test_tasks_hear_the_balancer_alone_and_call_https_and_their_stores() -> None:
    found = build()
    (rule,) = found.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    assert (rule.props["referencedSecurityGroupId"], rule.props["fromPort"]) == ("sg-balancer", 8002)
    out = {
        (each.props["cidrIpv4"], each.props["fromPort"])
        for each in found.of("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")
        if each.name.startswith("cluster-out")
    }
    assert out == {("0.0.0.0/0", 443), ("10.20.0.0/16", 5433), ("10.20.0.0/16", 6379)}
    (rule,) = build(balancer_security_group_id=None).of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    assert rule.props["cidrIpv4"] == "10.20.0.0/16"


def read_statements(found: Recording, name: str) -> dict[str, dict[str, Any]]:
    policy = json.loads(found.one("aws:iam/rolePolicy:RolePolicy", name).props["policy"])
    return {each["Sid"]: each for each in policy["Statement"]}


def test_the_service_s_role_uses_objects_and_ecs_s_role_reads_secrets() -> None:
    found = build()
    task = read_statements(found, "cluster-task-role-policy")
    execution = read_statements(found, "cluster-execution-role-policy")
    assert set(task) == {"ListObjects", "UseObjects", "UseKey", "PublishMetrics"}
    assert set(execution) == {"ReadSecrets", "UseKey", "SignIn", "PullImages", "WriteLogs"}
    assert execution["ReadSecrets"]["Resource"] == [LLM_SECRET, ADMIN_SECRET]
    for statement in (*task.values(), *execution.values()):
        assert not [action for action in statement["Action"] if "*" in action]
        if "*" in statement["Resource"]:
            assert set(statement["Action"]) <= UNSCOPED_ACTIONS
    for role in ("cluster-task-role", "cluster-execution-role"):
        trust = json.loads(found.one("aws:iam/role:Role", role).props["assumeRolePolicy"])["Statement"][0]
        assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_a_green_service_waits_with_no_task_behind_its_own_target_group() -> None:
    found = build(deploy="blue-green", green_image="images/reme@sha256:2", **GREEN)
    green = found.one("aws:ecs/service:Service", "cluster-green")
    assert green.props["desiredCount"] == 0
    assert green.props["loadBalancers"][0]["targetGroupArn"] == GREEN["green_target_group_arn"]
    assert green.ignored == (), "the number of tasks says whether a new version is tried"
    assert found.one("aws:ecs/service:Service", "cluster-service").ignored == ("desiredCount",)
    assert read_containers(found, "cluster-green-task")["reme"]["image"] == "images/reme@sha256:2"
    assert read_containers(found)["reme"]["image"] == "images/reme@sha256:1"
    assert [each.name for each in found.of("aws:appautoscaling/target:Target")] == ["cluster-service-tasks"]


def test_a_new_version_has_tasks_that_scale_beside_the_other_s() -> None:
    found = build(deploy="canary", green_nodes=2, **GREEN)
    desired = {each.name: each.props["desiredCount"] for each in found.of("aws:ecs/service:Service")}
    assert desired == {"cluster-service": SPEC.nodes, "cluster-green": 2}
    scaled = {each.name for each in found.of("aws:appautoscaling/target:Target")}
    assert scaled == {"cluster-service-tasks", "cluster-green-tasks"}


def test_tasks_wait_for_a_secret_that_ecs_would_fail_them_for() -> None:
    found = build(awaited_arns=["arn:authority"])
    assert read_statements(found, "cluster-task-role-policy")["ReadSecrets"]["Resource"] == ["arn:authority"]
    reading = read_statements(found, "cluster-execution-role-policy")["ReadSecrets"]["Resource"]
    assert "arn:authority" not in reading


@pytest.mark.parametrize(
    "change",
    [
        {"deploy": "canary"},
        {"deploy": "rolling", **GREEN},
        {"green_nodes": 1},
        {"deploy": "blue-green", "green_nodes": SPEC.max_nodes + 1, **GREEN},
    ],
)
def test_what_does_not_fit_together_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidStack, match="reme-cloud:"):
        build(**change)


def test_every_part_belongs_to_the_cluster_and_carries_its_tags() -> None:
    found = build()
    assert all(each.parent and "ServiceCluster" in each.parent for each in found if each.custom)
    (cluster,) = found.of("aws:ecs/cluster:Cluster")
    assert cluster.props["tags"]["component"] == "cluster"
    assert cluster.props["settings"] == [{"name": "containerInsights", "value": "enabled"}]
    nodes = {each["key"]: each for each in found.one("aws:autoscaling/group:Group").props["tags"]}
    assert nodes["AmazonECSManaged"]["propagateAtLaunch"] is True
    assert nodes["stack"]["value"] == "aws-prod"

"""The service on several instances: an ECS cluster, the task, and one or two services of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pulumi
import pulumi_aws as aws

from infra.aws import roles, tasks
from infra.aws.capacity import ClusterCapacity, ClusterCapacityArgs
from infra.aws.scaling import scale_service
from infra.aws.traffic import admit_group, admit_ranges, make_group, release_calls
from infra.errors import InvalidStack
from infra.service.container import ContainerContent
from infra.tagging import Tags
from sizing.plan import BalancerSpec, ComputeSpec

Deploy = Literal["rolling", "blue-green", "canary"]

GRACE_S = 120
"""Ours: a task opens its stores and passes two health checks 30 s apart (§6.2) before ECS listens to failures."""


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """What a cluster is made of.

    ``content`` names secrets that ``secret_arns`` are the ARNs of. ``inner_ports`` are the TCP ports inside
    ``cidr`` that the service calls: database, cache, vector store.
    ``balancer_security_group_id`` is None for a balancer without one, and then all of ``cidr`` is let in.
    ``listeners`` are the listeners and rules that hand traffic to the target groups: ECS refuses a service
    before them. With ``deploy`` "blue-green" or "canary" a second service, green, stands behind
    ``green_target_group_arn`` with ``green_image`` and ``green_nodes`` tasks, none until a new version
    is tried; the weights are the balancer's. ``awaited_arns`` are secrets that may still be empty: a task's
    preparation waits for them, by the task's own role. ``machine_image`` pins the image of the nodes.
    ``beside`` watches the tasks, and ``statements`` is what their role may do for it.
    """

    spec: ComputeSpec
    balancer: BalancerSpec
    region: str
    vpc_id: pulumi.Input[str]
    cidr: str
    private_subnet_ids: Sequence[pulumi.Input[str]]
    image: pulumi.Input[str]
    content: pulumi.Input[ContainerContent]
    target_group_arn: pulumi.Input[str]
    balancer_security_group_id: pulumi.Input[str] | None
    log_group_name: pulumi.Input[str]
    log_group_arn: pulumi.Input[str]
    tags: Tags
    secret_arns: Sequence[pulumi.Input[str]] = ()
    awaited_arns: Sequence[pulumi.Input[str]] = ()
    bucket_arns: Sequence[pulumi.Input[str]] = ()
    repository_arns: Sequence[pulumi.Input[str]] = ()
    kms_key_arn: pulumi.Input[str] | None = None
    inner_ports: Sequence[int] = ()
    listeners: Sequence[pulumi.Resource] = ()
    deploy: Deploy = "rolling"
    green_image: pulumi.Input[str] | None = None
    green_nodes: int = 0
    green_target_group_arn: pulumi.Input[str] | None = None
    machine_image: str | None = None
    beside: pulumi.Input[tasks.Beside] | None = None
    statements: Sequence[roles.Statement] = ()

    def __post_init__(self) -> None:
        if (self.deploy == "rolling") != (self.green_target_group_arn is None):
            raise InvalidStack(
                "deploy", self.deploy, "blue-green or canary with a second target group, rolling without"
            )
        if not 0 <= self.green_nodes <= self.spec.max_nodes:
            valid = f"0 to {self.spec.max_nodes}, the plan's largest number of nodes"
            raise InvalidStack("green_nodes", self.green_nodes, valid)
        if self.deploy == "rolling" and self.green_nodes:
            raise InvalidStack("deploy", self.deploy, "blue-green or canary where green_nodes are given")


class ServiceCluster(pulumi.ComponentResource):
    """The service as tasks spread over zones and nodes, replaced one after the other without a gap.

    A rolling update keeps all tasks and starts as many new ones (200/100); one that does not start is undone
    by ECS (circuit breaker). The number of tasks follows the CPU of the cluster's nodes up to the plan's
    largest number: not the service's own, which ECS counts against the half node that a task reserves.

    Attributes: ``cluster_name``, ``cluster_arn``, ``service_name``, ``green_service_name`` (None where
    updates are rolling), ``task_definition_arn``, ``task_role_arn``, ``task_role_name``,
    ``security_group_id`` (the tasks'), ``node_security_group_id``, ``execution_role_arn``,
    ``autoscaling_group_name``.
    """

    cluster_name: pulumi.Output[str]
    cluster_arn: pulumi.Output[str]
    service_name: pulumi.Output[str]
    green_service_name: pulumi.Output[str] | None
    task_definition_arn: pulumi.Output[str]
    task_role_arn: pulumi.Output[str]
    task_role_name: pulumi.Output[str]
    security_group_id: pulumi.Output[str]
    node_security_group_id: pulumi.Output[str]
    execution_role_arn: pulumi.Output[str]
    autoscaling_group_name: pulumi.Output[str]

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:ServiceCluster", name, {}, opts)
        self.name, self.args = name, args
        cluster = aws.ecs.Cluster(
            f"{name}-cluster",
            settings=[aws.ecs.ClusterSettingArgs(name="containerInsights", value="enabled")],
            tags=args.tags.named("cluster"),
            opts=self._child(),
        )
        self.cluster_name, self.cluster_arn = cluster.name, cluster.arn
        capacity = ClusterCapacity(
            f"{name}-capacity",
            ClusterCapacityArgs(
                spec=args.spec,
                vpc_id=args.vpc_id,
                private_subnet_ids=args.private_subnet_ids,
                cluster_name=cluster.name,
                agent_reserve_mb=tasks.AGENT_RESERVE_MB,
                tags=args.tags,
                image_id=args.machine_image,
            ),
            opts=self._child(),
        )
        self.autoscaling_group_name = capacity.autoscaling_group_name
        self.node_security_group_id = capacity.security_group_id
        self.security_group_id = self._make_group().id
        task_role, execution_role = self._make_roles()
        self.task_role_arn, self.task_role_name = task_role.arn, task_role.name
        self.execution_role_arn = execution_role.arn
        task = self._make_task("task", args.image, task_role, execution_role)
        self.task_definition_arn = task.arn
        blue = self._make_service("service", task, args.target_group_arn, args.spec.nodes, capacity)
        self.service_name = blue.name
        self._scale("service", blue, args.spec.nodes)
        self.green_service_name = None
        if args.green_target_group_arn is not None:
            green_task = self._make_task("green-task", args.green_image or args.image, task_role, execution_role)
            green = self._make_service("green", green_task, args.green_target_group_arn, args.green_nodes, capacity)
            self.green_service_name = green.name
            self._scale("green", green, args.green_nodes)
        self.register_outputs({"cluster_name": self.cluster_name, "service_name": self.service_name})

    def _make_group(self) -> aws.ec2.SecurityGroup:
        args = self.args
        group = make_group(
            f"{self.name}-group",
            vpc_id=args.vpc_id,
            purpose="Tasks of the service",
            component="cluster",
            tags=args.tags,
            parent=self,
        )
        port, name, purpose = args.balancer.target_port, f"{self.name}-in", "The balancer"
        if args.balancer_security_group_id is None:
            admit_ranges(name, group, cidrs=[args.cidr], port=port, purpose=purpose, parent=self)
        else:
            admit_group(name, group, source_id=args.balancer_security_group_id, port=port, purpose=purpose, parent=self)
        release_calls(f"{self.name}-out", group, cidr=args.cidr, inner_ports=args.inner_ports, parent=self)
        return group

    def _make_roles(self) -> tuple[aws.iam.Role, aws.iam.Role]:
        args = self.args
        found = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=self))
        trust = roles.describe_trust("ecs-tasks", found.account_id)
        task = roles.make_role(
            f"{self.name}-task-role",
            trust=trust,
            statements=[
                *roles.use_objects(args.bucket_arns),
                *roles.read_secrets(args.awaited_arns),
                *(roles.use_key(args.kms_key_arn, write=True) if args.bucket_arns or args.awaited_arns else []),
                *roles.publish_metrics(),
                *args.statements,
            ],
            component="cluster",
            tags=args.tags,
            parent=self,
        )
        execution = roles.make_role(
            f"{self.name}-execution-role",
            trust=trust,
            statements=[
                *roles.read_secrets(args.secret_arns),
                *(roles.use_key(args.kms_key_arn, write=False) if args.secret_arns else []),
                *roles.pull_images(args.repository_arns),
                *roles.write_logs([args.log_group_arn]),
            ],
            component="cluster",
            tags=args.tags,
            parent=self,
        )
        return task, execution

    def _make_task(
        self, label: str, image: pulumi.Input[str], task_role: aws.iam.Role, execution_role: aws.iam.Role
    ) -> aws.ecs.TaskDefinition:
        args = self.args

        def write(found: list[Any]) -> str:
            content, image, log_group, beside = found
            return json.dumps(
                tasks.describe_containers(
                    content,
                    image=image,
                    spec=args.spec,
                    port=args.balancer.target_port,
                    log_group=log_group,
                    region=args.region,
                    beside=beside,
                )
            )

        return aws.ecs.TaskDefinition(
            f"{self.name}-{label}",
            family=f"reme-{args.tags.stack}-{label}",
            network_mode="awsvpc",
            requires_compatibilities=["EC2"],
            task_role_arn=task_role.arn,
            execution_role_arn=execution_role.arn,
            container_definitions=pulumi.Output.all(args.content, image, args.log_group_name, args.beside).apply(write),
            volumes=[tasks.describe_work_volume()],
            tags=args.tags.named("cluster"),
            opts=self._child(),
        )

    def _make_service(
        self,
        label: str,
        task: aws.ecs.TaskDefinition,
        target_group_arn: pulumi.Input[str],
        nodes: int,
        capacity: ClusterCapacity,
    ) -> aws.ecs.Service:
        args = self.args
        # Scaling moves the number of tasks; green's says too whether a new version is tried.
        ignored = ["desiredCount"] if label == "service" else []
        return aws.ecs.Service(
            f"{self.name}-{label}",
            cluster=self.cluster_arn,
            task_definition=task.arn,
            desired_count=nodes,
            scheduling_strategy="REPLICA",
            capacity_provider_strategies=[
                aws.ecs.ServiceCapacityProviderStrategyArgs(capacity_provider=capacity.provider_name, weight=1)
            ],
            network_configuration=aws.ecs.ServiceNetworkConfigurationArgs(
                subnets=list(args.private_subnet_ids),
                security_groups=[self.security_group_id],
                assign_public_ip=False,
            ),
            load_balancers=[
                aws.ecs.ServiceLoadBalancerArgs(
                    target_group_arn=target_group_arn,
                    container_name=tasks.CONTAINER,
                    container_port=args.balancer.target_port,
                )
            ],
            ordered_placement_strategies=[
                aws.ecs.ServiceOrderedPlacementStrategyArgs(type="spread", field=spread)
                for spread in ("attribute:ecs.availability-zone", "instanceId")
            ],
            availability_zone_rebalancing="ENABLED",
            deployment_maximum_percent=200,
            deployment_minimum_healthy_percent=100,
            deployment_circuit_breaker=aws.ecs.ServiceDeploymentCircuitBreakerArgs(enable=True, rollback=True),
            health_check_grace_period_seconds=GRACE_S,
            enable_execute_command=False,
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            tags=args.tags.named("cluster"),
            opts=self._child(depends_on=[capacity, *args.listeners], ignore_changes=ignored),
        )

    def _scale(self, label: str, service: aws.ecs.Service, nodes: int) -> None:
        if 0 < nodes < self.args.spec.max_nodes:
            scale_service(
                f"{self.name}-{label}",
                cluster_name=self.cluster_name,
                service_name=service.name,
                nodes=nodes,
                max_nodes=self.args.spec.max_nodes,
                tags=self.args.tags,
                parent=self,
            )

    def _child(
        self, depends_on: Sequence[pulumi.Resource] = (), ignore_changes: Sequence[str] = ()
    ) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=list(depends_on), ignore_changes=list(ignore_changes))

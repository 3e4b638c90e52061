"""The dump job of a cluster: a task of the service's image that EventBridge Scheduler starts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.aws import roles, tasks
from infra.aws.cluster import ServiceCluster
from infra.service.container import ContainerContent
from infra.service.dumps import DUMPS, Dump, write_dump_address, write_dump_command
from infra.tagging import Tags
from sizing.plan import ComputeSpec

DUMP_MB, DUMP_LIMIT_MB, DUMP_CPU = 512, 1536, 256
"""Ours: a part of 32 MiB, its compressed form and a batch of rows are in RAM at once, and gzip takes one processor."""
WINDOW_MINUTES = 15
"""Scheduler may start a dump this much later, so that stacks do not begin at once. An alarm counts the dumps of seven
days, at whole hours: a dump should arrive in the same hour every week."""
ATTEMPTS = 5
_NOT_A_SERVICES = ("portMappings", "healthCheck", "resourceRequirements", "dockerLabels")


@dataclass(frozen=True, kw_only=True)
class DumpsArgs:
    """What the job is made of: the service's `content`, image and places, and the bucket of each kind of dump.

    `buckets` and `bucket_arns` have them by the names of `infra.service.dumps.DUMPS`.
    """

    cluster: ServiceCluster
    spec: ComputeSpec
    port: int
    region: str
    private_subnet_ids: Sequence[pulumi.Input[str]]
    image: pulumi.Input[str]
    content: pulumi.Input[ContainerContent]
    log_group_name: pulumi.Input[str]
    buckets: Mapping[str, pulumi.Input[str]]
    bucket_arns: Mapping[str, pulumi.Input[str]]
    kms_key_arn: pulumi.Input[str] | None
    topic_arn: pulumi.Input[str]
    tags: Tags


class ClusterDumps(pulumi.ComponentResource):
    """A task definition and a schedule for each kind of dump.

    The task runs with the service's settings, secrets, network and execution role. Its own role may write to the two
    buckets, and neither read nor delete there. The copy stands on a node's root disk while it is sent. The topic is
    told of a task that ends with another exit code than 0, or does not start.

    Attributes: ``task_definition_arn``, ``task_role_arn``.
    """

    task_definition_arn: pulumi.Output[str]
    task_role_arn: pulumi.Output[str]

    def __init__(self, name: str, args: DumpsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:ClusterDumps", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        tags = args.tags.named("backup")
        account = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=self)).account_id
        task_role = roles.make_role(
            f"{name}-task-role",
            trust=roles.describe_trust("ecs-tasks", account),
            statements=roles.put_objects(list(args.bucket_arns.values()), args.kms_key_arn),
            component="backup",
            tags=args.tags,
            parent=self,
        )
        task = aws.ecs.TaskDefinition(
            f"{name}-task",
            family=f"reme-{args.tags.stack}-dump",
            network_mode="awsvpc",
            requires_compatibilities=["EC2"],
            task_role_arn=task_role.arn,
            execution_role_arn=args.cluster.execution_role_arn,
            container_definitions=pulumi.Output.all(args.content, args.image, args.log_group_name).apply(
                lambda found: json.dumps(_describe(args, *found))
            ),
            volumes=[tasks.describe_work_volume()],
            tags=tags,
            opts=child,
        )
        scheduler_role = roles.make_role(
            f"{name}-scheduler-role",
            trust=roles.describe_trust("scheduler", account),
            statements=[
                {
                    "Sid": "RunDumps",
                    "Effect": "Allow",
                    "Action": ["ecs:RunTask"],
                    "Resource": [task.arn],
                    "Condition": {"ArnEquals": {"ecs:cluster": args.cluster.cluster_arn}},
                },
                {
                    "Sid": "GiveRoles",
                    "Effect": "Allow",
                    "Action": ["iam:PassRole"],
                    "Resource": [task_role.arn, args.cluster.execution_role_arn],
                    "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
                },
                *roles.use_key(args.kms_key_arn, write=False),
            ],
            component="backup",
            tags=args.tags,
            parent=self,
        )
        for dump in DUMPS:
            aws.scheduler.Schedule(
                f"{name}-{dump.name}",
                schedule_expression=dump.schedule,
                schedule_expression_timezone="UTC",
                flexible_time_window=aws.scheduler.ScheduleFlexibleTimeWindowArgs(
                    mode="FLEXIBLE", maximum_window_in_minutes=WINDOW_MINUTES
                ),
                kms_key_arn=args.kms_key_arn,
                target=aws.scheduler.ScheduleTargetArgs(
                    arn=args.cluster.cluster_arn,
                    role_arn=scheduler_role.arn,
                    ecs_parameters=aws.scheduler.ScheduleTargetEcsParametersArgs(
                        task_definition_arn=task.arn,
                        task_count=1,
                        network_configuration=aws.scheduler.ScheduleTargetEcsParametersNetworkConfigurationArgs(
                            subnets=list(args.private_subnet_ids),
                            security_groups=[args.cluster.security_group_id],
                            assign_public_ip=False,
                        ),
                    ),
                    input=_override(dump, args.buckets[dump.name]),
                    retry_policy=aws.scheduler.ScheduleTargetRetryPolicyArgs(maximum_retry_attempts=ATTEMPTS),
                ),
                opts=child,
            )
        self._tell_failures(name, args, task)
        self.task_definition_arn, self.task_role_arn = task.arn, task_role.arn
        self.register_outputs({"task_definition_arn": self.task_definition_arn})

    def _tell_failures(self, name: str, args: DumpsArgs, task: aws.ecs.TaskDefinition) -> None:
        """Tell the topic at once of a dump that failed; the alarm on dumps that do not arrive comes later."""
        child = pulumi.ResourceOptions(parent=self)
        rule = aws.cloudwatch.EventRule(
            f"{name}-failed",
            description="A dump of the memory service's store failed",
            event_pattern=pulumi.Output.json_dumps(
                {
                    "source": ["aws.ecs"],
                    "detail-type": ["ECS Task State Change"],
                    "detail": {
                        "clusterArn": [args.cluster.cluster_arn],
                        "taskDefinitionArn": [task.arn],
                        "lastStatus": ["STOPPED"],
                        "$or": [
                            {"containers": {"exitCode": [{"anything-but": [0]}]}},
                            {"stopCode": ["TaskFailedToStart"]},
                        ],
                    },
                }
            ),
            tags=args.tags.named("backup"),
            opts=child,
        )
        aws.cloudwatch.EventTarget(f"{name}-failed", rule=rule.name, arn=args.topic_arn, opts=child)


def _override(dump: Dump, bucket: pulumi.Input[str]) -> pulumi.Output[str]:
    """What a schedule tells the task to do."""

    def write(name: str) -> str:
        command = list(write_dump_command(dump, write_dump_address(name)))
        return json.dumps({"containerOverrides": [{"name": tasks.CONTAINER, "command": command}]})

    return pulumi.Output.from_input(bucket).apply(write)


def _describe(args: DumpsArgs, content: ContainerContent, image: str, log_group: str) -> list[dict[str, Any]]:
    """The service's containers, of which the last makes a dump; the schedule says which."""
    preparation, service = tasks.describe_containers(
        content, image=image, spec=args.spec, port=args.port, log_group=log_group, region=args.region
    )
    dump = {key: value for key, value in service.items() if key not in _NOT_A_SERVICES} | {
        "command": ["backup", "--help"],
        "cpu": DUMP_CPU,
        "memoryReservation": DUMP_MB,
        "memory": DUMP_LIMIT_MB,
        "logConfiguration": tasks.log_to(log_group, args.region, "dump"),
    }
    return [preparation, dump]

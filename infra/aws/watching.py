"""How a cluster is watched other than by CloudWatch: a host of its own, managed workspaces, or Datadog."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws import roles, tasks
from infra.aws.cluster import ServiceCluster
from infra.aws.foundation import Foundation
from infra.aws.metrics_host import MetricsHost, MetricsHostArgs
from infra.aws.metrics_workspace import MetricsWorkspace, MetricsWorkspaceArgs, send_metrics
from infra.collector import Collector, describe_collector
from infra.datadog import MOUNTS, RESERVED_MB, NodeAgent, describe_node_agent, label_service
from infra.errors import InvalidStack
from infra.images import find_image
from infra.monitoring_start import SERVERS
from infra.service.configuration import ADMIN_SECRET, DATADOG_SECRET


@dataclass(frozen=True, kw_only=True)
class Watching:
    """What a cluster's tasks get: `beside` them, and the `statements` of their role for it; and where metrics can be
    asked for and looked at, empty where that is not in the cloud's own hands."""

    beside: pulumi.Input[tasks.Beside] | None = None
    statements: tuple[roles.Statement, ...] = ()
    metrics_url: pulumi.Input[str] = ""
    grafana_url: pulumi.Input[str] = ""


def prepare_watching(base: Foundation) -> Watching:
    """What stands before the tasks: the workspace that they send metrics to, or what Datadog's agent finds them by.

    Raises InvalidStack for Datadog on arm64, which its pinned image is not for.
    """
    plan, settings = base.plan, base.settings
    if plan.monitoring.kind == "datadog":
        if plan.compute.architecture != "x86_64":
            raise InvalidStack("workload.architecture", plan.compute.architecture, "x86_64 where Datadog watches")
        return Watching(beside=tasks.Beside(labels=label_service(plan.balancer.target_port), node_mb=RESERVED_MB))
    if plan.monitoring.kind != "managed-prometheus":
        return Watching()
    workspace = MetricsWorkspace(
        "metrics",
        MetricsWorkspaceArgs(
            plan=plan,
            region=settings.region,
            topic_arn=base.notices.topic_arn,
            data_key_arn=base.keys.data_key_arn,
            sign_in=settings.alerts.grafana_sign_in,
            tags=base.tags,
        ),
    )

    def describe(write_url: str) -> tasks.Beside:
        collector = Collector(
            image=find_image("prometheus"),
            stack=settings.stack,
            port=plan.balancer.target_port,
            write_url=write_url,
            region=settings.region,
        )
        return tasks.Beside(containers=(describe_collector(collector),))

    return Watching(
        beside=workspace.write_url.apply(describe),
        statements=tuple(send_metrics(workspace.arn)),
        metrics_url=workspace.query_url,
        grafana_url=workspace.grafana_url,
    )


def watch_cluster(base: Foundation, cluster: ServiceCluster) -> None:
    """What comes after the tasks: the plan's own host of metrics, or Datadog's agent on each node."""
    if base.plan.monitoring.kind == "prometheus":
        _watch_by_host(base, cluster)
    elif base.plan.monitoring.kind == "datadog":
        DatadogNodes("datadog", DatadogNodesArgs(base=base, cluster=cluster))


def _watch_by_host(base: Foundation, cluster: ServiceCluster) -> None:
    MetricsHost(
        "metrics",
        MetricsHostArgs(
            plan=base.plan,
            region=base.settings.region,
            vpc_id=base.network.vpc_id,
            network_cidr=base.network.cidr,
            subnet_id=base.network.private_subnet_ids[0],
            service_group_id=cluster.security_group_id,
            cluster_arn=cluster.cluster_arn,
            cluster_name=cluster.cluster_name,
            key_secret_arn=base.credentials.secret_arns[ADMIN_SECRET],
            topic_arn=base.notices.topic_arn,
            topic_key_arn=base.keys.log_key_arn,
            data_key_arn=base.keys.data_key_arn,
            images={name: find_image(name) for name in SERVERS},
            tags=base.tags,
        ),
    )


@dataclass(frozen=True, kw_only=True)
class DatadogNodesArgs:
    """The stack's foundation, with the secrets of DATADOG_SECRET and ADMIN_SECRET, and the cluster that is watched."""

    base: Foundation
    cluster: ServiceCluster


class DatadogNodes(pulumi.ComponentResource):
    """Datadog's agent once on each node of the cluster, in the node's own network, where it finds out whose it is.

    It reads the service's metrics from the tasks of its node, and the node's own. What is wrong is said at Datadog:
    its monitors belong to the account there. Attributes: `service_name`.
    """

    service_name: pulumi.Output[str]

    def __init__(self, name: str, args: DatadogNodesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:DatadogNodes", name, {}, opts)
        base, cluster, child = args.base, args.cluster, pulumi.ResourceOptions(parent=self)
        task = aws.ecs.TaskDefinition(
            f"{name}-task",
            family=f"reme-{base.tags.stack}-datadog",
            network_mode="host",
            requires_compatibilities=["EC2"],
            execution_role_arn=cluster.execution_role_arn,
            container_definitions=_describe_containers(base),
            volumes=[aws.ecs.TaskDefinitionVolumeArgs(name=volume, host_path=path) for volume, path in MOUNTS.items()],
            tags=base.tags.named("monitoring"),
            opts=child,
        )
        service = aws.ecs.Service(
            f"{name}-service",
            cluster=cluster.cluster_arn,
            task_definition=task.arn,
            scheduling_strategy="DAEMON",
            launch_type="EC2",
            deployment_minimum_healthy_percent=0,
            deployment_maximum_percent=100,
            deployment_circuit_breaker=aws.ecs.ServiceDeploymentCircuitBreakerArgs(enable=True, rollback=True),
            enable_execute_command=False,
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            tags=base.tags.named("monitoring"),
            opts=child,
        )
        self._open_way(name, base, cluster)
        self.service_name = service.name
        self.register_outputs({"service_name": self.service_name})

    def _open_way(self, name: str, base: Foundation, cluster: ServiceCluster) -> None:
        """From the nodes, where the agents are, to the tasks."""
        port, child = base.plan.balancer.target_port, pulumi.ResourceOptions(parent=self)
        aws.vpc.SecurityGroupEgressRule(
            f"{name}-from-nodes",
            security_group_id=cluster.node_security_group_id,
            referenced_security_group_id=cluster.security_group_id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            description="Metrics of the service",
            opts=child,
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-to-service",
            security_group_id=cluster.security_group_id,
            referenced_security_group_id=cluster.node_security_group_id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            description="Metrics of the service",
            opts=child,
        )


def _describe_containers(base: Foundation) -> pulumi.Output[str]:
    def describe(known: dict[str, str]) -> str:
        agent = NodeAgent(
            image=find_image("datadog"),
            site=base.settings.alerts.datadog_site,
            stack=base.settings.stack,
            key_arn=known["key"],
            metrics_key_arn=known["admin"],
        )
        log = tasks.log_to(known["log"], base.settings.region, "datadog")
        return json.dumps(describe_node_agent(agent, log))

    secrets = base.credentials.secret_arns
    given = pulumi.Output.all(key=secrets[DATADOG_SECRET], admin=secrets[ADMIN_SECRET], log=base.application_log)
    return given.apply(describe)

"""The number of a service's tasks, by the load of the nodes."""

import pulumi
import pulumi_aws as aws
from pulumi_aws.appautoscaling import (
    PolicyTargetTrackingScalingPolicyConfigurationArgs as Tracking,
)
from pulumi_aws.appautoscaling import (
    PolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationArgs as Metric,
)
from pulumi_aws.appautoscaling import (
    PolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationDimensionArgs as Dimension,
)

from infra.tagging import Tags
from sizing.capacity import TARGET_UTILISATION

COOLDOWN_OUT_S = 180
COOLDOWN_IN_S = 600
"""Ours: more tasks no faster than a node starts; fewer only after ten calm minutes, since loads come back."""


def scale_service(
    name: str,
    *,
    cluster_name: pulumi.Output[str],
    service_name: pulumi.Output[str],
    nodes: int,
    max_nodes: int,
    tags: Tags,
    parent: pulumi.Resource,
) -> None:
    """Keep a service between ``nodes`` and ``max_nodes`` tasks, so that the nodes are as busy as they are sized for.

    The metric is the cluster's: the share of all registered CPU that tasks use. The service's own is a share
    of what its tasks reserve, which is half a node each.
    """
    target = aws.appautoscaling.Target(
        f"{name}-tasks",
        service_namespace="ecs",
        scalable_dimension="ecs:service:DesiredCount",
        resource_id=pulumi.Output.concat("service/", cluster_name, "/", service_name),
        min_capacity=nodes,
        max_capacity=max_nodes,
        tags=tags.named("cluster"),
        opts=pulumi.ResourceOptions(parent=parent),
    )
    aws.appautoscaling.Policy(
        f"{name}-cpu",
        policy_type="TargetTrackingScaling",
        service_namespace=target.service_namespace,
        scalable_dimension=target.scalable_dimension,
        resource_id=target.resource_id,
        target_tracking_scaling_policy_configuration=Tracking(
            target_value=TARGET_UTILISATION * 100,
            scale_out_cooldown=COOLDOWN_OUT_S,
            scale_in_cooldown=COOLDOWN_IN_S,
            customized_metric_specification=Metric(
                namespace="AWS/ECS",
                metric_name="CPUUtilization",
                statistic="Average",
                dimensions=[Dimension(name="ClusterName", value=cluster_name)],
            ),
        ),
        opts=pulumi.ResourceOptions(parent=parent),
    )

"""The instances that a cluster's tasks run on."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws import roles
from infra.aws.images import name_node_image
from infra.aws.traffic import ANYWHERE, HTTPS_PORT, make_group, release_port
from infra.tagging import Tags
from sizing.plan import ComputeSpec

ROOT_DEVICE = "/dev/xvda"
"""The root disk's name in the ECS-optimised images, whose snapshot is 30 GB (ECS developer guide)."""

NODE_LIFETIME_DAYS = 30
"""Ours: after so long a node is replaced by one of the newest image, which keeps its system patched."""

SECONDS_PER_DAY = 86_400

WARMUP_S = 180
"""Ours: a node takes two to three minutes to start, join and pull the image."""

FULL_PERCENT = 50
"""How full of tasks ECS keeps the nodes: two fit on one (see `tasks.share_node`), so half full is one task a node,
and the other half is the room that a rolling update needs."""


@dataclass(frozen=True, kw_only=True)
class ClusterCapacityArgs:
    """``agent_reserve_mb`` is the memory that ECS leaves to the system and its agent.

    ``image_id`` pins the image of new nodes; without one each gets the newest.
    """

    spec: ComputeSpec
    vpc_id: pulumi.Input[str]
    private_subnet_ids: Sequence[pulumi.Input[str]]
    cluster_name: pulumi.Output[str]
    agent_reserve_mb: int
    tags: Tags
    image_id: str | None = None


class ClusterCapacity(pulumi.ComponentResource):
    """A group of instances across the zones, and the capacity provider by which ECS adds and removes them.

    Their disks hold the system and images, nothing of a user, and are encrypted by the key that AWS manages
    for EBS: the scaling service could not start a node under a key of ours without a right to it, and its role
    may not yet exist in the account. Nodes that leave are emptied of tasks first (managed draining).

    Attributes: ``autoscaling_group_name``, ``provider_name``, ``security_group_id``, ``role_arn``.
    """

    autoscaling_group_name: pulumi.Output[str]
    provider_name: pulumi.Output[str]
    security_group_id: pulumi.Output[str]
    role_arn: pulumi.Output[str]

    def __init__(self, name: str, args: ClusterCapacityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:ClusterCapacity", name, {}, opts)
        self.name = name
        tags = {**args.tags.named("cluster"), "Name": f"{args.tags.stack}-node"}
        template = self._make_template(args, tags)
        group = self._make_scaling_group(args, template, tags)
        provider = aws.ecs.CapacityProvider(
            f"{name}-provider",
            auto_scaling_group_provider=aws.ecs.CapacityProviderAutoScalingGroupProviderArgs(
                auto_scaling_group_arn=group.arn,
                managed_draining="ENABLED",
                managed_termination_protection="DISABLED",
                managed_scaling=aws.ecs.CapacityProviderAutoScalingGroupProviderManagedScalingArgs(
                    status="ENABLED",
                    target_capacity=FULL_PERCENT,
                    minimum_scaling_step_size=1,
                    maximum_scaling_step_size=max(1, args.spec.max_nodes - args.spec.nodes),
                    instance_warmup_period=WARMUP_S,
                ),
            ),
            tags=args.tags.named("cluster"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.ecs.ClusterCapacityProviders(
            f"{name}-default",
            cluster_name=args.cluster_name,
            capacity_providers=[provider.name],
            default_capacity_provider_strategies=[
                aws.ecs.ClusterCapacityProvidersDefaultCapacityProviderStrategyArgs(
                    capacity_provider=provider.name, weight=1
                )
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.autoscaling_group_name = group.name
        self.provider_name = provider.name
        self.register_outputs({"autoscaling_group_name": self.autoscaling_group_name})

    def _make_template(self, args: ClusterCapacityArgs, tags: dict[str, str]) -> aws.ec2.LaunchTemplate:
        role = roles.make_role(
            f"{self.name}-role",
            trust=roles.describe_trust("ec2"),
            statements=[],
            managed=[roles.NODE_POLICY, roles.SESSION_POLICY],
            component="cluster",
            tags=args.tags,
            parent=self,
        )
        profile = roles.make_profile(f"{self.name}-profile", role, component="cluster", tags=args.tags, parent=self)
        group = make_group(
            f"{self.name}-group",
            vpc_id=args.vpc_id,
            purpose="Nodes of the cluster",
            component="cluster",
            tags=args.tags,
            parent=self,
        )
        release_port(f"{self.name}-out", group, cidr=ANYWHERE, port=HTTPS_PORT, purpose="Images and AWS", parent=self)
        self.role_arn, self.security_group_id = role.arn, group.id
        return aws.ec2.LaunchTemplate(
            f"{self.name}-template",
            image_id=args.image_id or name_node_image(args.spec),
            instance_type=args.spec.instance_class,
            update_default_version=True,
            ebs_optimized="true",
            iam_instance_profile=aws.ec2.LaunchTemplateIamInstanceProfileArgs(arn=profile.arn),
            network_interfaces=[
                aws.ec2.LaunchTemplateNetworkInterfaceArgs(
                    device_index=0,
                    associate_public_ip_address="false",
                    delete_on_termination="true",
                    security_groups=[group.id],
                )
            ],
            metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
                http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
            ),
            block_device_mappings=[
                aws.ec2.LaunchTemplateBlockDeviceMappingArgs(
                    device_name=ROOT_DEVICE,
                    ebs=aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
                        volume_type="gp3",
                        volume_size=args.spec.root_disk_gb,
                        encrypted="true",
                        delete_on_termination="true",
                    ),
                )
            ],
            tag_specifications=[
                aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=tags)
                for kind in ("instance", "volume", "network-interface")
            ],
            user_data=args.cluster_name.apply(
                lambda cluster: encode_settings(cluster, args.agent_reserve_mb, gpu=bool(args.spec.gpu))
            ),
            tags=args.tags.named("cluster"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _make_scaling_group(
        self, args: ClusterCapacityArgs, template: aws.ec2.LaunchTemplate, tags: dict[str, str]
    ) -> aws.autoscaling.Group:
        # ECS puts the last tag on by itself, and would take its absence here for a change.
        group_tags = {**tags, "AmazonECSManaged": "true"}
        return aws.autoscaling.Group(
            f"{self.name}-nodes",
            min_size=args.spec.nodes,
            max_size=args.spec.max_nodes,
            vpc_zone_identifiers=list(args.private_subnet_ids),
            launch_template=aws.autoscaling.GroupLaunchTemplateArgs(
                id=template.id, version=template.latest_version.apply(str)
            ),
            health_check_type="EC2",
            health_check_grace_period=WARMUP_S,
            default_instance_warmup=WARMUP_S,
            max_instance_lifetime=NODE_LIFETIME_DAYS * SECONDS_PER_DAY,
            # A node more before one less: no capacity is missing while nodes are replaced.
            instance_maintenance_policy=aws.autoscaling.GroupInstanceMaintenancePolicyArgs(
                min_healthy_percentage=100, max_healthy_percentage=200
            ),
            instance_refresh=aws.autoscaling.GroupInstanceRefreshArgs(
                strategy="Rolling",
                preferences=aws.autoscaling.GroupInstanceRefreshPreferencesArgs(
                    min_healthy_percentage=100, max_healthy_percentage=200
                ),
            ),
            tags=[
                aws.autoscaling.GroupTagArgs(key=key, value=value, propagate_at_launch=True)
                for key, value in sorted(group_tags.items())
            ],
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["desiredCapacity"]),
        )


def encode_settings(cluster: str, agent_reserve_mb: int, *, gpu: bool) -> str:
    """The ECS agent's settings as user data, base64 (ECS developer guide, "Amazon ECS container agent configuration").

    Tasks are kept off the instance's metadata, so that they have their own role and not the node's.
    """
    settings = {
        "ECS_CLUSTER": cluster,
        "ECS_RESERVED_MEMORY": str(agent_reserve_mb),
        "ECS_AWSVPC_BLOCK_IMDS": "true",
        "ECS_IMAGE_PULL_BEHAVIOR": "prefer-cached",
        **({"ECS_ENABLE_GPU_SUPPORT": "true"} if gpu else {}),
    }
    lines = [f"echo {key}={value} >> /etc/ecs/ecs.config" for key, value in settings.items()]
    return base64.b64encode("\n".join(["#!/bin/bash", *lines, ""]).encode()).decode()

"""The service on several instances: one or two scaling groups of nodes, and what their nodes may do."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from infra.alicloud import roles
from infra.alicloud.images import find_host_image
from infra.alicloud.node_group import NodeGroup, NodeGroupArgs
from infra.alicloud.traffic import admit_ranges, make_group, release_calls
from infra.errors import InvalidStack
from infra.settings import Strategy
from infra.tagging import Tags
from infra.traffic_weights import Colour
from sizing.plan import BalancerSpec, ComputeSpec


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """What a cluster is made of.

    ``user_data`` is that of a node, base64, without secrets, which a node reads by its role. ``inner_ports`` are the
    TCP ports inside ``cidr`` that the service calls. ``balancer_cidrs`` are the ranges of the balancer's vSwitches,
    from which it calls (ALB user guide, "Create and manage server groups"). ``listeners`` hand traffic to the groups of
    servers and come before any node. With ``strategy`` "blue-green" or "canary" a second group, green, stands behind
    its own servers with ``green_user_data`` and ``green_nodes`` nodes, none until a new version is tried; the weights
    are the balancer's. ``bucket_arns`` are read and written, ``dump_bucket_arns`` written, images of
    ``repository_arns`` pulled; ``statements`` is what else the role may do. ``kms_key_id`` encrypts the disks, the key
    that the service manages does else. ``machine_image`` pins the image of the nodes; without one new nodes get the
    newest. Nothing is protected: nodes hold no data, and a protected group could not be replaced.
    """

    spec: ComputeSpec
    balancer: BalancerSpec
    region: str
    vpc_id: pulumi.Input[str]
    cidr: str
    private_subnet_ids: Sequence[pulumi.Input[str]]
    user_data: pulumi.Input[str]
    server_group_ids: Mapping[Colour, pulumi.Input[str]]
    balancer_cidrs: Sequence[str]
    tags: Tags
    green_user_data: pulumi.Input[str] | None = None
    green_nodes: int = 0
    strategy: Strategy = "rolling"
    secret_arns: Collection[pulumi.Input[str]] = ()
    bucket_arns: Sequence[pulumi.Input[str]] = ()
    dump_bucket_arns: Sequence[pulumi.Input[str]] = ()
    repository_arns: Sequence[pulumi.Input[str]] = ()
    kms_key_id: pulumi.Input[str] | None = None
    kms_key_arn: pulumi.Input[str] | None = None
    statements: Sequence[roles.Statement] = ()
    inner_ports: Sequence[int] = ()
    machine_image: str | None = None
    listeners: Sequence[pulumi.Resource] = ()

    def __post_init__(self) -> None:
        if (self.strategy == "rolling") != (self.green_user_data is None):
            raise InvalidStack(
                "service.strategy", self.strategy, "blue-green or canary with a second version's nodes, rolling without"
            )
        if not 0 <= self.green_nodes <= self.spec.max_nodes:
            valid = f"0 to {self.spec.max_nodes}, the plan's largest number of nodes"
            raise InvalidStack("green_nodes", self.green_nodes, valid)
        if self.strategy == "rolling" and self.green_nodes:
            raise InvalidStack("service.strategy", self.strategy, "blue-green or canary where green_nodes are given")
        if self.balancer.kind != "alb":
            raise InvalidStack("workload.overrides.balancer", self.balancer.kind, "alb for a cluster on Alibaba Cloud")


class ServiceCluster(pulumi.ComponentResource):
    """The service on nodes of its own over zones, replaced without a gap.

    A change starts a new group of nodes with the plan's number, waits until they serve, and then the old group goes
    (`infra.alicloud.node_group`); a version that does not serve fails the deployment and leaves the old one in place.
    The number of nodes follows their CPU up to the plan's largest.

    Attributes: ``scaling_group_id``, ``scaling_group_name``, ``green_scaling_group_id`` (None where updates are
    rolling), ``role_name``, ``security_group_id``.
    """

    scaling_group_id: pulumi.Output[str]
    scaling_group_name: pulumi.Output[str]
    green_scaling_group_id: pulumi.Output[str] | None
    role_name: pulumi.Output[str]
    security_group_id: pulumi.Output[str]

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:ServiceCluster", name, {}, opts)
        self.name, self.args = name, args
        group, role = self._make_group(), self._make_role()
        self.role_name, self.security_group_id = role.role_name, group.id
        # The image is looked up once, so that both colours have the same.
        self._image_id: pulumi.Input[str] = args.machine_image or find_host_image(args.spec, self)
        blue = self._make_nodes("blue", args.user_data, args.spec.nodes)
        self.scaling_group_id, self.scaling_group_name = blue.id, blue.group_name
        self.green_scaling_group_id = None
        if args.green_user_data is not None:
            self.green_scaling_group_id = self._make_nodes("green", args.green_user_data, args.green_nodes).id
        self.register_outputs({"scaling_group_id": self.scaling_group_id})

    def _make_group(self) -> alicloud.ecs.SecurityGroup:
        args = self.args
        group = make_group(
            f"{self.name}-group",
            vpc_id=args.vpc_id,
            purpose="Nodes of the service",
            component="cluster",
            tags=args.tags,
            parent=self,
        )
        admit_ranges(
            f"{self.name}-in",
            group,
            cidrs=args.balancer_cidrs,
            port=args.balancer.target_port,
            purpose="The balancer",
            parent=self,
        )
        release_calls(f"{self.name}-out", group, cidr=args.cidr, inner_ports=args.inner_ports, parent=self)
        return group

    def _make_role(self) -> alicloud.ram.Role:
        args = self.args
        return roles.make_role(
            f"{self.name}-role",
            trust=roles.describe_trust("ecs"),
            statements=[
                *roles.read_secrets(list(args.secret_arns)),
                *roles.use_objects(args.bucket_arns),
                *roles.put_objects(args.dump_bucket_arns, args.kms_key_arn),
                *roles.pull_images(args.repository_arns),
                *roles.serve_in_group(args.region),
                *roles.harden_machines(args.region, args.tags.stack),
                *roles.use_key(args.kms_key_arn, write=bool(args.bucket_arns)),
                *args.statements,
            ],
            component="cluster",
            tags=args.tags,
            parent=self,
        )

    def _make_nodes(self, colour: Colour, user_data: pulumi.Input[str], nodes: int) -> NodeGroup:
        args = self.args
        return NodeGroup(
            f"{self.name}-{colour}",
            NodeGroupArgs(
                spec=args.spec,
                nodes=nodes,
                max_nodes=args.spec.max_nodes if nodes else 0,
                subnet_ids=args.private_subnet_ids,
                image_id=self._image_id,
                pinned=args.machine_image is not None,
                security_group_id=self.security_group_id,
                role_name=self.role_name,
                user_data=user_data,
                server_group_id=args.server_group_ids[colour],
                port=args.balancer.target_port,
                kms_key_id=args.kms_key_id,
                after=args.listeners,
                tags=args.tags,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

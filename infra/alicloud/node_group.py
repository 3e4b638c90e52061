"""A scaling group of nodes that run one version of the service, and the wait until a new one serves.

Another version or other settings are other user data, and those make another group beside the old one: all its nodes
are started, the deployment waits until they serve, and only then the old group goes. Auto Scaling's own refresh of
instances is for groups that fill one zone before the next, and fails where nothing has to be replaced, as at the first
deployment (StartInstanceRefresh; the provider's source of InstanceRefresh).
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud
import pulumi_random as random

from infra.alicloud.machines import DISK_CATEGORY, DISK_LEVEL, is_burstable
from infra.naming import fix_name
from infra.service.rendering import write_json
from infra.tagging import Tags
from sizing.capacity import TARGET_UTILISATION
from sizing.plan import ComputeSpec

LONGEST_NAME, DIGITS_BYTES = 64, 4
"""Characters of a group's, a configuration's, a rule's and a hook's name (the provider's pages of them)."""
LONGEST_TEMPLATE, LONGEST_INSTANCE = 200, 128
START_S = 1500
"""Ours: how long a new node is held from the balancer unless it says sooner that it serves; then it is put there all
the same, and the balancer's own check decides."""
POLL_S, POLLS = 20, 60
"""Ours: the deployment asks 20 minutes, less than a node is held, so that one that never serves is not waited out."""
SETTLE = "PT3M"
"""Ours: the balancer sends traffic once a node has passed two checks 30 s apart (§6.2), and the first node that answers
ends the wait of all that were started with it: they are held by one action (ESS, DescribeLifecycleActions)."""
WAIT_PATIENCE = "30m"
COOLDOWN_S, WARMUP_S = 180, 300
"""Ours: more nodes no faster than one starts. Fewer after 15 calm minutes, by Auto Scaling's own default."""
REMOVED_FIRST = ("OldestScalingConfiguration", "OldestInstance")
CPU_METRIC = "CpuUtilization"


@dataclass(frozen=True, kw_only=True)
class NodeGroupArgs:
    """What a group is made of.

    ``user_data`` is base64. ``nodes`` are started, and up to ``max_nodes`` by their CPU. ``pinned`` says that
    ``image_id`` is the user's: then another one replaces the nodes, while a newer one that was found is for nodes to
    come. ``after`` must be there before the first node.
    """

    spec: ComputeSpec
    nodes: int
    max_nodes: int
    subnet_ids: Sequence[pulumi.Input[str]]
    image_id: pulumi.Input[str]
    pinned: bool
    security_group_id: pulumi.Input[str]
    role_name: pulumi.Input[str]
    user_data: pulumi.Input[str]
    server_group_id: pulumi.Input[str]
    port: int
    kms_key_id: pulumi.Input[str] | None
    after: Sequence[pulumi.Resource]
    tags: Tags


class NodeGroup(pulumi.ComponentResource):
    """Nodes spread evenly over the zones of their vSwitches, behind a group of the balancer's.

    A node that is not healthy for ECS or for the balancer is replaced. A failed deployment leaves the old group as it
    is, beside the new one, until the next that ends well. A new group begins with ``nodes`` whatever the old one had.
    The old nodes are taken from the balancer when they go; whether Auto Scaling waits for the balancer's drain then is
    written nowhere. Nobody has a password or a key to log in.

    Attributes: ``id``, ``group_name``.
    """

    id: pulumi.Output[str]
    group_name: pulumi.Output[str]

    def __init__(self, name: str, args: NodeGroupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:NodeGroup", name, {}, opts)
        self.name, self.args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        group = self._make_group()
        hook = alicloud.ess.LifecycleHook(
            f"{name}-start",
            name=self._fix_name("start"),
            scaling_group_id=group.id,
            lifecycle_transition="SCALE_OUT",
            heartbeat_timeout=START_S,
            default_result="CONTINUE",
            opts=self._child,
        )
        configuration = self._make_configuration(group, hook)
        if 0 < args.nodes < args.max_nodes:
            self._scale(group)
        serving = self._await_nodes(group, configuration) if args.nodes else configuration
        # Whoever is handed the group has one that serves.
        self.id = pulumi.Output.all(group.id, serving.id).apply(lambda known: str(known[0]))
        self.group_name = group.scaling_group_name.apply(str)
        self.register_outputs({"id": self.id, "group_name": self.group_name})

    def _make_group(self) -> alicloud.ess.ScalingGroup:
        """The group, whose name is another one with each change of what its nodes are, and so is the group."""
        # Between the two sizes the number is scaling's alone: a wanted one would have to be ignored afterwards, and an
        # outgrown one is refused when the group is made anew.
        args = self.args
        digits = random.RandomId(
            f"{self.name}-digits",
            byte_length=DIGITS_BYTES,
            keepers={
                "user_data": pulumi.Output.from_input(args.user_data).apply(_digest),
                "image": args.image_id if args.pinned else "",
                "class": args.spec.instance_class,
                "disk": str(args.spec.root_disk_gb),
            },
            opts=self._child,
        )
        prefix = fix_name(args.tags.stack, self.name, LONGEST_NAME - 1 - 2 * DIGITS_BYTES)
        return alicloud.ess.ScalingGroup(
            f"{self.name}-group",
            scaling_group_name=pulumi.Output.concat(f"{prefix}-", digits.hex),
            group_type="ECS",
            min_size=args.nodes,
            max_size=args.max_nodes,
            default_cooldown=COOLDOWN_S,
            vswitch_ids=list(args.subnet_ids),
            multi_az_policy="BALANCE",
            removal_policies=list(REMOVED_FIRST),
            health_check_types=["ECS", "LOAD_BALANCER"],
            scaling_policy="release",
            alb_server_groups=[
                alicloud.ess.ScalingGroupAlbServerGroupArgs(
                    alb_server_group_id=args.server_group_id, port=args.port, weight=100
                )
            ],
            tags=args.tags.named("cluster"),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(args.after),
                replace_on_changes=["scalingGroupName"],
            ),
        )

    def _make_configuration(
        self, group: alicloud.ess.ScalingGroup, hook: alicloud.ess.LifecycleHook
    ) -> alicloud.ess.ScalingConfiguration:
        """What a node is; the group starts nodes once it has this, so all else of it comes before."""
        args, spec = self.args, self.args.spec
        return alicloud.ess.ScalingConfiguration(
            f"{self.name}-configuration",
            scaling_configuration_name=self._fix_name("node"),
            scaling_group_id=group.id,
            active=True,
            enable=True,
            force_delete=True,
            image_id=args.image_id,
            instance_type=spec.instance_class,
            instance_name=fix_name(args.tags.stack, f"{self.name}-node", LONGEST_INSTANCE),
            spot_strategy="NoSpot",
            # The bill has no line for credits beyond the baseline, so they are not taken.
            credit_specification="Standard" if is_burstable(spec.instance_class) else None,
            security_group_id=args.security_group_id,
            internet_max_bandwidth_out=0,
            role_name=args.role_name,
            user_data=args.user_data,
            password_inherit=False,
            # That they answer for a token alone is said by each node of itself: Auto Scaling has no word for it.
            http_endpoint="enabled",
            system_disk_category=DISK_CATEGORY,
            system_disk_performance_level=DISK_LEVEL,
            system_disk_size=spec.root_disk_gb,
            system_disk_encrypted=True,
            system_disk_kms_key_id=args.kms_key_id,
            tags=args.tags.named("cluster"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[hook]),
        )

    def _scale(self, group: alicloud.ess.ScalingGroup) -> None:
        """Keep the nodes as busy as they are sized for."""
        alicloud.ess.ScalingRule(
            f"{self.name}-cpu",
            scaling_group_id=group.id,
            scaling_rule_name=self._fix_name("cpu"),
            scaling_rule_type="TargetTrackingScalingRule",
            metric_name=CPU_METRIC,
            target_value=TARGET_UTILISATION * 100,
            estimated_instance_warmup=WARMUP_S,
            disable_scale_in=False,
            opts=self._child,
        )

    def _await_nodes(
        self, group: alicloud.ess.ScalingGroup, configuration: alicloud.ess.ScalingConfiguration
    ) -> alicloud.oos.Execution:
        """A run of OOS for each group, so that `pulumi up` waits, and fails where a version does not serve."""
        args = self.args
        template = alicloud.oos.Template(
            f"{self.name}-wait-template",
            template_name=fix_name(args.tags.stack, f"{self.name}-wait", LONGEST_TEMPLATE),
            content=describe_wait(args.nodes, args.max_nodes),
            auto_delete_executions=True,
            tags=args.tags.named("cluster"),
            opts=self._child,
        )
        return alicloud.oos.Execution(
            f"{self.name}-wait",
            template_name=template.template_name,
            description="Waits until the nodes of a version serve",
            parameters=group.id.apply(lambda id_: json.dumps({"scalingGroupId": id_})),
            tags=args.tags.named("cluster"),
            # A record that is forgotten after some weeks and cannot be deleted then.
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[configuration],
                retain_on_delete=True,
                custom_timeouts=pulumi.CustomTimeouts(create=WAIT_PATIENCE),
            ),
        )

    def _fix_name(self, part: str) -> str:
        return fix_name(self.args.tags.stack, f"{self.name}-{part}", LONGEST_NAME)


def describe_wait(nodes: int, max_nodes: int) -> str:
    """The template of OOS that waits until so many nodes of a group serve, then for the balancer's checks; in JSON.

    A node is in service once it or one that was started with it has said that it answers
    (`infra.service.cluster_node`). Scaling may add some in the meantime. Each number stands as a number and as text:
    what OOS compares is written nowhere.
    """
    enough = range(nodes, max_nodes + 1)
    wait = {
        "Name": "waitForNodes",
        "Action": "ACS::WaitFor",
        "Retries": POLLS,
        "DelayType": "Constant",
        "Delay": POLL_S,
        "Properties": {
            "Service": "ESS",
            "API": "DescribeScalingInstances",
            "Parameters": {
                "RegionId": "{{ ACS::RegionId }}",
                "ScalingGroupId": "{{ scalingGroupId }}",
                "LifecycleState": "InService",
            },
            "DesiredValues": [*enough, *(str(each) for each in enough)],
            "PropertySelector": "TotalCount",
        },
    }
    settle = {"Name": "settle", "Action": "ACS::Sleep", "Properties": {"Duration": SETTLE}}
    return write_json(
        {
            "FormatVersion": "OOS-2019-06-01",
            "Description": "Wait until the nodes of a scaling group serve",
            "Parameters": {"scalingGroupId": {"Type": "String", "Description": "The group"}},
            "Tasks": [wait, settle],
        }
    )


def _digest(user_data: str) -> str:
    return hashlib.sha256(user_data.encode()).hexdigest()

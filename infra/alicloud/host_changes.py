"""How a change of settings or release reaches a host that runs: a command of Cloud Assistant, run anew at each change.

A state configuration of OOS runs at a rate, over and over (the provider's page of StateConfiguration), and would try a
release again that was given up.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from infra.alicloud.host import ServiceHost
from infra.naming import fix_name
from infra.service.rendering import write_json
from infra.service.upkeep import TIMEOUT_S, write_change_command
from infra.tagging import Tags

LONGEST_COMMAND = 128
LONGEST_TEMPLATE = 200
"""Characters of a name (the provider's pages of Command and Template)."""
AGENT_PATIENCE = "11m"
"""Ours: the agent of a new machine is there a minute or two after its start."""
CHANGE_PATIENCE = f"{TIMEOUT_S // 60 + 5}m"
"""Longer than the command itself may take; the provider would wait one minute."""


@dataclass(frozen=True, kw_only=True)
class HostChangesArgs:
    """`parameters` are those of `infra.service.upkeep.write_change_parameters`, without a secret's value."""

    host: ServiceHost
    parameters: pulumi.Input[Mapping[str, str]]
    tags: Tags


class HostChanges(pulumi.ComponentResource):
    """A command and its run on the host, which is made anew when a parameter changes or the host does.

    So `pulumi up` waits for the run, and fails where the host gave the change up; the next one tries again. On a new
    host the run waits for cloud-init, which did the same. Cloud Assistant refuses a machine whose agent is not there
    yet, so an execution of OOS waits for the agent first. Both kinds of runs are records that are forgotten after some
    weeks, and cannot be deleted then: the stack never deletes one.

    Attributes: ``association_id``, under which Cloud Assistant keeps what became of the last change.
    """

    association_id: pulumi.Output[str]

    def __init__(self, name: str, args: HostChangesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:HostChanges", name, {}, opts)
        tags, child = args.tags.named("host"), pulumi.ResourceOptions(parent=self)
        command = alicloud.ecs.Command(
            f"{name}-command",
            name=fix_name(args.tags.stack, f"{name}-command", LONGEST_COMMAND),
            description="Gives the memory service a release and settings, or the former ones where it is unhealthy",
            type="RunShellScript",
            command_content=write_change_command(),
            enable_parameter=True,
            timeout=TIMEOUT_S,
            working_dir="/root",
            opts=child,
        )
        template = alicloud.oos.Template(
            f"{name}-agent-template",
            template_name=fix_name(args.tags.stack, f"{name}-agent", LONGEST_TEMPLATE),
            content=describe_wait(),
            auto_delete_executions=True,
            tags=tags,
            opts=child,
        )
        agent = alicloud.oos.Execution(
            f"{name}-agent",
            template_name=template.template_name,
            description="Waits for the agent of the host",
            parameters=args.host.instance_id.apply(lambda id_: json.dumps({"instanceId": id_})),
            tags=tags,
            opts=_keep_record(self, AGENT_PATIENCE, [args.host]),
        )
        run = alicloud.ecs.EcsInvocation(
            f"{name}-run",
            command_id=command.id,
            instance_ids=[args.host.instance_id],
            parameters=args.parameters,
            repeat_mode="Once",
            username="root",
            # The role's policy has the secrets that the settings name before they are tried.
            opts=_keep_record(self, CHANGE_PATIENCE, [args.host, agent]),
        )
        self.association_id = run.id
        self.register_outputs({"association_id": self.association_id})


def describe_wait() -> str:
    """The template of OOS that waits until a machine's agent is there, in JSON.

    Its task is the one that OOS's own action ACS::ECS::InstallCloudAssistant ends with.
    """
    wait = {
        "Name": "waitForAgent",
        "Action": "ACS::WaitFor",
        "Properties": {
            "Service": "ECS",
            "API": "DescribeCloudAssistantStatus",
            "Parameters": {"RegionId": "{{ ACS::RegionId }}", "InstanceIds": ["{{ instanceId }}"]},
            "DesiredValues": ["true"],
            "PropertySelector": "InstanceCloudAssistantStatusSet.InstanceCloudAssistantStatus[].CloudAssistantStatus",
        },
    }
    return write_json(
        {
            "FormatVersion": "OOS-2019-06-01",
            "Description": "Wait until the agent of a machine is there",
            "Parameters": {"instanceId": {"Type": "String", "Description": "The machine"}},
            "Tasks": [wait],
        }
    )


def _keep_record(parent: pulumi.Resource, patience: str, after: list[pulumi.Resource]) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(
        parent=parent,
        depends_on=after,
        retain_on_delete=True,
        custom_timeouts=pulumi.CustomTimeouts(create=patience),
    )

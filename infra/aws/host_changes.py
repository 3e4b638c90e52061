"""How a change of settings or release reaches a host that runs: an association of Systems Manager."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.host import ServiceHost
from infra.service.upkeep import write_change_document
from infra.tagging import Tags


@dataclass(frozen=True, kw_only=True)
class HostChangesArgs:
    """`parameters` are those of `infra.service.upkeep.write_change_parameters`, without a secret's value."""

    host: ServiceHost
    parameters: pulumi.Input[Mapping[str, str]]
    tags: Tags


class HostChanges(pulumi.ComponentResource):
    """A document and its association with the host.

    Systems Manager carries an association out when it is made, when a parameter changes and when it is given another
    instance; without a schedule it does so once each time, so a release that was given up is not tried over and over.
    On a new host it waits for cloud-init, which did the same. What the agent on the host needs for it is in
    `roles.SESSION_POLICY`; the host's own policy has the bucket and the secrets.

    Attributes: ``association_id``, under which Systems Manager keeps what became of each change.
    """

    association_id: pulumi.Output[str]

    def __init__(self, name: str, args: HostChangesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:HostChanges", name, {}, opts)
        document = aws.ssm.Document(
            f"{name}-document",
            document_type="Command",
            document_format="JSON",
            content=write_change_document(),
            tags=args.tags.named("host"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        association = aws.ssm.Association(
            f"{name}-association",
            name=document.name,
            parameters=args.parameters,
            targets=[aws.ssm.AssociationTargetArgs(key="InstanceIds", values=[args.host.instance_id])],
            tags=args.tags.named("host"),
            # The role's policy has the secrets that the settings name before they are tried.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.host]),
        )
        self.association_id = association.association_id
        self.register_outputs({"association_id": self.association_id})

"""What a node of Qdrant may do, and where the cluster's own authority is kept.

The first node makes the authority and stores it; so its key is in no plan and no stack's state. The two encrypted
parameters have a text in its place until then, and in the state for good: the provider reads a parameter without
asking for its clear text (its source, DescribeOosSecretParameter).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from infra.alicloud.credentials import KIND
from infra.alicloud.roles import describe_trust, make_role, put_objects, read_secrets, use_key, write_secrets
from infra.facts import SNAPSHOTS_PREFIX
from infra.service.machine import UNWRITTEN
from infra.tagging import PROJECT, Tags
from infra.vector_nodes import COMPONENT, Authority

SET_ONCE = ["value", "description", "tags", "keyId", "dkmsInstanceId"]
"""What Pulumi never changes: any update by the provider writes the value of the stack's state again, and another key
makes another parameter, and either would undo what the first node wrote (the provider's source of SecretParameter)."""


@dataclass(frozen=True, kw_only=True)
class AuthorityArgs:
    """Where the parameters are, and the key that encrypts them, as of other credentials (`CredentialsArgs`)."""

    region: str
    account: str
    tags: Tags
    protect: bool
    keeps_copies: bool
    key_id: pulumi.Input[str] | None = None
    key_instance_id: str = ""


@dataclass(frozen=True, kw_only=True)
class NodeRights:
    """What all nodes get at: secrets to read, and a bucket for snapshots where there is one, under one key."""

    authority: Authority
    secret_arns: Sequence[pulumi.Input[str]]
    snapshot_bucket_arn: pulumi.Input[str] | None
    kms_key_arn: pulumi.Input[str] | None


def make_authority(name: str, args: AuthorityArgs, *, parent: pulumi.Resource) -> Authority:
    """Make the two parameters of a cluster's authority, with UNWRITTEN in them."""

    def keep(part: str) -> pulumi.Output[str]:
        path = f"{PROJECT}/{args.tags.stack}/vector-authority-{part}"
        made = alicloud.oos.SecretParameter(
            f"{name}-authority-{part}",
            secret_parameter_name=path,
            value=pulumi.Output.secret(UNWRITTEN),
            type="Secret",
            description=f"{args.tags.stack}: the vector store's authority, {part}",
            key_id=args.key_id,
            dkms_instance_id=args.key_instance_id or None,
            tags=args.tags.named(COMPONENT),
            opts=pulumi.ResourceOptions(
                parent=parent,
                protect=args.protect,
                retain_on_delete=args.keeps_copies,
                delete_before_replace=True,
                ignore_changes=SET_ONCE,
            ),
        )
        return made.id.apply(lambda _: f"acs:oos:{args.region}:{args.account}:{KIND}/{path}")

    return Authority(certificate_arn=keep("certificate"), key_arn=keep("key"))


def make_node_role(
    name: str, rights: NodeRights, *, founds: bool, tags: Tags, parent: pulumi.Resource
) -> alicloud.ram.Role:
    """Make a node's role; that of the node that `founds` the cluster may write the authority.

    Snapshots are written below their prefix, and neither read nor deleted: a node that is taken over harms no backup.
    """
    authority = [rights.authority.certificate_arn, rights.authority.key_arn]
    buckets = [] if rights.snapshot_bucket_arn is None else [rights.snapshot_bucket_arn]
    return make_role(
        name,
        trust=describe_trust("ecs"),
        statements=[
            *read_secrets([*rights.secret_arns, *authority]),
            *(write_secrets(authority) if founds else []),
            *put_objects([pulumi.Output.concat(arn, f"/{SNAPSHOTS_PREFIX}") for arn in buckets], rights.kms_key_arn),
            *use_key(rights.kms_key_arn, write=founds),
        ],
        component=COMPONENT,
        tags=tags,
        parent=parent,
    )

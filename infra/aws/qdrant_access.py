"""What a node of Qdrant may do, and where the cluster's own authority is kept.

The first node makes the authority and stores it; so its key is in no plan and no stack's state, and the two secrets are
empty at first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.credentials import RECOVERY_DAYS, SHORT_RECOVERY_DAYS
from infra.aws.roles import (
    SESSION_POLICY,
    Statement,
    describe_trust,
    make_profile,
    make_role,
    publish_metrics,
    read_secrets,
    use_key,
)
from infra.facts import SNAPSHOTS_PREFIX
from infra.tagging import Tags
from infra.vector_nodes import COMPONENT, Authority


@dataclass(frozen=True, kw_only=True)
class NodeRights:
    """What all nodes get at: secrets to read, and a bucket for snapshots where there is one, under one key."""

    authority: Authority
    secret_arns: Sequence[pulumi.Input[str]]
    snapshot_bucket_arn: pulumi.Input[str] | None
    kms_key_arn: pulumi.Input[str] | None


def make_authority(
    name: str,
    *,
    kms_key_arn: pulumi.Input[str] | None,
    tags: Tags,
    protect: bool,
    keeps_copies: bool,
    parent: pulumi.Resource,
) -> Authority:
    """Make the two secrets of a cluster's authority, empty."""
    arns = {
        part: aws.secretsmanager.Secret(
            f"{name}-authority-{part}",
            description=f"{tags.stack}: the vector store's authority, {part}",
            kms_key_id=kms_key_arn,
            recovery_window_in_days=RECOVERY_DAYS if keeps_copies else SHORT_RECOVERY_DAYS,
            tags=tags.named(COMPONENT),
            opts=pulumi.ResourceOptions(parent=parent, protect=protect),
        ).arn
        for part in ("certificate", "key")
    }
    return Authority(certificate_arn=arns["certificate"], key_arn=arns["key"])


def make_node_profile(
    name: str, rights: NodeRights, *, founds: bool, tags: Tags, parent: pulumi.Resource
) -> aws.iam.InstanceProfile:
    """Make what a node carries its role in; the one that `founds` the cluster may store the authority."""
    authority = [rights.authority.certificate_arn, rights.authority.key_arn]
    role = make_role(
        f"{name}-role",
        trust=describe_trust("ec2"),
        statements=[
            *read_secrets([*rights.secret_arns, *authority]),
            *(_store_authority(authority) if founds else []),
            *_save_snapshots(rights.snapshot_bucket_arn),
            *publish_metrics(),
            *use_key(rights.kms_key_arn, write=founds or rights.snapshot_bucket_arn is not None),
        ],
        managed=[SESSION_POLICY],
        component=COMPONENT,
        tags=tags,
        parent=parent,
    )
    return make_profile(f"{name}-profile", role, component=COMPONENT, tags=tags, parent=parent)


def _store_authority(arns: Sequence[pulumi.Input[str]]) -> list[Statement]:
    return [
        {
            "Sid": "StoreAuthority",
            "Effect": "Allow",
            "Action": ["secretsmanager:PutSecretValue"],
            "Resource": list(arns),
        }
    ]


def _save_snapshots(bucket_arn: pulumi.Input[str] | None) -> list[Statement]:
    """Write below the prefix of snapshots, and neither read nor delete: a node that is taken over harms no backup."""
    if bucket_arn is None:
        return []
    return [
        {
            "Sid": "SaveSnapshots",
            "Effect": "Allow",
            "Action": ["s3:AbortMultipartUpload", "s3:PutObject"],
            "Resource": [pulumi.Output.concat(bucket_arn, f"/{SNAPSHOTS_PREFIX}/*")],
        }
    ]

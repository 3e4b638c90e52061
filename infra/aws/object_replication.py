"""Copies of the service's objects in other regions: working memory and profiles, between the open regions of a plan.

A region's stack knows nothing of the others, and S3 takes no rule towards a bucket that is not there. So each region
is deployed without copies first, then its peers' buckets are named in `replicas`, and it is deployed again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.aws.private_bucket import PrivateBucket
from infra.aws.roles import Statement, describe_trust, make_role
from infra.errors import InvalidStack
from infra.facts import PROFILES_PREFIX, WORKING_PREFIXES
from infra.planning import StackPlan
from infra.settings import StackSettings
from infra.tagging import Tags

COMPONENT = "object-store"
REPLICATED = (*WORKING_PREFIXES, PROFILES_PREFIX)
"""Weights of models are brought to each region by themselves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """Another region's bucket, and the key that encrypts there; without one it is S3's own."""

    region: str
    bucket_arn: str
    key_arn: str


def find_peers(settings: StackSettings, planned: StackPlan) -> tuple[Peer, ...]:
    """The peers whose buckets are named. Raises InvalidStack for a region that this one may not share data with, and
    where a key is missing that the plan pays for."""
    allowed = planned.peers
    for region, replica in settings.replicas.items():
        if region not in allowed:
            valid = ", ".join(allowed) or "none: this plan shares data with no other region"
            raise InvalidStack("replicas", region, valid)
        if planned.region.security.keys and not replica.key_arn:
            raise InvalidStack(f"replicas.{region}.key_arn", "", f"the output bucket_key of the stack of {region}")
    return tuple(
        Peer(region=region, bucket_arn=found.bucket_arn, key_arn=found.key_arn)
        for region, found in sorted(settings.replicas.items())
    )


def replicate_objects(
    name: str,
    bucket: PrivateBucket,
    peers: Sequence[Peer],
    *,
    kms_key_arn: pulumi.Input[str] | None,
    tags: Tags,
    parent: pulumi.Resource,
) -> None:
    """Copy what is written to a bucket to its peers, encrypted with their keys. What comes as a copy is not copied on.

    What is deleted here gets a mark there too, and goes there by the peer's own rules. Objects from before are not
    copied (S3 Batch Replication does so once).
    """
    account = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=parent)).account_id
    role = make_role(
        f"{name}-replication-role",
        trust=describe_trust("s3", account),
        statements=allow_replication(bucket.arn, peers, kms_key_arn=kms_key_arn),
        component=COMPONENT,
        tags=tags,
        parent=parent,
    )
    aws.s3.BucketReplicationConfig(
        f"{name}-replication",
        bucket=bucket.versioned_bucket,
        role=role.arn,
        rules=_list_rules(peers, encrypted=kms_key_arn is not None),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def _list_rules(peers: Sequence[Peer], *, encrypted: bool) -> list[aws.s3.BucketReplicationConfigRuleArgsDict]:
    rules: list[aws.s3.BucketReplicationConfigRuleArgsDict] = []
    for peer in peers:
        for number, prefix in enumerate(REPLICATED, start=1):
            destination: dict[str, Any] = {"bucket": peer.bucket_arn}
            if peer.key_arn:
                destination["encryption_configuration"] = {"replica_kms_key_id": peer.key_arn}
            rule: dict[str, Any] = {
                "id": f"{peer.region}-{number}",
                # rules towards different buckets may overlap, and S3 wants different priorities
                "priority": len(rules) + 1,
                "status": "Enabled",
                "filter": {"prefix": prefix},
                "delete_marker_replication": {"status": "Enabled"},
                "destination": destination,
            }
            if encrypted:
                rule["source_selection_criteria"] = {"sse_kms_encrypted_objects": {"status": "Enabled"}}
            rules.append(rule)  # type: ignore[arg-type]
    return rules


def allow_replication(
    bucket_arn: pulumi.Input[str], peers: Sequence[Peer], *, kms_key_arn: pulumi.Input[str] | None
) -> list[Statement]:
    """Read versions of the replicated objects here, write copies there, each under its region's key by S3 alone."""
    actions = ["s3:GetObjectVersionAcl", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging"]
    found: list[Statement] = [
        {
            "Sid": "ReadSettings",
            "Effect": "Allow",
            "Action": ["s3:GetReplicationConfiguration", "s3:ListBucket"],
            "Resource": [bucket_arn],
        },
        {
            "Sid": "ReadVersions",
            "Effect": "Allow",
            "Action": actions,
            "Resource": [pulumi.Output.concat(bucket_arn, "/", prefix, "*") for prefix in REPLICATED],
        },
        {
            "Sid": "WriteCopies",
            "Effect": "Allow",
            "Action": ["s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags"],
            "Resource": [f"{peer.bucket_arn}/{prefix}*" for peer in peers for prefix in REPLICATED],
        },
    ]
    if kms_key_arn is not None:
        found.append(
            {"Sid": "ReadUnderKey", "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": [kms_key_arn]}
            | {"Condition": {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}}}
        )
    encrypting = [peer for peer in peers if peer.key_arn]
    if encrypting:
        found.append(
            {
                "Sid": "WriteUnderKeys",
                "Effect": "Allow",
                "Action": ["kms:Encrypt", "kms:GenerateDataKey"],
                "Resource": [peer.key_arn for peer in encrypting],
                "Condition": {
                    "StringEquals": {"kms:ViaService": [f"s3.{each.region}.amazonaws.com" for each in encrypting]}
                },
            }
        )
    return found

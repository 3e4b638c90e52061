"""RAM roles for machines, and what each may do: actions by name, on the resources of the stack.

A statement of RAM has no name of its own. A role has no policy inside it as on AWS: each is a resource beside it,
with a name that is unique in the account.
"""

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_alicloud as alicloud

from infra.naming import fix_name
from infra.tagging import Tags

Statement = dict[str, Any]
"""One statement of a policy document; resources may be Outputs."""

LONGEST_ROLE = 64
LONGEST_POLICY = 128
"""Characters of a name (RAM, CreateRole and CreatePolicy)."""


def read_secrets(secret_arns: Sequence[pulumi.Input[str]]) -> list[Statement]:
    """Read the values of encrypted parameters, each of which is a secret of the key service underneath."""
    beneath = [pulumi.Output.from_input(arn).apply(_find_secret) for arn in secret_arns]
    return [
        *_allow(["oos:GetSecretParameter"], secret_arns),
        *_allow(["kms:GetSecretValue"], beneath),
    ]


def write_secrets(secret_arns: Sequence[pulumi.Input[str]]) -> list[Statement]:
    """Give encrypted parameters that are there other values (OOS, UpdateSecretParameter)."""
    beneath = [pulumi.Output.from_input(arn).apply(_find_secret) for arn in secret_arns]
    return [
        *_allow(["oos:UpdateSecretParameter"], secret_arns),
        *_allow(["kms:PutSecretValue"], beneath),
    ]


def _find_secret(arn: str) -> str:
    """The key service's secret under an encrypted parameter (OOS, "Control access to encryption parameters")."""
    _, _, region, account, resource = arn.split(":", 4)
    return f"acs:kms:{region}:{account}:secret/oos/{resource.partition('/')[2]}"


def use_objects(bucket_arns: Sequence[pulumi.Input[str]]) -> list[Statement]:
    """List these buckets, and read, write and delete their objects with their older versions."""
    return [
        *_allow(["oss:GetBucketInfo", "oss:ListObjects", "oss:ListObjectVersions", "oss:ListMultipartUploads"],
                bucket_arns),
        *_allow(
            [
                "oss:AbortMultipartUpload",
                "oss:DeleteObject",
                "oss:DeleteObjectVersion",
                "oss:GetObject",
                "oss:GetObjectVersion",
                "oss:ListParts",
                "oss:PutObject",
            ],
            _name_objects(bucket_arns),
        ),
    ]  # fmt: skip


def read_objects(bucket_arns: Sequence[pulumi.Input[str]]) -> list[Statement]:
    """Read the objects of these buckets; nothing where there are none."""
    return _allow(["oss:GetObject"], _name_objects(bucket_arns))


def put_objects(bucket_arns: Sequence[pulumi.Input[str]], key_arn: pulumi.Input[str] | None) -> list[Statement]:
    """Write objects of these buckets under a key, and neither read nor delete one."""
    found = _allow(["oss:PutObject"], _name_objects(bucket_arns))
    if found and key_arn is not None:
        found += _allow(["kms:GenerateDataKey"], [key_arn])
    return found


def pull_images(repository_arns: Sequence[pulumi.Input[str]]) -> list[Statement]:
    """Pull images of these repositories; nothing where images come from a public registry.

    A token is asked for no resource (Container Registry, "RAM authentication rules").
    """
    if not repository_arns:
        return []
    return [
        *_allow(["cr:GetAuthorizationToken"], ["*"]),
        *_allow(["cr:GetRepository", "cr:PullRepository"], repository_arns),
    ]


def serve_in_group(region: str) -> list[Statement]:
    """End the wait of a new node of a scaling group, and see which nodes of the group serve.

    A node asks for itself by its id, before it knows its group, which is why no group can be named (Auto Scaling,
    "RAM authorization").
    """
    actions = ["ess:CompleteLifecycleAction", "ess:DescribeLifecycleActions", "ess:DescribeScalingInstances"]
    return _allow(actions, [f"acs:ess:{region}:*:scalinggroup/*"])


def harden_machines(region: str, stack: str) -> list[Statement]:
    """Have the metadata of a stack's machines, known by their tag, answer for a token alone."""
    [found] = _allow(["ecs:ModifyInstanceMetadataOptions"], [f"acs:ecs:{region}:*:instance/*"])
    return [{**found, "Condition": {"StringEquals": {"acs:ResourceTag/stack": stack}}}]


def use_key(key_arn: pulumi.Input[str] | None, *, write: bool) -> list[Statement]:
    """Read under a key, and write under it where ``write``; nothing where the service's own key is used."""
    if key_arn is None:
        return []
    return _allow(["kms:Decrypt", "kms:GenerateDataKey"] if write else ["kms:Decrypt"], [key_arn])


def judge_texts() -> list[Statement]:
    """Ask Content Moderation about texts. Its rights are by action alone (AI Guardrails, "RAM authorization"): there is
    no resource that could be named, and policies/data/unscoped_actions.csv says so."""
    return _allow(["yundun-greenweb:TextModerationPlus"], ["*"])


def describe_policy(statements: Sequence[Statement]) -> dict[str, Any]:
    """A policy document of these statements."""
    return {"Version": "1", "Statement": list(statements)}


def describe_trust(service: str) -> dict[str, Any]:
    """Who may take a role: a service such as ``ecs``."""
    return describe_policy(
        [{"Effect": "Allow", "Principal": {"Service": [f"{service}.aliyuncs.com"]}, "Action": "sts:AssumeRole"}]
    )


def make_role(
    name: str,
    *,
    trust: dict[str, Any],
    statements: Sequence[Statement],
    component: str,
    tags: Tags,
    parent: pulumi.Resource,
) -> alicloud.ram.Role:
    """A role, with one policy of its own where it has statements."""
    child = pulumi.ResourceOptions(parent=parent)
    role = alicloud.ram.Role(
        name,
        role_name=fix_name(tags.stack, name, LONGEST_ROLE),
        description=f"{tags.stack}: {component}",
        assume_role_policy_document=pulumi.Output.json_dumps(trust),
        tags=tags.named(component),
        opts=child,
    )
    if statements:
        policy = alicloud.ram.Policy(
            f"{name}-policy",
            policy_name=fix_name(tags.stack, f"{name}-policy", LONGEST_POLICY),
            description=f"What {tags.stack}'s {component} may do",
            policy_document=pulumi.Output.json_dumps(describe_policy(statements)),
            # a policy keeps five versions, and each change makes one (RAM, "Manage policy versions")
            rotate_strategy="DeleteOldestNonDefaultVersionWhenLimitExceeded",
            tags=tags.named(component),
            opts=child,
        )
        alicloud.ram.RolePolicyAttachment(
            f"{name}-policy-attachment",
            role_name=role.role_name,
            policy_name=policy.policy_name,
            policy_type="Custom",
            opts=child,
        )
    return role


def _name_objects(bucket_arns: Sequence[pulumi.Input[str]]) -> list[pulumi.Output[str]]:
    return [pulumi.Output.concat(arn, "/*") for arn in bucket_arns]


def _allow(actions: Sequence[str], resources: Sequence[pulumi.Input[str]]) -> list[Statement]:
    if not resources:
        return []
    return [{"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}]

"""Roles for tasks and instances, and what each may do: actions by name, on the resources of the stack."""

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.aws.watched import HOST_NAMESPACE
from infra.tagging import Tags

Statement = dict[str, Any]
"""One statement of a policy document; resources may be Outputs."""

UNSCOPED_ACTIONS = frozenset({"ecr:GetAuthorizationToken", "cloudwatch:PutMetricData"})
"""Actions without a permission by resource (Service Authorization Reference), the only ones allowed on ``*``."""

SESSION_POLICY = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
"""Session Manager in place of SSH: no open port, no key pair."""

NODE_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
"""What the ECS agent on a node needs, kept up to date by AWS."""


def read_secrets(secret_arns: Sequence[pulumi.Input[str]]) -> list[Statement]:
    """Read the values of these secrets; nothing where there are none."""
    return _allow("ReadSecrets", ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"], secret_arns)


def use_objects(bucket_arns: Sequence[pulumi.Input[str]]) -> list[Statement]:
    """List these buckets, and read, write and delete their objects with their older versions."""
    objects = [pulumi.Output.concat(arn, "/*") for arn in bucket_arns]
    return [
        *_allow(
            "ListObjects",
            ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions"],
            bucket_arns,
        ),
        *_allow(
            "UseObjects",
            [
                "s3:AbortMultipartUpload",
                "s3:DeleteObject",
                "s3:DeleteObjectVersion",
                "s3:GetObject",
                "s3:GetObjectVersion",
                "s3:ListMultipartUploadParts",
                "s3:PutObject",
            ],
            objects,
        ),
    ]


def read_objects(bucket_arns: Sequence[pulumi.Input[str]]) -> list[Statement]:
    """Read the objects of these buckets; nothing where there are none."""
    return _allow("ReadObjects", ["s3:GetObject"], [pulumi.Output.concat(arn, "/*") for arn in bucket_arns])


def put_objects(bucket_arns: Sequence[pulumi.Input[str]], key_arn: pulumi.Input[str] | None) -> list[Statement]:
    """Write objects of these buckets under a key, and neither read nor delete one."""
    found = _allow("PutObjects", ["s3:PutObject"], [pulumi.Output.concat(arn, "/*") for arn in bucket_arns])
    if found and key_arn is not None:
        found += _allow("EncryptObjects", ["kms:GenerateDataKey"], [key_arn])
    return found


def add_objects(bucket_arn: pulumi.Input[str], prefix: str, key_arn: pulumi.Input[str] | None) -> list[Statement]:
    """Add objects below a prefix of a bucket, under its key; neither read, delete nor shorten what is there."""
    keys = [] if key_arn is None else [key_arn]
    return [
        *_allow("AddObjects", ["s3:PutObject"], [pulumi.Output.concat(bucket_arn, f"/{prefix}*")]),
        *_allow("AddUnderKey", ["kms:GenerateDataKey"], keys),
    ]


def use_key(key_arn: pulumi.Input[str] | None, *, write: bool) -> list[Statement]:
    """Read under a key, and write under it where ``write``; nothing where AWS's own key is used."""
    if key_arn is None:
        return []
    return _allow("UseKey", ["kms:Decrypt", "kms:GenerateDataKey"] if write else ["kms:Decrypt"], [key_arn])


def write_logs(log_group_arns: Sequence[pulumi.Input[str]]) -> list[Statement]:
    """Write streams of these log groups, which exist already."""
    streams = [pulumi.Output.concat(arn, ":log-stream:*") for arn in log_group_arns]
    return _allow("WriteLogs", ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"], streams)


def pull_images(repository_arns: Sequence[pulumi.Input[str]]) -> list[Statement]:
    """Pull images of these repositories; nothing where images come from a public registry."""
    if not repository_arns:
        return []
    return [
        *_allow("SignIn", ["ecr:GetAuthorizationToken"], ["*"]),
        *_allow(
            "PullImages",
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            repository_arns,
        ),
    ]


def publish_metrics() -> list[Statement]:
    """Publish metrics in HOST_NAMESPACE."""
    found = _allow("PublishMetrics", ["cloudwatch:PutMetricData"], ["*"])
    return [{**each, "Condition": {"StringEquals": {"cloudwatch:namespace": HOST_NAMESPACE}}} for each in found]


def describe_policy(statements: Sequence[Statement]) -> dict[str, Any]:
    """A policy document of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def describe_trust(service: str, account: pulumi.Input[str] | None = None) -> dict[str, Any]:
    """Who may take a role: a service such as ``ec2``, and on behalf of one account where that is given.

    EC2 takes an instance's role without naming an account; for tasks ECS names it ("Amazon ECS task IAM
    role", confused deputy).
    """
    statement: Statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    if account is not None:
        statement["Condition"] = {"StringEquals": {"aws:SourceAccount": account}}
    return describe_policy([statement])


def make_role(
    name: str,
    *,
    trust: dict[str, Any],
    statements: Sequence[Statement],
    component: str,
    tags: Tags,
    parent: pulumi.Resource,
    managed: Sequence[str] = (),
) -> aws.iam.Role:
    """A role with one policy of its own, where it has statements, and those of AWS that are named."""
    child = pulumi.ResourceOptions(parent=parent)
    role = aws.iam.Role(
        name, assume_role_policy=pulumi.Output.json_dumps(trust), tags=tags.named(component), opts=child
    )
    if statements:
        aws.iam.RolePolicy(
            f"{name}-policy",
            role=role.name,
            policy=pulumi.Output.json_dumps(describe_policy(statements)),
            opts=child,
        )
    for policy_arn in managed:
        aws.iam.RolePolicyAttachment(
            f"{name}-{policy_arn.rpartition('/')[2]}", role=role.name, policy_arn=policy_arn, opts=child
        )
    return role


def make_profile(
    name: str, role: aws.iam.Role, *, component: str, tags: Tags, parent: pulumi.Resource
) -> aws.iam.InstanceProfile:
    """What an instance carries a role in."""
    return aws.iam.InstanceProfile(
        name, role=role.name, tags=tags.named(component), opts=pulumi.ResourceOptions(parent=parent)
    )


def _allow(sid: str, actions: Sequence[str], resources: Sequence[pulumi.Input[str]]) -> list[Statement]:
    if not resources:
        return []
    return [{"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}]

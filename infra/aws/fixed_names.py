"""Log groups of fixed names, which services would make by themselves and keep for ever."""

import pulumi
import pulumi_aws as aws

from infra.tagging import Tags

RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""Days that a log group can keep what it has (CloudWatch Logs' API, PutRetentionPolicy)."""
FOREVER = 0
"""What a group without a retention has."""


def round_retention(days: int) -> int:
    """The shortest time that CloudWatch Logs offers and that is not shorter than `days`; FOREVER beyond."""
    return next((offered for offered in RETENTIONS if offered >= days), FOREVER)


def make_log_group(
    logical_name: str,
    path: str,
    *,
    days: int,
    kms_key_arn: pulumi.Input[str] | None,
    component: str,
    tags: Tags,
    parent: pulumi.Resource,
) -> aws.cloudwatch.LogGroup:
    """Make a log group before the service would make one that keeps everything."""
    return aws.cloudwatch.LogGroup(
        logical_name,
        name=path,
        retention_in_days=round_retention(days),
        kms_key_id=kms_key_arn,
        tags=tags.named(component),
        opts=pulumi.ResourceOptions(parent=parent),
    )

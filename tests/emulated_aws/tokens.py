"""Which type of Terraform a type of Pulumi is, and where their names differ by more than case and number."""

import csv
import re
from collections.abc import Container
from functools import cache
from pathlib import Path

from tests.emulated_aws.names import snake
from tests.emulated_aws.refusals import Refused

_TYPES = {
    "alb/listener:Listener": "aws_lb_listener",
    "alb/loadBalancer:LoadBalancer": "aws_lb",
    "alb/targetGroup:TargetGroup": "aws_lb_target_group",
    "amp/alertManagerDefinition:AlertManagerDefinition": "aws_prometheus_alert_manager_definition",
    "amp/ruleGroupNamespace:RuleGroupNamespace": "aws_prometheus_rule_group_namespace",
    "amp/workspace:Workspace": "aws_prometheus_workspace",
    "appautoscaling/policy:Policy": "aws_appautoscaling_policy",
    "cloudwatch/dashboard:Dashboard": "aws_cloudwatch_dashboard",
    "cloudwatch/eventRule:EventRule": "aws_cloudwatch_event_rule",
    "ebs/volume:Volume": "aws_ebs_volume",
    "ec2/eip:Eip": "aws_eip",
    "ec2/flowLog:FlowLog": "aws_flow_log",
    "ec2/instance:Instance": "aws_instance",
    "ec2/securityGroupRule:SecurityGroupRule": "aws_security_group_rule",
    "ec2/volumeAttachment:VolumeAttachment": "aws_volume_attachment",
    "ec2/vpc:Vpc": "aws_vpc",
    "lb/loadBalancer:LoadBalancer": "aws_lb",
    "rds/instance:Instance": "aws_db_instance",
    "rds/parameterGroup:ParameterGroup": "aws_db_parameter_group",
    "rds/subnetGroup:SubnetGroup": "aws_db_subnet_group",
    "s3/bucketObjectv2:BucketObjectv2": "aws_s3_object",
    "s3/bucketReplicationConfig:BucketReplicationConfig": "aws_s3_bucket_replication_configuration",
    "s3/bucketV2:BucketV2": "aws_s3_bucket",
}
"""Types that do not follow the rule: `aws_<module>_<type>` or `aws_<type>`."""
RENAMED = {
    ("aws_cloudwatch_metric_alarm", "name"): "alarmName",
    ("aws_sns_topic_subscription", "topic"): "topicArn",
}
"""Properties that Pulumi calls otherwise, by Terraform's type: Pulumi's name to Terraform's in camel case."""
NAMED_BY = {
    "aws_elasticache_replication_group": "replicationGroupId",
    "aws_cloudwatch_metric_alarm": "alarmName",
    "aws_db_instance": "identifier",
    "aws_s3_bucket": "bucket",
    "aws_cloudwatch_dashboard": "dashboardName",
    "aws_opensearch_domain": "domainName",
}
"""The property that names a resource, where it is not `name`: Pulumi fills it in when the program does not."""
UNNAMED = frozenset({"aws_s3_bucket_intelligent_tiering_configuration"})


def find_type(token: str, known: Container[str], *, prefix: str = "") -> str:
    """Terraform's type of a token such as `aws:ec2/vpc:Vpc`; raises Refused where there is none.

    `prefix` is what Pulumi puts before a look-up's name.
    """
    found = re.fullmatch(r"aws:([^:]+):(\w+)", token)
    if found is None:
        raise Refused(f"{token} is no type of AWS")
    module, type_ = found.groups()
    name = snake(type_.removeprefix(prefix))
    for candidate in (_TYPES.get(f"{module}:{type_}"), f"aws_{module.partition('/')[0]}_{name}", f"aws_{name}"):
        if candidate is not None and candidate in known:
            return candidate
    raise Refused(f"no type of Terraform is known for {token}")


WHOLE = "*"
"""In place of an attribute: the emulators do not have the resource, so it is checked and planned only."""


@cache
def find_differences(type_: str) -> frozenset[str]:
    """Attributes that the emulator does not keep as it was told: a difference in them is the emulator's, not a change."""
    with (Path(__file__).parent / "differences.csv").open(encoding="utf-8", newline="") as file:
        return frozenset(row["attribute"] for row in csv.DictReader(file) if row["type"] == type_)

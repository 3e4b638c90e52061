"""The monitoring host: the machine that the plan pays for, closed to everybody, allowed what it needs."""

import base64
import gzip
import json

import pytest

from infra.aws.metrics_host import MetricsHost, MetricsHostArgs
from infra.errors import InvalidStack
from infra.monitoring_start import SERVERS
from infra.tagging import Tags
from sizing.billing.plan_usage import MONITORING_DISK_GB
from tests.infra.recorder import Recording, record
from tests.infra.service.plans import COMPANY, PERSONAL, plan_region

SERVICE_GROUP = "sg-service"
CLUSTER = "arn:aws:ecs:us-east-1:123456789012:cluster/reme"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:admin-AbCdEf"  # noqa: S105 - an address
TOPIC = "arn:aws:sns:us-east-1:123456789012:notices"
INSTANCE = "aws:ec2/instance:Instance"


def build(workload: dict[str, int]) -> Recording:
    plan = plan_region(**workload, overrides={"monitoring": "prometheus"})

    def program() -> None:
        MetricsHost(
            "monitoring",
            MetricsHostArgs(
                plan=plan,
                region="us-east-1",
                vpc_id="vpc-1",
                network_cidr="10.20.0.0/16",
                subnet_id="subnet-1",
                service_group_id=SERVICE_GROUP,
                cluster_arn=CLUSTER,
                cluster_name="reme",
                key_secret_arn=SECRET,
                topic_arn=TOPIC,
                topic_key_arn="arn:aws:kms:us-east-1:123456789012:key/log",
                data_key_arn="arn:aws:kms:us-east-1:123456789012:key/data",
                images={name: f"docker.io/example/{name}@sha256:{'a' * 64}" for name in SERVERS},
                tags=Tags(environment="prod", stack="aws-prod", more={}),
            ),
        )

    return record(program)


def test_it_is_the_machine_that_is_paid_for() -> None:
    props = build(COMPANY).one(INSTANCE).props

    assert props["instanceType"] == "t3.medium" and props["rootBlockDevice"]["volumeSize"] == MONITORING_DISK_GB
    assert props["rootBlockDevice"]["encrypted"] and props["metadataOptions"]["httpTokens"] == "required"
    assert not props["associatePublicIpAddress"]
    text = gzip.decompress(base64.b64decode(props["userDataBase64"])).decode()
    assert SECRET in text and TOPIC in text


def test_nobody_can_connect_and_only_it_reads_the_services_metrics() -> None:
    rule = build(COMPANY).one("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule").props
    assert rule["securityGroupId"] == SERVICE_GROUP and rule["fromPort"] == rule["toPort"] == 8002
    assert rule["referencedSecurityGroupId"] == "monitoring-group-id"


def test_its_role_reads_one_key_one_cluster_and_tells_one_topic() -> None:
    policy = json.loads(build(COMPANY).one("aws:iam/rolePolicy:RolePolicy").props["policy"])

    allowed = {statement["Sid"]: statement for statement in policy["Statement"]}
    assert allowed["ReadSecrets"]["Resource"] == [SECRET] and allowed["Tell"]["Resource"] == [TOPIC]
    assert allowed["ListTasks"]["Condition"] == {"ArnEquals": {"ecs:cluster": CLUSTER}}
    assert allowed["DescribeTasks"]["Resource"] == ["arn:aws:ecs:us-east-1:123456789012:task/reme/*"]
    assert not [action for statement in allowed.values() for action in statement["Action"] if "*" in action]


def test_a_single_host_is_watched_by_the_cloud() -> None:
    with pytest.raises(InvalidStack, match="prometheus"):
        build(PERSONAL)

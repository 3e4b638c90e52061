"""The health of a target group, as an emulated AWS tells it."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from infra.deployment.errors import DeploymentError
from infra.deployment.rollout import HealthSample
from infra.deployment.target_groups import NAMESPACE, TargetGroup
from tests.servers.installation import ServerMissing
from tests.servers.ministack import MinistackServer
from tests.servers.server import HOST

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("emulated-aws")]
REGION = "eu-west-1"


class Cloud:
    """An emulated AWS with a balancer before an empty target group."""

    def __init__(self, opened: ExitStack) -> None:
        self.balancing, self.metrics, network = (
            opened.enter_context(closing(boto3.client(service, region_name=REGION)))
            for service in ("elbv2", "cloudwatch", "ec2")
        )
        vpc = network.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            network.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{place}.0/24", AvailabilityZone=f"{REGION}{zone}")
            for place, zone in enumerate("ab")
        ]
        group = self.balancing.create_target_group(Name="green", Protocol="HTTP", Port=8002, VpcId=vpc, TargetType="ip")
        self.arn = str(group["TargetGroups"][0]["TargetGroupArn"])
        made = self.balancing.create_load_balancer(
            Name="balancer", Subnets=[each["Subnet"]["SubnetId"] for each in subnets]
        )
        self.balancer_arn = str(made["LoadBalancers"][0]["LoadBalancerArn"])

    def listen(self) -> None:
        """Let the balancer know the group."""
        self.balancing.create_listener(
            LoadBalancerArn=self.balancer_arn,
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.arn}],
        )

    def measure(self, name: str, *values: float, minutes_ago: int) -> None:
        """Report what a balancer would."""
        dimensions = [
            {"Name": "TargetGroup", "Value": self.arn.rpartition(":")[2]},
            {"Name": "LoadBalancer", "Value": self.balancer_arn.partition("loadbalancer/")[2]},
        ]
        moment = datetime.now(UTC) - timedelta(minutes=minutes_ago)
        data = [{"MetricName": name, "Dimensions": dimensions, "Timestamp": moment, "Value": each} for each in values]
        self.metrics.put_metric_data(Namespace=NAMESPACE, MetricData=data)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    try:
        server = MinistackServer()
    except ServerMissing as missing:
        pytest.skip(str(missing))
    with ExitStack() as opened:
        opened.callback(server.close)
        server.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{HOST}:{server.port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield Cloud(opened)


def test_a_group_is_read_minute_by_minute(cloud: Cloud) -> None:
    group = TargetGroup(cloud.arn, REGION, since=datetime.now(UTC) - timedelta(minutes=6))
    with pytest.raises(DeploymentError, match="stands behind no balancer"):
        group.look()
    cloud.listen()
    cloud.measure("RequestCount", 10, 15, minutes_ago=4)
    cloud.measure("RequestCount", 5, minutes_ago=3)
    cloud.measure("HTTPCode_Target_5XX_Count", 2, minutes_ago=3)
    cloud.measure("TargetResponseTime", 0.25, minutes_ago=4)
    cloud.measure("TargetResponseTime", 0.5, minutes_ago=3)
    assert group.look() == HealthSample(healthy=False, requests=30, errors=2, latency_ms=500)
    cloud.balancing.register_targets(TargetGroupArn=cloud.arn, Targets=[{"Id": "10.0.0.5", "Port": 8002}])
    assert group.look() == HealthSample(healthy=True)


def test_a_cloud_that_refuses_is_no_healthy_version(cloud: Cloud) -> None:
    missing = TargetGroup(cloud.arn.replace("green", "gone"), REGION)
    with pytest.raises(DeploymentError, match="the health of targetgroup/gone/.* cannot be read"):
        missing.look()

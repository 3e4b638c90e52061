"""The health of a version behind a balancer of AWS: its targets, and what the balancer measured of their answers."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.deployment.errors import DeploymentError
from infra.deployment.rollout import HealthSample
from infra.deployment.sdk import connect

NAMESPACE = "AWS/ApplicationELB"
PERIOD_S = 60
"""The balancer reports every minute (Elastic Load Balancing user guide, CloudWatch metrics, read 2026-11-22)."""
DELAY_S = 60
"""Ours: a minute is read when another has passed, since its figures arrive late."""
MEASURES = {
    "requests": ("RequestCount", "Sum"),
    "errors": ("HTTPCode_Target_5XX_Count", "Sum"),
    "latency": ("TargetResponseTime", "p95"),
}


class TargetGroup:
    """One colour of a balancer. `look` is called by one thread; each minute of figures is returned once."""

    def __init__(self, arn: str, region: str, *, since: datetime | None = None) -> None:
        self._arn = arn
        self._balancing, self._metrics = connect("elbv2", region), connect("cloudwatch", region)
        self._read_until = floor_minute(since or datetime.now(UTC))
        self._dimensions: list[dict[str, str]] = []

    def look(self) -> HealthSample:
        """Whether a target is healthy and none unhealthy, and the figures of the minutes that are whole since then.

        Raises DeploymentError where AWS does not answer.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see sdk.connect

        try:
            found = self._balancing.describe_target_health(TargetGroupArn=self._arn)["TargetHealthDescriptions"]
            states = [each["TargetHealth"]["State"] for each in found]
            return self._read_minutes(healthy="healthy" in states and "unhealthy" not in states)
        except (BotoCoreError, ClientError) as error:
            raise DeploymentError(f"the health of {self._arn.rpartition(':')[2]} cannot be read: {error}") from error

    def _read_minutes(self, *, healthy: bool) -> HealthSample:
        begin, end = self._read_until, floor_minute(datetime.now(UTC) - timedelta(seconds=DELAY_S))
        if end <= begin:
            return HealthSample(healthy=healthy)
        answer = self._metrics.get_metric_data(
            MetricDataQueries=[self._query(name) for name in MEASURES], StartTime=begin, EndTime=end
        )
        self._read_until = end
        values: dict[str, Sequence[float]] = {each["Id"]: each["Values"] for each in answer["MetricDataResults"]}
        latencies = values.get("latency") or ()
        return HealthSample(
            healthy=healthy,
            requests=int(sum(values.get("requests") or ())),
            errors=int(sum(values.get("errors") or ())),
            latency_ms=max(latencies) * 1000 if latencies else None,
        )

    def _query(self, name: str) -> dict[str, Any]:
        metric, statistic = MEASURES[name]
        measured = {"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": self._find_dimensions()}
        return {"Id": name, "MetricStat": {"Metric": measured, "Period": PERIOD_S, "Stat": statistic}}

    def _find_dimensions(self) -> list[dict[str, str]]:
        if not self._dimensions:
            (group,) = self._balancing.describe_target_groups(TargetGroupArns=[self._arn])["TargetGroups"]
            if not group["LoadBalancerArns"]:
                raise DeploymentError(f"the target group {self._arn} stands behind no balancer: run `reme-deploy up`")
            self._dimensions = [
                {"Name": "TargetGroup", "Value": self._arn.rpartition(":")[2]},
                {"Name": "LoadBalancer", "Value": group["LoadBalancerArns"][0].partition("loadbalancer/")[2]},
            ]
        return self._dimensions


def connect_target_group(arn: str, region: str) -> Callable[[], HealthSample]:
    """What reads the health of a target group."""
    return TargetGroup(arn, region).look


def floor_minute(moment: datetime) -> datetime:
    """The minute that a moment lies in."""
    return moment.replace(second=0, microsecond=0)

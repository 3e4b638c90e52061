"""The health of a version behind a balancer of Alibaba Cloud: its servers, and what the balancer measured of them."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.deployment.alicloud_api import AlicloudApi
from infra.deployment.errors import DeploymentError
from infra.deployment.rollout import HealthSample
from infra.deployment.target_groups import floor_minute

BALANCING, MONITORING = ("alb", "2020-06-16"), ("cms", "2019-01-01")
METRICS_HOST = "metrics"
"""CloudMonitor's own host is metrics.REGION.aliyuncs.com (CloudMonitor, "Endpoints")."""
NAMESPACE = "acs_alb"
PERIOD_S = 60
DELAY_S = 120
"""Ours: a minute is read when two have passed, since CloudMonitor's figures arrive later than a balancer's of AWS."""
MEASURES = {
    "requests": "ServerGroupQPS",
    "errors": "ServerGroupHTTPCodeUpstream5XX",
    "latency": "ServerGroupUpstreamResponseTime",
}
"""Requests and answers with 5xx are counts a second, the time is the mean in ms of a minute: there is no percentile
(ALB user guide, "Monitoring metrics", server group as dimension, read 2026-11-23)."""
IN_SERVICE = "Available"
UNHEALTHY = "Unhealthy"
PAGE = "100"


class ServerGroup:
    """One colour of a balancer. `look` is called by one thread; each minute of figures is returned once."""

    def __init__(self, group_id: str, region: str, *, since: datetime | None = None) -> None:
        self._id = group_id
        self._balancing = AlicloudApi(*BALANCING, region)
        self._metrics = AlicloudApi(*MONITORING, region, host_label=METRICS_HOST)
        self._read_until = floor_minute(since or datetime.now(UTC))
        self._balancer_id = ""

    def look(self) -> HealthSample:
        """Whether a server is healthy and none unhealthy, and the figures of the minutes that are whole since then.

        Raises DeploymentError where Alibaba Cloud does not answer, or the group stands behind no balancer.
        """
        servers = self._list("ListServerGroupServers", "Servers", {"ServerGroupId": self._id})
        serving = {_tell_server(each) for each in servers if each.get("Status") == IN_SERVICE}
        wrong = self._find_wrong()
        failing = any(UNHEALTHY in statuses for statuses in wrong.values())
        return self._read_minutes(healthy=not failing and bool(serving - wrong.keys()))

    def _find_wrong(self) -> Mapping[tuple[str, str], set[str]]:
        """What the listeners say of servers that are unhealthy or not checked yet; of healthy ones, nothing."""
        listeners = self._list("ListListeners", "Listeners", {"LoadBalancerIds.1": self._find_balancer()})
        found: dict[tuple[str, str], set[str]] = {}
        known = False
        for listener in listeners:
            asked = {"ListenerId": str(listener["ListenerId"]), "IncludeRule": "true", "MaxResults": "30"}
            for page in self._pages("GetListenerHealthStatus", asked):
                for group in _list_groups(page):
                    if group.get("ServerGroupId") == self._id:
                        known = True
                        for each in group.get("NonNormalServers") or ():
                            found.setdefault(_tell_server(each), set()).add(str(each.get("Status")))
        if not known:
            raise DeploymentError(f"no listener knows the server group {self._id}: run `reme-deploy up`")
        return found

    def _find_balancer(self) -> str:
        if not self._balancer_id:
            groups = self._list("ListServerGroups", "ServerGroups", {"ServerGroupIds.1": self._id})
            related = [each for group in groups for each in group.get("RelatedLoadBalancerIds") or ()]
            if not related:
                raise DeploymentError(f"the server group {self._id} stands behind no balancer: run `reme-deploy up`")
            self._balancer_id = str(related[0])
        return self._balancer_id

    def _read_minutes(self, *, healthy: bool) -> HealthSample:
        begin, end = self._read_until, floor_minute(datetime.now(UTC) - timedelta(seconds=DELAY_S))
        if end <= begin:
            return HealthSample(healthy=healthy)
        values = {name: self._read_values(metric, begin, end) for name, metric in MEASURES.items()}
        self._read_until = end
        return HealthSample(
            healthy=healthy,
            requests=round(sum(values["requests"]) * PERIOD_S),
            errors=round(sum(values["errors"]) * PERIOD_S),
            latency_ms=max(values["latency"]) if values["latency"] else None,
        )

    def _read_values(self, metric: str, begin: datetime, end: datetime) -> list[float]:
        """The values of a metric from one minute on and before another, one for each minute and listener."""
        dimensions = [{"loadBalancerId": self._find_balancer(), "serverGroupId": self._id}]
        asked = {
            "Namespace": NAMESPACE,
            "MetricName": metric,
            "Period": str(PERIOD_S),
            "Dimensions": json.dumps(dimensions),
            # the beginning is not part of the time that is asked for, the end is
            "StartTime": str(int(begin.timestamp() * 1000) - 1),
            "EndTime": str(int(end.timestamp() * 1000) - 1),
        }
        pages = self._pages("DescribeMetricList", asked, api=self._metrics)
        return [float(each["Value"]) for page in pages for each in json.loads(page.get("Datapoints") or "[]")]

    def _list(self, action: str, field: str, values: Mapping[str, str]) -> list[Mapping[str, Any]]:
        return [each for page in self._pages(action, {**values, "MaxResults": PAGE}) for each in page.get(field) or ()]

    def _pages(
        self, action: str, values: Mapping[str, str], *, api: AlicloudApi | None = None
    ) -> Iterator[Mapping[str, Any]]:
        token = ""
        while True:
            page = (api or self._balancing).ask(action, {**values, **({"NextToken": token} if token else {})})
            yield page
            token = str(page.get("NextToken") or "")
            if not token:
                return


def connect_server_group(group_id: str, region: str) -> Callable[[], HealthSample]:
    """What reads the health of a server group."""
    return ServerGroup(group_id, region).look


def _list_groups(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The groups of an answer: those of the listener itself and those of its rules, which divide the traffic."""
    for status in (*(page.get("ListenerHealthStatus") or ()), *(page.get("RuleHealthStatus") or ())):
        yield from status.get("ServerGroupInfos") or ()


def _tell_server(server: Mapping[str, Any]) -> tuple[str, str]:
    return str(server.get("ServerId")), str(server.get("Port"))

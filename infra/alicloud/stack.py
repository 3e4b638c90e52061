"""A stack on Alibaba Cloud: a single host or a cluster, as the plan says."""

from infra.alicloud.cluster_stack import deploy_cluster
from infra.alicloud.host_stack import deploy_host
from infra.errors import InvalidStack
from infra.outputs import StackOutputs
from infra.planning import StackPlan
from infra.settings import StackSettings
from infra.tagging import Tags


def deploy_alicloud(settings: StackSettings, planned: StackPlan, tags: Tags) -> StackOutputs:
    """Make the resources of this region's plan. Raises InvalidStack where another than the cloud itself is to watch:
    nothing here makes Prometheus, and Datadog's agent comes for the other cloud's machines only."""
    kind = planned.region.monitoring.kind
    if kind != "cloud":
        raise InvalidStack("workload.overrides.monitoring", kind, "cloud on Alibaba Cloud")
    deploy = deploy_host if planned.region.compute.placement == "host" else deploy_cluster
    return deploy(settings, planned, tags)

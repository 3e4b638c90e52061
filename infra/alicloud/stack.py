"""A stack on Alibaba Cloud: a single host. Clusters are planned and priced, and have no stack here."""

from infra.alicloud.host_stack import deploy_host
from infra.errors import InvalidStack
from infra.outputs import StackOutputs
from infra.planning import StackPlan
from infra.settings import StackSettings
from infra.tagging import Tags


def deploy_alicloud(settings: StackSettings, planned: StackPlan, tags: Tags) -> StackOutputs:
    """Make the resources of this region's plan. Raises InvalidStack for a plan that this cloud has no stack of."""
    if planned.region.compute.placement != "host":
        raise InvalidStack(
            "tier",
            planned.plan.tier,
            "single-host or single-host-qdrant on Alibaba Cloud; clusters can be deployed on AWS, or by the manifests "
            "of `python -m infra.service.kubernetes`",
        )
    return deploy_host(settings, planned, tags)

"""A stack on AWS: of a single host, or of a cluster."""

from infra.aws.cluster_stack import deploy_cluster
from infra.aws.host_stack import deploy_host
from infra.outputs import StackOutputs
from infra.peers import find_routes
from infra.planning import StackPlan
from infra.settings import StackSettings
from infra.tagging import Tags


def deploy_aws(settings: StackSettings, planned: StackPlan, tags: Tags) -> StackOutputs:
    """Make the resources of this region's plan. Raises InvalidStack for `peers` that this stack does not lead to."""
    find_routes(planned, settings.domain, settings.peers)
    if planned.region.compute.placement == "host":
        return deploy_host(settings, planned, tags)
    return deploy_cluster(settings, planned, tags)

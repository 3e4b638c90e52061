"""The program of every stack: configuration, plan, resources, outputs."""

from infra.alicloud import cluster_stack as alicloud_cluster
from infra.alicloud.foundation import find_account
from infra.alicloud.stack import deploy_alicloud
from infra.aws import cluster_stack as aws_cluster
from infra.aws.foundation import make_keys
from infra.aws.stack import deploy_aws
from infra.errors import InvalidStack
from infra.outputs import export_outputs
from infra.planning import StackPlan, plan_stack
from infra.settings import StackSettings, read_settings
from infra.tagging import Tags


def deploy() -> None:
    """Deploy the stack that is selected. Raises InfraError or SizingError, whose messages name the remedy."""
    settings, planned, tags = _read()
    make = deploy_alicloud if settings.cloud == "alicloud" else deploy_aws
    export_outputs(planned, make(settings, planned, tags))


def deploy_registry() -> None:
    """Make of a cluster only the registry of its images, and on AWS the keys: an image is pushed before it runs.

    Raises InvalidStack for a single host.
    """
    settings, planned, tags = _read()
    if planned.region.compute.placement == "host":
        raise InvalidStack("tier", planned.plan.tier, "a cluster: a single host is given a wheel and needs no registry")
    if settings.cloud == "alicloud":
        alicloud_cluster.make_registry(settings, tags, find_account())
    else:
        aws_cluster.make_registry(settings, make_keys(settings, planned.region, tags), tags)


def _read() -> tuple[StackSettings, StackPlan, Tags]:
    settings = read_settings()
    planned = plan_stack(settings)
    return settings, planned, Tags(environment=settings.environment, stack=settings.stack, more=settings.tags)

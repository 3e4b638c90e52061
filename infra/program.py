"""The program of every stack: configuration, plan, resources, outputs."""

from infra.alicloud.stack import deploy_alicloud
from infra.aws.cluster_stack import make_registry
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
    """Make of a cluster only the registry of its images, and the keys: an image is pushed before tasks run it.

    Raises InvalidStack on a cloud whose stacks are single hosts.
    """
    settings, planned, tags = _read()
    if settings.cloud != "aws":
        raise InvalidStack("cloud", settings.cloud, "aws: a single host is given a wheel and needs no registry")
    make_registry(settings, make_keys(settings, planned.region, tags), tags)


def _read() -> tuple[StackSettings, StackPlan, Tags]:
    settings = read_settings()
    planned = plan_stack(settings)
    return settings, planned, Tags(environment=settings.environment, stack=settings.stack, more=settings.tags)

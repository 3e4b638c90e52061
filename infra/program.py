"""The program of every stack: configuration, plan, resources, outputs."""

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
    export_outputs(planned, deploy_aws(settings, planned, tags))


def deploy_registry() -> None:
    """Make of a cluster only the registry of its images, and the keys: an image is pushed before tasks run it."""
    settings, planned, tags = _read()
    make_registry(settings, make_keys(settings, planned.region, tags), tags)


def _read() -> tuple[StackSettings, StackPlan, Tags]:
    settings = read_settings()
    if settings.cloud != "aws":
        raise InvalidStack("cloud", settings.cloud, "aws; stacks on Alibaba Cloud are not there yet")
    planned = plan_stack(settings)
    return settings, planned, Tags(environment=settings.environment, stack=settings.stack, more=settings.tags)

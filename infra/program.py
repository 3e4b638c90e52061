"""The program of every stack: configuration, plan, resources, outputs."""

from infra.aws.stack import deploy_aws
from infra.errors import InvalidStack
from infra.outputs import export_outputs
from infra.planning import plan_stack
from infra.settings import read_settings
from infra.tagging import Tags


def deploy() -> None:
    """Deploy the stack that is selected. Raises InfraError or SizingError, whose messages name the remedy."""
    settings = read_settings()
    if settings.cloud != "aws":
        raise InvalidStack("cloud", settings.cloud, "aws; stacks on Alibaba Cloud are not there yet")
    planned = plan_stack(settings)
    tags = Tags(environment=settings.environment, stack=settings.stack, more=settings.tags)
    export_outputs(planned, deploy_aws(settings, planned, tags))

"""The plan of a stack from its file alone: no engine, no account, no network."""

from contextvars import copy_context

from pulumi.runtime import set_all_config
from pulumi.runtime.settings import SETTINGS

from infra.deployment.errors import BadRequest
from infra.deployment.projects import StackFile
from infra.errors import InfraError
from infra.planning import StackPlan, plan_stack
from infra.settings import StackSettings, read_settings
from sizing.errors import SizingError


def read_stack_settings(stack: StackFile) -> StackSettings:
    """What the stack is told, without its secrets; raises BadRequest with the stack's name for a wrong file."""

    def read() -> StackSettings:
        set_all_config(dict(stack.config))
        SETTINGS.stack = stack.name
        return read_settings()

    # Pulumi keeps configuration and stack in variables of the context: the caller's stay as they are.
    try:
        return copy_context().run(read)
    except InfraError as error:
        raise BadRequest(f"stack {stack.name}: {error}") from error


def plan_file(stack: StackFile) -> StackPlan:
    """The plan and the price of a stack; raises BadRequest for a file or a workload that is wrong."""
    try:
        return plan_stack(read_stack_settings(stack))
    except BadRequest:
        raise
    except (InfraError, SizingError) as error:
        raise BadRequest(f"stack {stack.name}: {error}") from error

"""What a container of the service is told: settings, the places of its secrets, and what runs before it.

`infra.aws.tasks` makes ECS's definitions of it, `infra.service.kubernetes` the manifests: user 10001, a read-only root,
and WORKING_DIR as the one volume that is written.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.service.configuration import AUTHORITY_SOURCE_VARIABLE, AUTHORITY_VARIABLE, ServiceSettings
from infra.service.delivery import locate_secrets, write_preparation

COMMAND = ("serve",)
"""What the image's entry point is given."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerContent:
    """The service's container and the one before it, which prepares the store and ends.

    `secrets` has, by variable, where the value is, as ECS's `valueFrom` takes it. The preparation needs
    `preparation_environment` and `preparation_secrets` too, which the service does not get; its command goes in place
    of the image's entry point.
    """

    environment: Mapping[str, str]
    secrets: Mapping[str, str]
    preparation_environment: Mapping[str, str]
    preparation_secrets: Mapping[str, str]
    preparation: tuple[str, ...]
    command: tuple[str, ...] = COMMAND


def describe_container(
    settings: ServiceSettings, sources: Mapping[str, str], *, awaits: bool = False
) -> ContainerContent:
    """The content of a container; `sources` has the place of each secret by its name. Raises `MissingSecret`.

    With `awaits` the preparation itself reads the vector store's authority from its place, an ARN, and waits for it:
    ECS starts no container of a task with a secret that is still empty, and counts the task as failed.
    """
    places = locate_secrets(settings, sources)
    given = {variable: places[variable] for variable in settings.preparation_secrets}
    awaited = {}
    if awaits and AUTHORITY_VARIABLE in given:
        awaited[AUTHORITY_SOURCE_VARIABLE] = given.pop(AUTHORITY_VARIABLE)
    return ContainerContent(
        environment=settings.environment,
        secrets={variable: places[variable] for variable in settings.secrets},
        preparation_environment={**settings.preparation, **awaited},
        preparation_secrets=given,
        preparation=("python", "-c", write_preparation()),
    )

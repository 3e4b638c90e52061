"""What a container of the service is told: settings, the places of its secrets, and what runs before it.

`infra.aws.tasks` makes ECS's definitions of it, `infra.service.kubernetes` the manifests: user 10001, a read-only root,
and WORKING_DIR as the one volume that is written.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.service.configuration import ServiceSettings
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


def describe_container(settings: ServiceSettings, sources: Mapping[str, str]) -> ContainerContent:
    """The content of a container; `sources` has the place of each secret by its name. Raises `MissingSecret`."""
    places = locate_secrets(settings, sources)
    return ContainerContent(
        environment=settings.environment,
        secrets={variable: places[variable] for variable in settings.secrets},
        preparation_environment=settings.preparation,
        preparation_secrets={variable: places[variable] for variable in settings.preparation_secrets},
        preparation=("python", "-c", write_preparation()),
    )

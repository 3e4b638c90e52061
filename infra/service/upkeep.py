"""What is done to a host that runs: the command that brings it another release or other settings.

It is a document of Systems Manager on AWS and a command of Cloud Assistant on Alibaba Cloud, with the same parameters.

User data are read at a machine's first start alone, so they name neither. A host is told both at once: clouds apply
several changes of an instance in no promised order, and settings that only a new release knows must not be tried
with the old one.
"""

import base64
import json
from collections.abc import Mapping

from infra.errors import InfraError
from infra.service.configuration import ServiceSettings
from infra.service.delivery import Release, locate_secrets
from infra.service.rendering import write_environment, write_json

TIMEOUT_S = 3600
MOST_DOCUMENT_BYTES = 65_536
"""What Systems Manager takes as a document with the parameters that it is run with (CreateDocument, "Content")."""
MOST_COMMAND_BYTES = 16_384
"""What Cloud Assistant takes as a command with its parameters filled in, in base64 (ROS, "ALIYUN::ECS::Invocation";
newer pages of ECS allow more)."""
_PARAMETERS = {
    "Version": ("Release to install", r"^[0-9A-Za-z][0-9A-Za-z._+-]{0,63}$"),
    "WheelUrl": ("Address of its wheel, s3:// or https://", r"^(s3|https)://[A-Za-z0-9._~/%+-]+\.whl$"),
    "WheelSha256": ("SHA-256 of the wheel", r"^[0-9a-f]{64}$"),
    "RequirementsUrl": ("Address of its list of requirements", r"^(s3|https)://[A-Za-z0-9._~/%+-]+$"),
    "Environment": ("The settings, in base64", r"^[A-Za-z0-9+/=]+$"),
    "Secrets": ("Where the secrets are, in base64", r"^[A-Za-z0-9+/=]+$"),
}
# A new machine's first start does the same; afterwards there is nothing left to change.
_WAITING = "cloud-init status --wait >/dev/null || true"
_COMMANDS = (
    _WAITING,
    " ".join(["/usr/local/sbin/reme-install", *(f"'{{{{ {name} }}}}'" for name in _PARAMETERS)]),
)


class ChangeTooLong(InfraError):
    """A host cannot be told so much."""

    def __init__(self, size_bytes: int, carrier: str, most_bytes: int) -> None:
        super().__init__(
            f"the settings and the release have {size_bytes} bytes with the document that carries them, and {carrier} "
            f"takes {most_bytes}: shorten reme-cloud:service.settings"
        )


def write_change_document() -> str:
    """An SSM document of type Command that gives a host a release and settings, in JSON."""
    step = {
        "action": "aws:runShellScript",
        "name": "run",
        "inputs": {"timeoutSeconds": str(TIMEOUT_S), "runCommand": list(_COMMANDS)},
    }
    return write_json(
        {
            "schemaVersion": "2.2",
            "description": "Give the memory service a release and settings, or the former ones where it is unhealthy",
            "parameters": {
                name: {"type": "String", "description": text, "allowedPattern": pattern}
                for name, (text, pattern) in _PARAMETERS.items()
            },
            "mainSteps": [step],
        }
    )


def write_change_command() -> str:
    """The same as a command of Cloud Assistant, in base64; it fills in the parameters, which no pattern checks there.

    Each stands in single quotes, and what `write_change_parameters` returns has none.
    """
    install = " ".join(["exec /usr/local/sbin/reme-install", *(f"'{{{{{name}}}}}'" for name in _PARAMETERS)])
    return base64.b64encode(f"#!/bin/bash\n{_WAITING}\n{install}\n".encode()).decode()


def write_change_parameters(
    release: Release, settings: ServiceSettings, sources: Mapping[str, str], *, cloud: str = "aws"
) -> dict[str, str]:
    """The document's parameters in the order of `reme-install`'s arguments; without a secret's value.

    `sources` has the address of each secret by its name. Raises `MissingSecret` or `ChangeTooLong`.
    """
    texts = (write_environment(settings), write_json(locate_secrets(settings, sources)))
    values = (*release.arguments, *(base64.b64encode(text.encode()).decode() for text in texts))
    found = dict(zip(_PARAMETERS, values, strict=True))
    if cloud == "aws":
        size_bytes = len(write_change_document().encode()) + len(json.dumps(found).encode())
        if size_bytes > MOST_DOCUMENT_BYTES:
            raise ChangeTooLong(size_bytes, "Systems Manager", MOST_DOCUMENT_BYTES)
        return found
    size_bytes = len(base64.b64encode(base64.b64decode(write_change_command()) + "".join(values).encode("ascii")))
    if size_bytes > MOST_COMMAND_BYTES:
        raise ChangeTooLong(size_bytes, "Cloud Assistant", MOST_COMMAND_BYTES)
    return found


def write_arguments(parameters: Mapping[str, str]) -> str:
    """The parameters one a line, as a first start reads them."""
    return "".join(f"{parameters[name]}\n" for name in _PARAMETERS)

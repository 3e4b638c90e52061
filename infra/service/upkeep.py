"""What is done to a host that runs: SSM documents that bring it another release or other settings.

User data are read at a machine's first start alone. An association of the settings' document carries changes to a
host that stands; its parameters are `encode_settings`.
"""

import base64
from collections.abc import Mapping

from infra.service.configuration import ServiceSettings
from infra.service.delivery import locate_secrets
from infra.service.rendering import write_environment, write_json

TIMEOUT_S = 3600
_RELEASE = {
    "Version": ("Release to install", r"^[0-9A-Za-z][0-9A-Za-z._+-]{0,63}$"),
    "WheelUrl": ("Address of its wheel, s3:// or https://", r"^(s3|https)://[A-Za-z0-9._~/%+-]+\.whl$"),
    "WheelSha256": ("SHA-256 of the wheel", r"^[0-9a-f]{64}$"),
    "RequirementsUrl": ("Address of its list of requirements", r"^(s3|https)://[A-Za-z0-9._~/%+-]+$"),
}
_SETTINGS = {
    "Environment": ("The settings, in base64", r"^[A-Za-z0-9+/=]+$"),
    "Secrets": ("Where the secrets are, in base64", r"^[A-Za-z0-9+/=]+$"),
}


def write_upgrade_document() -> str:
    """An SSM document of type Command that brings a host to another release, in JSON."""
    return _write_document(
        "Install a release of the memory service, try it, switch to it or give it up", "reme-install", _RELEASE
    )


def write_settings_document() -> str:
    """An SSM document of type Command that gives the service on a host other settings, in JSON."""
    return _write_document(
        "Give the memory service other settings, or the former ones where it does not answer",
        "reme-configure",
        _SETTINGS,
    )


def encode_settings(settings: ServiceSettings, sources: Mapping[str, str]) -> dict[str, str]:
    """The parameters of the settings' document; without a secret's value. Raises `MissingSecret`."""
    texts = {
        "Environment": write_environment(settings),
        "Secrets": write_json(locate_secrets(settings, sources)),
    }
    return {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}


def _write_document(description: str, program: str, parameters: Mapping[str, tuple[str, str]]) -> str:
    command = " ".join([f"/usr/local/sbin/{program}", *(f"'{{{{ {name} }}}}'" for name in parameters)])
    step = {
        "action": "aws:runShellScript",
        "name": "run",
        "inputs": {"timeoutSeconds": str(TIMEOUT_S), "runCommand": [command]},
    }
    return write_json(
        {
            "schemaVersion": "2.2",
            "description": description,
            "parameters": {
                name: {"type": "String", "description": text, "allowedPattern": pattern}
                for name, (text, pattern) in parameters.items()
            },
            "mainSteps": [step],
        }
    )

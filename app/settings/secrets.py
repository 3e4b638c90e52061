"""Secrets in settings: never shown, and written in the clear only for a worker process."""

from typing import Annotated

from pydantic import PlainSerializer, SecretStr, SerializationInfo

MASK = "********"
"""What stands for a secret wherever settings are shown."""
REVEAL = {"reveal_secrets": True}
"""The serialization context in which secrets are written out: for a worker process, never for people."""


def _write_secret(secret: SecretStr, info: SerializationInfo) -> str:
    if info.context == REVEAL:
        return secret.get_secret_value()
    return MASK if secret else ""


def reveal(secret: SecretStr | None) -> str | None:
    """A secret in the clear, for the client that sends it; None where there is none."""
    return secret.get_secret_value() or None if secret is not None else None


Secret = Annotated[SecretStr, PlainSerializer(_write_secret, return_type=str, when_used="json")]

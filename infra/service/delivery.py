"""What is brought to a machine: a release of the service, images by their digests, secrets by their addresses."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.errors import InfraError
from infra.service.configuration import (
    ADMIN_VARIABLE,
    AUTHORITIES_FILE,
    AUTHORITIES_URLS_VARIABLE,
    AUTHORITY_SOURCE_VARIABLE,
    AUTHORITY_VARIABLE,
    ServiceSettings,
)
from infra.service.rendering import render

AUTHORITY_PATIENCE_S = 1800
"""Ours: the first node of a vector store has its packages installed and its authority stored in minutes."""
AUTHORITY_POLL_S = 5
AUTHORITIES_MOST_BYTES = 4_000_000
"""Ours: many times what a cloud's authorities take, some 200 kB."""
_PINNED = re.compile(r"[a-z0-9][a-z0-9._:/-]*@sha256:[0-9a-f]{64}")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class InvalidDelivery(InfraError):
    """What is to be delivered has no usable form."""

    def __init__(self, what: str, value: str, valid: str) -> None:
        super().__init__(f"{what} is {value!r}; valid: {valid}")


class MissingSecret(InfraError):
    """A secret of the service has no address."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the service needs the secret {name!r}, and no address of it was given: create it first")


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """A wheel of the service and the list of what it needs, with hashes; each at an s3://, oss:// or https://
    address."""

    version: str
    wheel_url: str
    wheel_sha256: str
    requirements_url: str

    def __post_init__(self) -> None:
        """Raise `InvalidDelivery` for what the installing script would refuse."""
        if not _VERSION.fullmatch(self.version):
            raise InvalidDelivery("version", self.version, "such as 0.1.0")
        if not _SHA256.fullmatch(self.wheel_sha256):
            raise InvalidDelivery("wheel_sha256", self.wheel_sha256, "64 hexadecimal digits")
        for field in ("wheel_url", "requirements_url"):
            address = str(getattr(self, field))
            if not re.fullmatch(r"(s3|oss|https)://[^\s'\"]+", address):
                raise InvalidDelivery(field, address, "an address that begins with s3://, oss:// or https://")
        if not self.wheel_url.endswith(".whl"):
            raise InvalidDelivery("wheel_url", self.wheel_url, "a wheel, by its own file name")

    @property
    def arguments(self) -> tuple[str, str, str, str]:
        """What `reme-install` is called with."""
        return self.version, self.wheel_url, self.wheel_sha256, self.requirements_url


def check_image(field: str, image: str) -> str:
    """An image pinned by its digest. Raises `InvalidDelivery` for a tag, which can come to mean something else."""
    if not _PINNED.fullmatch(image):
        raise InvalidDelivery(field, image, "an image by its digest, such as qdrant/qdrant@sha256:…")
    return image


def locate_secrets(settings: ServiceSettings, sources: Mapping[str, str]) -> dict[str, str]:
    """Each variable with the address of its secret, those of the preparation among them.

    `sources` has the address of each secret by its name: an ARN, with `:FIELD::` behind it where the secret is an
    object, as ECS takes it. Raises `MissingSecret`.
    """
    variables = {**settings.secrets, **settings.preparation_secrets}
    for name in variables.values():
        if not sources.get(name):
            raise MissingSecret(name)
    return {variable: sources[name] for variable, name in variables.items()}


def write_preparation() -> str:
    """The program, in Python, that the release's own interpreter runs before a start."""
    return render(
        "prepare.py",
        admin=ADMIN_VARIABLE,
        authority=AUTHORITY_VARIABLE,
        authority_source=AUTHORITY_SOURCE_VARIABLE,
        patience_s=AUTHORITY_PATIENCE_S,
        poll_s=AUTHORITY_POLL_S,
        authorities_urls=AUTHORITIES_URLS_VARIABLE,
        authorities_file=AUTHORITIES_FILE,
        most_bytes=AUTHORITIES_MOST_BYTES,
    )


def list_secret_arns(sources: Sequence[str]) -> tuple[str, ...]:
    """The ARNs of AWS that a role must be allowed to read, without what names a field."""
    return tuple(sorted({":".join(source.split(":")[:7]) for source in sources}))

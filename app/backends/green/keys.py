"""Where the key for Alibaba Cloud comes from: the settings, or the role of the machine."""

from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock
from typing import Protocol

import httpx2
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.backends.green.signature import AccessKey
from app.errors import ModelRefused, ModelUnavailable

METADATA_ADDRESS = "http://100.100.100.200"
"""The metadata service of an ECS instance ("Instance metadata" of the ECS documentation, read 2026-11)."""
TOKEN_SECONDS = 60
"""A token of the metadata service is used at once; the service gives it for 1 to 21,600 s."""
SPARE_S = 300.0
"""A key is renewed so long before its end: the metadata service has the next one half an hour before."""
TIMEOUT_S = 2.0
"""The service is on the machine itself."""
MOST_BYTES = 65_536
_ROLES = "/latest/meta-data/ram/security-credentials/"


class AccessKeys(Protocol):
    """Gives the key that is valid now."""

    def find(self) -> AccessKey:
        """The key; raises a `ModelError` where there is none."""
        ...

    def forget(self) -> None:
        """Look for another the next time: this one was refused."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class SettledKey:
    """A key of the settings."""

    def __init__(self, key: AccessKey) -> None:
        self._key = key

    def find(self) -> AccessKey:
        """The key."""
        return self._key

    def forget(self) -> None:
        """There is no other."""

    def close(self) -> None:
        """Nothing to close."""


class _Credentials(BaseModel):
    model_config = ConfigDict(extra="ignore")

    key_id: str = Field(alias="AccessKeyId", min_length=1)
    secret: str = Field(alias="AccessKeySecret", min_length=1, repr=False)
    token: str = Field(alias="SecurityToken", min_length=1, repr=False)
    expiration: datetime = Field(alias="Expiration")


class RoleKeys:
    """Keys of the machine's RAM role, from the metadata service in its hardened mode; renewed before they end.

    `role` is empty for the one that the machine has. May be used from any thread.
    """

    def __init__(
        self,
        role: str = "",
        *,
        address: str = METADATA_ADDRESS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._role = role
        self._now = now
        self._lock = Lock()
        self._found: tuple[AccessKey, datetime] | None = None
        # Never through a proxy: the service answers the machine itself.
        self._client = httpx2.Client(base_url=address, timeout=TIMEOUT_S, trust_env=False)

    def find(self) -> AccessKey:
        """The role's key; raises `ModelUnavailable` or `ModelRefused` where the machine has none."""
        with self._lock:
            if self._found is None or (self._found[1] - self._now()).total_seconds() < SPARE_S:
                self._found = self._ask()
            return self._found[0]

    def forget(self) -> None:
        """Ask the metadata service anew."""
        with self._lock:
            self._found = None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self) -> tuple[AccessKey, datetime]:
        try:
            lifetime = {"X-aliyun-ecs-metadata-token-ttl-seconds": str(TOKEN_SECONDS)}
            token = self._read("PUT", "/latest/api/token", lifetime)
            headers = {"X-aliyun-ecs-metadata-token": token}
            role = self._role or self._read("GET", _ROLES, headers).split("\n")[0].strip()
            read = _Credentials.model_validate_json(self._read("GET", f"{_ROLES}{role}", headers))
        except (httpx2.HTTPError, OSError) as fault:
            raise ModelUnavailable(
                f"the machine's metadata service gave no key ({type(fault).__name__}): give moderation.access_key and "
                "moderation.secret_key, or run on a machine with a RAM role"
            ) from None
        except (ValidationError, UnicodeDecodeError):
            raise ModelRefused("the machine's metadata service gave no readable key: check the RAM role") from None
        expiration = read.expiration if read.expiration.tzinfo else read.expiration.replace(tzinfo=UTC)
        return AccessKey(id=read.key_id, secret=read.secret, session_token=read.token), expiration

    def _read(self, method: str, path: str, headers: dict[str, str]) -> str:
        response = self._client.request(method, path, headers=headers)
        if response.status_code == 404:
            raise ModelRefused("the machine has no RAM role: attach one, or give moderation.access_key and secret_key")
        response.raise_for_status()
        return response.content[:MOST_BYTES].decode()

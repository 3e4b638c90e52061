"""Keys of Alibaba Cloud, and those of the machine's RAM role, from the metadata service of its ECS instance."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock

import httpx2
from pydantic import BaseModel, ConfigDict, Field, ValidationError

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


class NoRoleKey(Exception):
    """The machine has no key of a role to give; `away` where it may have one later. The text ends with what to do."""

    def __init__(self, reason: str, *, away: bool = False) -> None:
        super().__init__(reason)
        self.away = away


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessKey:
    """A key of Alibaba Cloud; one of a role ends by itself and has a session token. The secrets are in no repr."""

    id: str
    secret: str = field(repr=False)
    session_token: str = field(default="", repr=False)


class _Credentials(BaseModel):
    model_config = ConfigDict(extra="ignore")

    key_id: str = Field(alias="AccessKeyId", min_length=1)
    secret: str = Field(alias="AccessKeySecret", min_length=1, repr=False)
    token: str = Field(alias="SecurityToken", min_length=1, repr=False)
    expiration: datetime = Field(alias="Expiration")


class RamRole:
    """The machine's RAM role, asked in the hardened mode of the metadata service; its key is renewed before it ends.

    `role` is empty for the one that the machine has. A key that still holds is given while the service is away. May be
    used from any thread; connections are open during a question alone.
    """

    def __init__(
        self,
        role: str = "",
        *,
        address: str = METADATA_ADDRESS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._role, self._address, self._now = role, address, now
        self._lock = Lock()
        self._found: tuple[AccessKey, datetime] | None = None

    def find(self) -> AccessKey:
        """The role's key; raises NoRoleKey where the machine has none."""
        with self._lock:
            if self._found is None or self._left_s(self._found) < SPARE_S:
                try:
                    self._found = self._ask()
                except NoRoleKey:
                    if self._found is None or self._left_s(self._found) <= 0:
                        raise
            return self._found[0]

    def forget(self) -> None:
        """Ask the metadata service anew."""
        with self._lock:
            self._found = None

    def _left_s(self, found: tuple[AccessKey, datetime]) -> float:
        return (found[1] - self._now()).total_seconds()

    def _ask(self) -> tuple[AccessKey, datetime]:
        try:
            # Never through a proxy: the service answers the machine itself.
            with httpx2.Client(base_url=self._address, timeout=TIMEOUT_S, trust_env=False) as client:
                lifetime = {"X-aliyun-ecs-metadata-token-ttl-seconds": str(TOKEN_SECONDS)}
                token = _read(client, "PUT", "/latest/api/token", lifetime)
                headers = {"X-aliyun-ecs-metadata-token": token}
                role = self._role or _read(client, "GET", _ROLES, headers).split("\n")[0].strip()
                read = _Credentials.model_validate_json(_read(client, "GET", f"{_ROLES}{role}", headers))
        except (httpx2.HTTPError, OSError) as fault:
            raise NoRoleKey(
                f"the machine's metadata service gave no key ({type(fault).__name__}): run on one with a RAM role",
                away=True,
            ) from None
        except (ValidationError, UnicodeDecodeError):
            raise NoRoleKey("the machine's metadata service gave no readable key: check the RAM role") from None
        expiration = read.expiration if read.expiration.tzinfo else read.expiration.replace(tzinfo=UTC)
        return AccessKey(id=read.key_id, secret=read.secret, session_token=read.token), expiration


def _read(client: httpx2.Client, method: str, path: str, headers: dict[str, str]) -> str:
    response = client.request(method, path, headers=headers)
    if response.status_code == 404:
        raise NoRoleKey("the machine has no RAM role: attach one")
    response.raise_for_status()
    return response.content[:MOST_BYTES].decode()

"""Where the key for Alibaba Cloud comes from: the settings, or the role of the machine."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from app.backends.ram_role import METADATA_ADDRESS, AccessKey, NoRoleKey, RamRole
from app.errors import ModelRefused, ModelUnavailable


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


class RoleKeys:
    """Keys of the machine's RAM role, renewed before they end. May be used from any thread.

    `role` is empty for the one that the machine has.
    """

    def __init__(
        self,
        role: str = "",
        *,
        address: str = METADATA_ADDRESS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._role = RamRole(role, address=address, now=now)

    def find(self) -> AccessKey:
        """The role's key; raises `ModelUnavailable` or `ModelRefused` where the machine has none."""
        try:
            return self._role.find()
        except NoRoleKey as fault:
            error = ModelUnavailable if fault.away else ModelRefused
            raise error(f"{fault}, or give moderation.access_key and moderation.secret_key") from None

    def forget(self) -> None:
        """Ask the metadata service anew."""
        self._role.forget()

    def close(self) -> None:
        """Nothing to close: connections are open during a question alone."""

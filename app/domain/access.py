"""Who may do what: roles and permissions as the requirements list them (§10.1), principals and keys."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.errors import VersionConflict


class Role(StrEnum):
    """The four roles of the requirements."""

    ADMIN = "admin"
    USER = "user"
    READER = "reader"
    SERVICE_ACCOUNT = "service_account"


class Permission(StrEnum):
    """What an operation needs."""

    MEMORY_READ = "memory:read"
    MEMORY_WRITE = "memory:write"
    MEMORY_DELETE = "memory:delete"
    ADMINISTER = "admin"


PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    Role.USER: frozenset({Permission.MEMORY_READ, Permission.MEMORY_WRITE, Permission.MEMORY_DELETE}),
    Role.READER: frozenset({Permission.MEMORY_READ}),
    Role.SERVICE_ACCOUNT: frozenset({Permission.MEMORY_READ, Permission.MEMORY_WRITE}),
}
"""Requirements §10.1, the table of roles."""

KEY_FORMAT = re.compile(r"rk_[0-9a-f]{32}")
"""Requirements §10.1: key_format."""
EVERY_WORKSPACE = "*"
DEFAULT_TENANT = "default"


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """Who asks. `workspaces` lists ids, prefixes that end in `*`, or `*` alone; none means none."""

    key_id: str
    name: str
    tenant_id: str
    role: Role
    workspaces: tuple[str, ...] = (EVERY_WORKSPACE,)

    def may(self, permission: Permission) -> bool:
        """Whether the role grants a permission."""
        return permission in PERMISSIONS[self.role]

    def sees(self, workspace_id: str) -> bool:
        """Whether a workspace is in the principal's scope."""
        return any(
            workspace_id == pattern or (pattern.endswith("*") and workspace_id.startswith(pattern[:-1]))
            for pattern in self.workspaces
        )


LOCAL_ADMIN = Principal(key_id="local", name="local", tenant_id=DEFAULT_TENANT, role=Role.ADMIN)
"""The principal of a caller on this machine while no key exists."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKey:
    """A key as stored: the SHA-256 of the secret, never the secret. `replaced_by` is set by a rotation."""

    id: str
    secret_sha256: str
    name: str
    tenant_id: str
    role: Role
    workspaces: tuple[str, ...]
    created_ms: int
    expires_ms: int
    revoked_ms: int | None = None
    replaced_by: str = ""

    def __repr__(self) -> str:
        return f"ApiKey(id={self.id!r}, name={self.name!r}, role={self.role.value!r})"

    def works_at(self, now_ms: int) -> bool:
        """Whether the key opens the door at a moment."""
        return self.revoked_ms is None and now_ms < self.expires_ms

    @property
    def principal(self) -> Principal:
        """Who holds the key."""
        return Principal(
            key_id=self.id, name=self.name, tenant_id=self.tenant_id, role=self.role, workspaces=self.workspaces
        )


def check_expected(key: ApiKey, stored: ApiKey | None, expected: ApiKey | None) -> None:
    """Raise `VersionConflict` where a key is to replace another than the one that is stored; None is no key."""
    if stored != expected:
        raise VersionConflict(f"key {key.id} was changed in between: read it again and repeat the change")

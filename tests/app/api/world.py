"""A service with two tenants, keys of every role, and something to find or to be kept from."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.api.context import ApiContext
from app.domain.access import Principal, Role
from app.domain.memory import MemoryDraft, MemoryKind
from app.main import create_app
from app.service.suite import Services
from app.settings import Settings

TENANT, OTHER_TENANT = "acme", "umbrella"
OWN, FOREIGN = "acme:own", "acme:foreign"
CANARY = "the canary sings at dawn"
LOCAL = ("127.0.0.1", 50_000)


def make_app(working_dir: Path, **sections: Any) -> FastAPI:
    """An application in memory with settings such as `http={"key_in_path": True}`."""
    settings: dict[str, Any] = {
        "working_dir": working_dir,
        "store": {"backend": "memory"},
        "embedding": {"backend": "hashing"},
        **sections,
    }
    return create_app(Settings(**settings))


def make_client(app: FastAPI, client: tuple[str, int] = LOCAL, **arguments: Any) -> TestClient:
    """A caller; on this machine unless another address is given."""
    return TestClient(app, base_url="http://127.0.0.1:8002", client=client, **arguments)


def services_of(client: TestClient) -> Services:
    """The services behind a caller, to set things up without HTTP."""
    assert isinstance(client.app, FastAPI)
    api = client.app.state.api
    assert isinstance(api, ApiContext)
    return api.services


class World:
    """Keys by the name of their holder, and what `seed` made last."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.services = services_of(client)
        self.admin = Principal(key_id="setup", name="setup", tenant_id=TENANT, role=Role.ADMIN)
        self.secrets: dict[str, str] = {"nobody": ""}
        for role in Role:
            self.secrets[role.value] = self._issue(role, ("*",) if role is Role.ADMIN else (OWN,))
        self.secrets["narrow admin"] = self._issue(Role.ADMIN, (OWN,))
        self.secrets["other tenant"] = self._issue(Role.ADMIN, ("*",), OTHER_TENANT)
        for name in ("expired", "revoked"):
            self.secrets[name] = self._issue(Role.ADMIN, ("*",))
        keys = self.services.store.keys
        expired, revoked = (
            keys.find_key(sha256(self.secrets[name].encode()).hexdigest()) for name in ("expired", "revoked")
        )
        assert expired is not None
        assert revoked is not None
        keys.put_key(replace(expired, expires_ms=expired.created_ms - 1), expected=expired)
        keys.put_key(replace(revoked, revoked_ms=revoked.created_ms), expected=revoked)
        self.memory_ids: dict[str, str] = {}
        self.key_id = ""
        self.job_ids: dict[str, str] = {}

    def _issue(self, role: Role, workspaces: tuple[str, ...], tenant_id: str = TENANT) -> str:
        issuer = replace(self.admin, tenant_id=tenant_id)
        return self.services.keys.issue(issuer, name=role.value, role=role, workspaces=workspaces)[1]

    def headers(self, caller: str) -> dict[str, str]:
        """The headers of a caller."""
        secret = self.secrets[caller]
        return {"X-API-Key": secret} if secret else {}

    def seed(self) -> None:
        """Put a memory, a tool's memory, a user, a job and a dump into both workspaces, and make a key to spoil."""
        for workspace in (OWN, FOREIGN):
            drafts = [
                MemoryDraft(kind=MemoryKind.PERSONAL, content=f"{CANARY} in {workspace}", user_id="ada"),
                MemoryDraft(kind=MemoryKind.TASK, content=f"{CANARY} of tasks in {workspace}", when_to_use=CANARY),
            ]
            added = self.services.memories.add(self.admin, workspace, drafts)
            self.memory_ids[workspace] = added.outcomes[0].memory_id
            self.services.workspaces.put_user(self.admin, workspace, "ada", name=CANARY)
            payload: Mapping[str, Any] = {"drafts": [{"kind": "personal", "content": CANARY}]}
            self.job_ids[workspace] = self.services.jobs.submit(self.admin, workspace, "add", payload).id
        key, _ = self.services.keys.issue(self.admin, name="spare", role=Role.READER, workspaces=(OWN,))
        self.key_id = key.id

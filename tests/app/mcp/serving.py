"""A real server with MCP on a free port: in a thread of this process, or as an application for uvicorn's workers."""

import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from fastapi import FastAPI
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from app.api.context import ApiContext
from app.domain.access import LOCAL_ADMIN, Role
from app.main import create_app
from app.service.suite import Services
from app.settings import Settings, load_settings
from tests.servers.waiting import PATIENCE_S, wait_until


def create_served_app() -> FastAPI:
    """The application of a worker; its settings are in the environment."""
    return create_app(load_settings())


@dataclass(frozen=True, kw_only=True)
class Served:
    """A running server and what is behind it."""

    url: str
    app: FastAPI

    @property
    def services(self) -> Services:
        api = self.app.state.api
        assert isinstance(api, ApiContext)
        return api.services

    def issue(self, role: Role, *workspaces: str) -> str:
        """The secret of a new key."""
        keys = self.services.keys
        return keys.issue(LOCAL_ADMIN, name=role.value, role=role, workspaces=workspaces or ("*",))[1]


@contextmanager
def serving(working_dir: Path, *, compatible: bool = False, **sections: Any) -> Iterator[Served]:
    """A server with settings such as `http={"key_in_path": True}`, stopped afterwards."""
    settings: dict[str, Any] = {
        "working_dir": working_dir,
        "store": {"backend": "memory"},
        "embedding": {"backend": "hashing"},
        "log": {"level": "ERROR"},
        "mcp": {"compat": compatible},
        **sections,
    }
    app = create_app(Settings(**settings))
    with listening(app) as url:
        yield Served(url=url, app=app)


@contextmanager
def listening(app: Any) -> Iterator[str]:
    """The address of an ASGI application that a thread serves within."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        options: dict[str, Any] = {"log_config": None, "access_log": False, "ws": "none"}
        options |= {"timeout_keep_alive": int(PATIENCE_S), "timeout_graceful_shutdown": 5}
        server = uvicorn.Server(uvicorn.Config(app, **options))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
        thread.start()
        try:
            wait_until(lambda: server.started or not thread.is_alive(), "the server")
            assert server.started
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


@asynccontextmanager
async def connected(
    url: str, key: str = "", *, mode: str = "auto", headers: dict[str, str] | None = None
) -> AsyncIterator[Client]:
    """The official client of a server's MCP."""
    given = {**(headers or {}), **({"X-API-Key": key} if key else {})}
    async with (
        httpx2.AsyncClient(headers=given, timeout=PATIENCE_S) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


def text_of(result: Any) -> str:
    """The text of a tool's result."""
    return "".join(block.text for block in result.content)

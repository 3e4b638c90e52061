"""MCP over Streamable HTTP: one address of the service's own application, behind the same gate.

Every request stands for itself (stateless), so that any of several workers may answer it. What the gate found out
about a request, above all whose it is, holds for the tool call in it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import cast
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup, TaskStatus
from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app.api.authentication import is_loopback
from app.api.context import ApiContext
from app.domain.access import EVERY_WORKSPACE
from app.errors import Forbidden

METHODS = ("POST",)
"""Without a session there is no stream to open with GET, and none to end with DELETE; the specification has 405 for
both."""


@dataclass(frozen=True, kw_only=True, slots=True)
class McpOperation:
    """Stands where the gate looks for the route of a request: its name in log lines and metrics, and its address."""

    operation_id: str
    path: str


Handle = Callable[[Scope, Receive, Send], Awaitable[None]]


class McpEndpoint:
    """The address as an ASGI application; it answers while `run` is entered. The first request starts the server."""

    def __init__(self, app: FastAPI, *, path: str = "/mcp", compatible: bool = False) -> None:
        self.path = path
        self._app = app
        self._compatible = compatible
        self._http = cast(ApiContext, app.state.api).settings.http
        self._tasks: TaskGroup | None = None
        self._handle: Handle | None = None
        self._starting = anyio.Lock()

    @property
    def route(self) -> Route:
        """The route to add to the application."""
        return Route(self.path, endpoint=self, methods=METHODS, name="mcp", include_in_schema=False)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Answer requests within."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                yield
            finally:
                self._tasks = self._handle = None
                tasks.cancel_scope.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises `Forbidden` for one that a foreign web page makes."""
        scope["route"] = McpOperation(operation_id="mcp", path=self.path)
        headers = Headers(scope=scope)
        check_origin(headers.get("origin", ""), headers.get("host", ""), self._http.cors_origins)
        handle = self._handle or await self._start()
        await handle(scope, receive, send)

    async def _start(self) -> Handle:
        async with self._starting:
            if self._tasks is None:
                raise RuntimeError("the MCP endpoint is not running: enter run() in the application's lifespan")
            if self._handle is None:
                self._handle = cast(Handle, await self._tasks.start(self._serve))
            return self._handle

    async def _serve(self, *, task_status: TaskStatus[Handle]) -> None:
        """Hold the server open, in a task of its own: what a request opens would end with the request."""
        sessions = await anyio.to_thread.run_sync(import_module, "app.mcp.sessions")
        async with sessions.manage_sessions(self._app, path=self.path, compatible=self._compatible) as manager:
            task_status.started(manager.handle_request)
            await anyio.sleep_forever()


def build_mcp(app: FastAPI, *, path: str = "/mcp", compatible: bool = False) -> McpEndpoint:
    """Add MCP to an application that `create_app` made; its lifespan must enter `run()` of what is returned."""
    endpoint = McpEndpoint(app, path=path, compatible=compatible)
    app.router.routes.append(endpoint.route)
    return endpoint


def check_origin(origin: str, host: str, allowed: tuple[str, ...]) -> None:
    """Raise `Forbidden` for a request of a web page that nobody allowed, as the MCP specification asks.

    Pages of the service's own address pass on this machine only: elsewhere a name that resolves to the service (DNS
    rebinding) would make any page one of them.
    """
    if not origin or origin in allowed or EVERY_WORKSPACE in allowed:
        return
    try:
        parts = urlsplit(origin)
        own = parts.netloc == host and is_loopback(parts.hostname or "")
    except ValueError:
        own = False
    if not own:
        raise Forbidden("a web page of another origin may not use MCP: name it in http.cors_origins")

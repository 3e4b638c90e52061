"""MCP over standard input and output, for one client that starts this process."""

from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import httpx
from fastapi import FastAPI
from mcp.server.stdio import stdio_server

from app.domain.access import Principal
from app.mcp.in_process import connect_in_process
from app.mcp.server import Entrance, build_server
from app.mcp.tools import AnyTool, choose_tools
from app.telemetry.exchange import Exchange, choose_trace_id, enter_exchange

PATIENCE_S = 120.0
"""How long a remote service may take for an answer: its own deadline for a model is a minute."""


class OwnEntrance:
    """Lets every call in as one principal, with one default workspace."""

    def __init__(self, principal: Principal, workspace_id: str) -> None:
        self._principal = principal
        self._workspace_id = workspace_id

    @contextmanager
    def enter(self, request: object, tool: AnyTool, workspace_id: str) -> Iterator[str]:  # noqa: ARG002
        """As `Entrance` says."""
        exchange = Exchange(trace_id=choose_trace_id(""), operation=f"mcp_{tool.name}", principal=self._principal)
        with enter_exchange(exchange):
            yield workspace_id or self._workspace_id if tool.needs_workspace else ""


def serve_embedded(app: FastAPI, principal: Principal, workspace_id: str, *, compatible: bool = False) -> None:
    """Answer on standard input and output with the store of an application until the input ends."""

    async def serve() -> None:
        async with app.router.lifespan_context(app), connect_in_process(app) as client:
            version = app.state.api.facts["version"]
            await _serve(client, OwnEntrance(principal, workspace_id), version=version, compatible=compatible)

    anyio.run(serve)


def serve_remote(url: str, key: str, principal: Principal, workspace_id: str, *, compatible: bool = False) -> None:
    """Answer on standard input and output by asking a service at another address, with a key if it is not empty."""

    async def serve() -> None:
        headers = {"X-API-Key": key} if key else {}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE_S) as client:
            # Which release answers is the other service's to say, and it may change while this process runs.
            await _serve(client, OwnEntrance(principal, workspace_id), version="", compatible=compatible)

    anyio.run(serve)


async def _serve(client: httpx.AsyncClient, entrance: Entrance, *, version: str, compatible: bool) -> None:
    server = build_server(choose_tools(compatible=compatible), client, entrance, version=version)
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())

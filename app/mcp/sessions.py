"""The MCP server behind the address: the SDK's manager of requests, and who may make a tool call.

Imported with the first request, because the SDK takes 0.4 s to import.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from fastapi import FastAPI
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request

from app.api.compat.envelope import open_call
from app.api.context import Call
from app.mcp.endpoint import McpOperation
from app.mcp.in_process import connect_in_process
from app.mcp.server import build_server
from app.mcp.tools import AnyTool, choose_tools
from app.telemetry.exchange import enter_exchange


@asynccontextmanager
async def manage_sessions(app: FastAPI, *, path: str, compatible: bool) -> AsyncIterator[StreamableHTTPSessionManager]:
    """What handles requests within; `app` is one that `create_app` made."""
    api = app.state.api
    client = connect_in_process(app)
    server = build_server(
        choose_tools(compatible=compatible), client, RequestEntrance(path), version=api.facts["version"]
    )
    manager = StreamableHTTPSessionManager(
        server, stateless=True, max_request_body_size=api.settings.http.max_body_bytes
    )
    async with client, manager.run():
        yield manager


class RequestEntrance:
    """Lets tool calls in with what the gate knows of their HTTP request."""

    def __init__(self, path: str) -> None:
        self._path = path

    @contextmanager
    def enter(self, request: object, tool: AnyTool, workspace_id: str) -> Iterator[str]:
        """As `Entrance` says. A caller's default is what it is in the 0.2 API."""
        if not isinstance(request, Request):
            raise TypeError(f"a tool call without an HTTP request: {type(request).__name__}")
        request.scope["route"] = McpOperation(operation_id=f"mcp_{tool.name}", path=self._path)
        if tool.needs_workspace:
            call, workspace_id = open_call(request, workspace_id)
        else:
            call = Call(request)
        with enter_exchange(call.exchange):
            yield workspace_id

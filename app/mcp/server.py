"""The MCP server: lists the tools, and answers a call with what the HTTP API answers, errors included."""

import json
import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import httpx
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
)
from pydantic import ValidationError

from app.api.problems import UNEXPECTED
from app.errors import InvalidRequest, MemoryServiceError
from app.mcp.operations import describe_faults, read_failure
from app.mcp.tools import AnyTool

NAME = "reme"
INSTRUCTIONS = (
    "Long-term memory. Search it before answering what may depend on earlier conversations, and keep what will matter "
    "later: preferences and facts about people, how tasks were done, how tools behave. Memories live in workspaces; "
    "leave workspace_id out to use the default one."
)

log = logging.getLogger("reme.mcp")


class Entrance(Protocol):
    """Knows for whom a call works."""

    def enter(self, request: object, tool: AnyTool, workspace_id: str) -> AbstractContextManager[str]:
        """Work for the caller of a request (None over stdio) within; yields the workspace to work in.

        That is the one that was named, or the caller's default; empty for a tool that needs none. Raises
        `InvalidRequest` where none was named and the caller has no default.
        """


def build_server(
    tools: Mapping[str, AnyTool], client: httpx.AsyncClient, entrance: Entrance, *, version: str
) -> Server[Any]:
    """A server whose tools ask the HTTP API behind `client`."""
    listed = ListToolsResult(tools=[tool.describe() for tool in tools.values()])

    async def list_tools(context: ServerRequestContext[Any], params: PaginatedRequestParams | None) -> ListToolsResult:  # noqa: ARG001
        return listed

    async def call_tool(context: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        tool = tools.get(params.name)
        if tool is None:
            raise MCPError(INVALID_PARAMS, f"there is no tool {params.name[:64]!r}: tools/list names those there are")
        return await _call(tool, params.arguments or {}, client, entrance, context.request)

    return Server(
        NAME,
        version=version,
        title="ReMe memory",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def _call(
    tool: AnyTool, given: Mapping[str, Any], client: httpx.AsyncClient, entrance: Entrance, request: object
) -> CallToolResult:
    """What a call comes to. What went wrong is an answer too, so that the model can mend it."""
    try:
        _check_numbers(given)
        call: Any = tool.read(given)
        with entrance.enter(request, tool, tool.workspace_of(call)) as workspace_id:
            reply = await tool.operation(call, workspace_id).send(client)
        return tool.result(reply) if reply.is_success else _fail(str(read_failure(reply)))
    except ValidationError as error:
        return _fail(f"validation-failed: {describe_faults(error.errors(include_url=False, include_input=False))}")
    except MemoryServiceError as error:
        return _fail(f"{error.slug}: {error.message}")
    except httpx.HTTPError as error:
        return _fail(f"unavailable: the memory service does not answer ({type(error).__name__}): is it running?")
    except Exception as error:
        log.exception("unexpected %s in the tool %s", type(error).__name__, tool.name)
        return _fail(f"internal-error: {UNEXPECTED}")


def _check_numbers(given: Mapping[str, Any]) -> None:
    """Raise `InvalidRequest` for a number that JSON does not know: parsers make one of NaN and of 1e999."""
    try:
        json.dumps(given, allow_nan=False)
    except ValueError:
        raise InvalidRequest("a number among the arguments is not finite: leave it out, or send a text") from None


def _fail(message: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=message)], is_error=True)

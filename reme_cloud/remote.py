"""A memory behind a server: which request to the HTTP API each call makes."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from reme_cloud.connection import Connection

WORKSPACE = "/v1/workspaces/{workspace}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """Where a call goes. `keyed` ones take an Idempotency-Key; `repeatable` ones may be done twice without harm."""

    method: str
    path: str
    keyed: bool = False
    repeatable: bool = True


ROUTES: Mapping[str, Route] = {
    "add": Route(method="POST", path=f"{WORKSPACE}/memories", keyed=True),
    "add_many": Route(method="POST", path=f"{WORKSPACE}/memories:batch", keyed=True),
    "search": Route(method="POST", path=f"{WORKSPACE}/search"),
    "get": Route(method="GET", path=f"{WORKSPACE}/memories/{{id}}"),
    "list": Route(method="GET", path=f"{WORKSPACE}/memories"),
    "update": Route(method="PATCH", path=f"{WORKSPACE}/memories/{{id}}", repeatable=False),
    "delete": Route(method="DELETE", path=f"{WORKSPACE}/memories/{{id}}", repeatable=False),
    "remember": Route(method="POST", path=f"{WORKSPACE}/conversations", keyed=True),
    "record_use": Route(method="POST", path=f"{WORKSPACE}/memories:record-use", repeatable=False),
    # The 0.2 API has the only routes of tools; it takes the workspace in the body. The same calls are kept once.
    "record_tool_calls": Route(method="POST", path="/add_tool_call_result"),
    "summarise_tools": Route(method="POST", path="/summary_tool_memory"),
    "read_tools": Route(method="POST", path="/retrieve_tool_memory"),
    "usage": Route(method="GET", path="/v1/usage"),
    "workspaces": Route(method="GET", path="/v1/workspaces"),
}
QUERY_NAMES = {"types": "type", "users": "user", "tags": "tag"}
"""Fields of a filter that are parameters of another name in a listing."""


class Server:
    """A `Backend` over HTTP."""

    def __init__(self, url: str, *, api_key: str | None, timeout_s: float, attempts: int) -> None:
        self._connection = Connection(url, api_key=api_key, timeout_s=timeout_s, attempts=attempts)

    def __repr__(self) -> str:
        return repr(self._connection)

    async def open(self) -> None:
        """Make ready; nothing is asked yet."""
        await self._connection.open()

    async def close(self) -> None:
        """Close what is open."""
        await self._connection.close()

    async def call(
        self, name: str, workspace: str, document: Mapping[str, Any], *, key: str | None = None
    ) -> dict[str, Any]:
        """Send the request of a call; without a key of the caller's a new one makes repeating it safe."""
        route = ROUTES[name]
        rest = dict(document)
        path = _fill(route.path, workspace, str(rest.pop("id", "")))
        headers = {"Idempotency-Key": key or uuid4().hex} if route.keyed else {}
        params: dict[str, Any] | None = None
        body: dict[str, Any] | None = None
        if route.method == "GET":
            params = {QUERY_NAMES.get(field, field): value for field, value in rest.items()}
        elif route.method == "DELETE":
            headers = {} if rest["version"] is None else {"If-Match": f'"{rest["version"]}"'}
        else:
            body = rest if route.path.startswith(WORKSPACE) else {**rest, "workspace_id": workspace}
        return await self._connection.ask(
            route.method, path, params=params, body=body, headers=headers, repeatable=route.repeatable
        )

    async def export(self, workspace: str) -> AsyncIterator[dict[str, Any]]:
        """GET …/export, line by line as it comes."""
        async for line in self._connection.lines(_fill(f"{WORKSPACE}/export", workspace)):
            yield json.loads(line)

    async def import_lines(self, workspace: str, lines: AsyncIterator[str]) -> dict[str, Any]:
        """POST …/import, line by line as they come."""
        return await self._connection.upload(_fill(f"{WORKSPACE}/import", workspace), lines)


def _fill(path: str, workspace: str, memory_id: str = "") -> str:
    return path.format(workspace=quote(workspace, safe=""), id=quote(memory_id, safe=""))

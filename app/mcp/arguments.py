"""Arguments of the tools: flat and few, with a description each, since a language model fills them in.

Each says which request to the HTTP API it means. Bounds are those of the API's own bodies.
"""

from abc import ABC, abstractmethod
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import quote

from pydantic import Field

from app.api.times import Moment, write_moment
from app.api.v1.requests import JsonMap, MemoryId, MessageIn, Name, RequestBody, Tag
from app.domain.identifiers import WORKSPACE_ID
from app.domain.memory import MemoryKind
from app.domain.query import SearchMode
from app.mcp.operations import Operation
from app.service.limits import BATCH_CHANGES, CONTENT_CHARACTERS, FILTER_VALUES, TAGS

TOP_K = 5
"""Memories that a search returns where nobody says; a model pays for every one that it reads."""
PAGE = 20
MOST_CALLS = 1000
"""Of tools, in one request; the service keeps the newest hundred of each."""

Text = Annotated[str, Field(max_length=CONTENT_CHARACTERS)]
WorkspaceId = Annotated[str, Field(pattern=rf"^({WORKSPACE_ID.pattern})?$")]
Limit = Annotated[int, Field(ge=1, le=1000, description="Items of a page.")]
Cursor = Annotated[str, Field(max_length=512, description="`next_cursor` of the page before.")]
Day = Annotated[str, Field(pattern=r"^(\d{4}-\d{2}-\d{2})?$", examples=["2026-11-22"])]


class Arguments(RequestBody, ABC):
    """What the arguments of every tool have in common."""

    @abstractmethod
    def operation(self, workspace_id: str) -> Operation:
        """The request to the HTTP API that these arguments mean; the workspace is empty for a tool that needs none."""


class InWorkspace(Arguments):
    """Arguments of a tool that works in one workspace."""

    workspace_id: Annotated[WorkspaceId, Field(description="The workspace. Leave it out to use the default one.")] = ""


def _memories(workspace_id: str, rest: str = "") -> str:
    return f"/v1/workspaces/{quote(workspace_id, safe='')}/memories{rest}"


class Search(InWorkspace):
    """Arguments of `search_memory`."""

    query: Annotated[
        str,
        Field(min_length=1, max_length=CONTENT_CHARACTERS, description="What to look for: a question or keywords."),
    ]
    top_k: Annotated[int, Field(ge=1, le=200, description="The most memories to return.")] = TOP_K
    types: Annotated[tuple[MemoryKind, ...], Field(description="Only these types of memory; empty for all.")] = ()
    user_ids: Annotated[
        tuple[Name, ...], Field(max_length=FILTER_VALUES, description="Only memories about one of these people.")
    ] = ()
    tags: Annotated[tuple[Tag, ...], Field(max_length=TAGS, description="Only memories with all of these tags.")] = ()
    since: Annotated[Moment | None, Field(description="Only memories made at this time or later.")] = None
    until: Annotated[Moment | None, Field(description="Only memories made before this time.")] = None
    metadata: Annotated[
        dict[str, Any],
        Field(
            default_factory=dict,
            description='Only memories whose metadata match: a value, or comparisons such as {"priority": {"gte": 3}}; '
            "they are eq, ne, gt, gte, lt, lte, in and exists.",
        ),
    ]
    as_of: Annotated[Moment | None, Field(description="Answer with what was held true at this time.")] = None
    min_score: Annotated[float, Field(ge=0, le=1, description="Leave out what scores lower.")] = 0.0
    mode: Annotated[
        SearchMode, Field(description="hybrid compares meaning and words, vector meaning, keyword words.")
    ] = SearchMode.HYBRID

    def operation(self, workspace_id: str) -> Operation:
        """POST …/search."""
        wanted = {
            "types": self.types,
            "users": self.user_ids,
            "tags": self.tags,
            "since": _moment(self.since),
            "until": _moment(self.until),
            "metadata": self.metadata,
        }
        body = {
            "query": self.query,
            "top_k": self.top_k,
            "filter": wanted,
            "min_score": self.min_score,
            "mode": self.mode,
            "as_of": _moment(self.as_of),
        }
        return Operation(method="POST", path=f"/v1/workspaces/{quote(workspace_id, safe='')}/search", body=body)


class Add(InWorkspace):
    """Arguments of `add_memory`."""

    content: Annotated[
        str,
        Field(
            min_length=1,
            max_length=CONTENT_CHARACTERS,
            description="One statement that makes sense on its own, e.g. 'Ada prefers coffee without sugar'.",
        ),
    ]
    type: Annotated[
        MemoryKind, Field(description="personal: about a person; task: how to do something; tool: how a tool behaves.")
    ] = MemoryKind.PERSONAL
    when_to_use: Annotated[
        Text, Field(description="The situation in which it helps; searches then compare this. For task memories.")
    ] = ""
    user_id: Annotated[Name, Field(description="The person whom it is about.")] = ""
    author: Annotated[Name, Field(description="Who says so.")] = ""
    tags: Annotated[tuple[Tag, ...], Field(max_length=TAGS)] = ()
    metadata: Annotated[JsonMap, Field(default_factory=dict)]
    slot: Annotated[
        Name, Field(description="What this states, e.g. `home`: a newer statement of the same user replaces an older.")
    ] = ""

    def operation(self, workspace_id: str) -> Operation:
        """POST …/memories."""
        body = self.model_dump(mode="json", exclude={"workspace_id"})
        return Operation(method="POST", path=_memories(workspace_id), body=body)


class Remember(InWorkspace):
    """Arguments of `remember_conversation`."""

    messages: Annotated[
        list[MessageIn],
        Field(min_length=1, max_length=BATCH_CHANGES, description="The turns, oldest first; repeat earlier ones."),
    ]
    kind: Annotated[
        Literal["personal", "task"],
        Field(description="personal: learn about the person who speaks; task: learn how such a task is done."),
    ] = "personal"
    user_id: Annotated[Name, Field(description="The person who speaks.")] = ""
    score: Annotated[
        float | None, Field(ge=0, le=1, description="How well the task went, from 0 to 1, if anyone judged it.")
    ] = None
    task_id: Annotated[Name, Field(description="Names the conversation, so that more of it is told apart.")] = ""
    metadata: Annotated[JsonMap, Field(default_factory=dict)]

    def operation(self, workspace_id: str) -> Operation:
        """POST …/conversations."""
        body = self.model_dump(mode="json", exclude={"workspace_id", "messages"})
        messages = [
            {
                **message.model_dump(mode="json", exclude={"created_at"}),
                "created_at": _moment(message.created_at),
            }
            for message in self.messages
        ]
        path = f"/v1/workspaces/{quote(workspace_id, safe='')}/conversations"
        return Operation(method="POST", path=path, body={**body, "messages": messages})


class Get(InWorkspace):
    """Arguments of `get_memory`."""

    memory_id: MemoryId

    def operation(self, workspace_id: str) -> Operation:
        """GET …/memories/{id}."""
        return Operation(method="GET", path=_memories(workspace_id, f"/{self.memory_id}"))


class Delete(Get):
    """Arguments of `delete_memory`."""

    def operation(self, workspace_id: str) -> Operation:
        """DELETE …/memories/{id}."""
        return Operation(method="DELETE", path=_memories(workspace_id, f"/{self.memory_id}"))


class List(InWorkspace):
    """Arguments of `list_memories`."""

    limit: Limit = PAGE
    cursor: Cursor = ""
    types: tuple[MemoryKind, ...] = ()
    user_ids: Annotated[tuple[Name, ...], Field(max_length=FILTER_VALUES)] = ()
    tags: Annotated[tuple[Tag, ...], Field(max_length=TAGS, description="All of these tags.")] = ()
    since: Annotated[Moment | None, Field(description="Only memories made at this time or later.")] = None
    until: Annotated[Moment | None, Field(description="Only memories made before this time.")] = None

    def operation(self, workspace_id: str) -> Operation:
        """GET …/memories."""
        params = {
            "limit": self.limit,
            "cursor": self.cursor,
            "type": [kind.value for kind in self.types],
            "user": list(self.user_ids),
            "tag": list(self.tags),
            "since": _moment(self.since),
            "until": _moment(self.until),
        }
        return Operation(method="GET", path=_memories(workspace_id), params=params)


class Change(InWorkspace):
    """Arguments of `update_memory`."""

    memory_id: MemoryId
    content: Annotated[str, Field(min_length=1, max_length=CONTENT_CHARACTERS)] | None = None
    when_to_use: Text | None = None
    author: Name | None = None
    tags: Annotated[tuple[Tag, ...], Field(max_length=TAGS, description="All tags that it shall have.")] | None = None
    metadata: Annotated[dict[str, Any], Field(description="All metadata that it shall have.")] | None = None
    version: Annotated[
        int | None, Field(ge=1, le=2**63 - 1, description="The version that was read; refused if it changed since.")
    ] = None

    def operation(self, workspace_id: str) -> Operation:
        """PATCH …/memories/{id}."""
        body = self.model_dump(mode="json", exclude={"workspace_id", "memory_id"}, exclude_none=True)
        return Operation(method="PATCH", path=_memories(workspace_id, f"/{self.memory_id}"), body=body)


class Use(InWorkspace):
    """Arguments of `record_use`."""

    memory_ids: Annotated[list[MemoryId], Field(min_length=1, max_length=BATCH_CHANGES)]
    utility: Annotated[float, Field(description="What each use was worth: 1 helped, 0 did not.")] = 1.0

    def operation(self, workspace_id: str) -> Operation:
        """POST …/memories:record-use."""
        body = {"ids": self.memory_ids, "utility": self.utility}
        return Operation(method="POST", path=_memories(workspace_id, ":record-use"), body=body)


class ToolCallArguments(RequestBody):
    """One call of a tool and what became of it."""

    tool_name: Annotated[str, Field(min_length=1, max_length=256)]
    input: dict[str, Any] | str = ""
    output: Annotated[Text, Field(description="What it returned, or the error.")] = ""
    success: bool = True
    time_cost_s: Annotated[float, Field(ge=0, description="Seconds that it took.")] = 0.0
    token_cost: Annotated[int, Field(ge=0)] = 0
    created_at: Moment | None = None


class Calls(InWorkspace):
    """Arguments of `record_tool_calls`."""

    calls: Annotated[list[ToolCallArguments], Field(min_length=1, max_length=MOST_CALLS)]

    def operation(self, workspace_id: str) -> Operation:
        """POST /add_tool_call_result."""
        calls = [
            {
                **call.model_dump(mode="json", exclude={"time_cost_s", "created_at"}),
                "time_cost": call.time_cost_s,
                "create_time": _moment(call.created_at) or "",
            }
            for call in self.calls
        ]
        body = {"workspace_id": workspace_id, "tool_call_results": calls}
        return Operation(method="POST", path="/add_tool_call_result", body=body)


class ToolNames(InWorkspace):
    """Arguments of `get_tool_guidelines`."""

    path: ClassVar[str] = "/retrieve_tool_memory"

    tool_names: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^,]*$")]],
        Field(min_length=1, max_length=100, description="Names of tools, as they were recorded."),
    ]

    def operation(self, workspace_id: str) -> Operation:
        """POST /retrieve_tool_memory, or /summary_tool_memory."""
        body = {"workspace_id": workspace_id, "tool_names": ",".join(self.tool_names)}
        return Operation(method="POST", path=self.path, body=body)


class SummariseTools(ToolNames):
    """Arguments of `summarise_tools`."""

    path: ClassVar[str] = "/summary_tool_memory"


class Workspaces(Arguments):
    """Arguments of `list_workspaces`."""

    limit: Limit = PAGE
    cursor: Cursor = ""

    def operation(self, workspace_id: str) -> Operation:  # noqa: ARG002
        """GET /v1/workspaces."""
        return Operation(method="GET", path="/v1/workspaces", params={"limit": self.limit, "cursor": self.cursor})


class Usage(Arguments):
    """Arguments of `get_usage`."""

    only_workspace_id: Annotated[WorkspaceId, Field(description="One workspace only; empty for all.")] = ""
    from_day: Annotated[Day, Field(description="The first day (UTC).")] = ""
    to_day: Annotated[Day, Field(description="The last day (UTC).")] = ""

    def operation(self, workspace_id: str) -> Operation:  # noqa: ARG002
        """GET /v1/usage."""
        params = {"workspace": self.only_workspace_id or None, "from": self.from_day, "to": self.to_day}
        return Operation(method="GET", path="/v1/usage", params=params)


def _moment(ms: int | None) -> str | None:
    return None if ms is None else write_moment(ms)

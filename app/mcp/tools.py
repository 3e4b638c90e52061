"""The tools: which there are, what they are good for, and which request to the HTTP API each makes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from mcp_types import CallToolResult, TextContent, Tool, ToolAnnotations
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import to_json

from app.api.compat import bodies
from app.domain.identifiers import check_workspace_id
from app.errors import InvalidRequest
from app.mcp import answers, working
from app.mcp import arguments as given
from app.mcp.operations import Operation, read_answer

READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
KEEPS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
"""Adds, and the same again adds nothing: what is there word for word is not kept twice."""
COUNTS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False)
REPLACES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryTool:
    """A tool of ours: typed arguments and an answer with structure."""

    name: str
    title: str
    description: str
    hints: ToolAnnotations
    arguments: type[given.Arguments]
    answer: type[answers.ToolAnswer]

    @property
    def needs_workspace(self) -> bool:
        """Whether it works in one workspace, which then has to be known."""
        return issubclass(self.arguments, given.InWorkspace)

    def describe(self) -> Tool:
        """The tool as clients are told of it."""
        return Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=_schema(self.arguments),
            output_schema=_schema(self.answer),
            annotations=self.hints,
        )

    def read(self, raw: Mapping[str, Any]) -> given.Arguments:
        """The arguments of a call. Raises pydantic's `ValidationError`."""
        return self.arguments.model_validate(raw)

    def workspace_of(self, call: given.Arguments) -> str:
        """The workspace that a call names; empty for none."""
        return call.workspace_id if isinstance(call, given.InWorkspace) else ""

    def operation(self, call: given.Arguments, workspace_id: str) -> Operation:
        """The request that a call means."""
        return call.operation(workspace_id)

    def result(self, reply: httpx.Response) -> CallToolResult:
        """The answer with its structure, and the same as text for clients that know no structure."""
        answer = self.answer.model_validate(read_answer(reply))
        document = answer.model_dump(mode="json", exclude_defaults=True)
        return CallToolResult(content=[_text(to_json(document).decode())], structured_content=document)


@dataclass(frozen=True, kw_only=True, slots=True)
class CompatibleTool:
    """A tool of ReMe 0.2: an endpoint's name and arguments, of whose answer only `answer` is returned."""

    name: str
    description: str
    hints: ToolAnnotations
    body: type[BaseModel]

    @property
    def needs_workspace(self) -> bool:
        """All of them work in one workspace."""
        return True

    def describe(self) -> Tool:
        """The tool as clients are told of it."""
        schema = _schema(self.body)
        schema["required"] = [name for name in schema.get("required", ()) if name != "workspace_id"]
        return Tool(name=self.name, description=self.description, input_schema=schema, annotations=self.hints)

    def read(self, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments as they are: the endpoint checks them."""
        return raw

    def workspace_of(self, call: Mapping[str, Any]) -> str:
        """The workspace that a call names; empty for none."""
        workspace_id = call.get("workspace_id") or ""
        if not isinstance(workspace_id, str):
            raise InvalidRequest("workspace_id is no text: give the workspace's id, or leave it out")
        return check_workspace_id(workspace_id) if workspace_id else ""

    def operation(self, call: Mapping[str, Any], workspace_id: str) -> Operation:
        """The request that a call means."""
        return Operation(method="POST", path=f"/{self.name}", body={**call, "workspace_id": workspace_id})

    def result(self, reply: httpx.Response) -> CallToolResult:
        """The text of `answer`, as upstream's server returns it."""
        answer = read_answer(reply).get("answer", "")
        return CallToolResult(content=[_text(answer if isinstance(answer, str) else to_json(answer).decode())])


AnyTool = MemoryTool | CompatibleTool

TOOLS: tuple[MemoryTool, ...] = (
    MemoryTool(
        name="search_memory",
        title="Search memory",
        description="Find what is remembered about a person, a task or a tool. Call it before answering whatever may "
        "depend on preferences, facts or experience of earlier conversations. Returns memories, best first.",
        hints=READS,
        arguments=given.Search,
        answer=answers.SearchAnswer,
    ),
    MemoryTool(
        name="add_memory",
        title="Keep a memory",
        description="Keep one statement for later conversations, durably. What is there already, word for word, is "
        "not kept twice. For a whole conversation use remember_conversation.",
        hints=KEEPS,
        arguments=given.Add,
        answer=answers.AddAnswer,
    ),
    MemoryTool(
        name="remember_conversation",
        title="Remember a conversation",
        description="Hand over a conversation: what was said is kept word for word, and what it tells about the person "
        "who speaks, or about how a task is done, is distilled into memories. A repeated turn adds nothing.",
        hints=KEEPS,
        arguments=given.Remember,
        answer=answers.RememberAnswer,
    ),
    MemoryTool(
        name="get_memory",
        title="Read a memory",
        description="Read one memory with all that is known of it: where it comes from, how often it was used, since "
        "when it holds.",
        hints=READS,
        arguments=given.Get,
        answer=answers.MemoryWhole,
    ),
    MemoryTool(
        name="list_memories",
        title="List memories",
        description="List memories page by page, oldest first. To find what answers a question use search_memory.",
        hints=READS,
        arguments=given.List,
        answer=answers.ListAnswer,
    ),
    MemoryTool(
        name="update_memory",
        title="Change a memory",
        description="Correct a memory. Only the fields that are given change; earlier texts are kept as history.",
        hints=REPLACES,
        arguments=given.Change,
        answer=answers.MemoryBrief,
    ),
    MemoryTool(
        name="delete_memory",
        title="Delete a memory",
        description="Delete one memory, so that it is never found again. An administrator can restore it for some "
        "days. Call it only when the user wants something forgotten.",
        hints=REPLACES,
        arguments=given.Delete,
        answer=answers.DeleteAnswer,
    ),
    MemoryTool(
        name="record_use",
        title="Count a use",
        description="Tell which memories were used and what they were worth, so that useless ones can be found later.",
        hints=COUNTS,
        arguments=given.Use,
        answer=answers.UseAnswer,
    ),
    MemoryTool(
        name="record_tool_calls",
        title="Record tool calls",
        description="Keep what became of calls of tools: success, output, seconds, tokens. The same call is kept once.",
        hints=KEEPS,
        arguments=given.Calls,
        answer=answers.CallsAnswer,
    ),
    MemoryTool(
        name="summarise_tools",
        title="Summarise tools",
        description="Turn the recorded calls of tools into guidelines, and return them. Call it after recording.",
        hints=KEEPS,
        arguments=given.SummariseTools,
        answer=answers.GuidelinesAnswer,
    ),
    MemoryTool(
        name="get_tool_guidelines",
        title="Read tool guidelines",
        description="Read what earlier calls taught about tools: how often they fail, why, how long they take. Call it "
        "before using a tool that failed before.",
        hints=READS,
        arguments=given.ToolNames,
        answer=answers.GuidelinesAnswer,
    ),
    MemoryTool(
        name="list_workspaces",
        title="List workspaces",
        description="List the workspaces that may be used. Memories of one are never seen in another.",
        hints=READS,
        arguments=given.Workspaces,
        answer=answers.WorkspacesAnswer,
    ),
    MemoryTool(
        name="shorten_conversation",
        title="Shorten a conversation",
        description="Make a conversation short enough to go on with: long outputs of tools are taken out and older "
        "messages summarised. Nothing is lost: notes in it name what read_working_memory and grep_working_memory read.",
        hints=COUNTS,
        arguments=working.Shorten,
        answer=answers.ShortenedAnswer,
    ),
    MemoryTool(
        name="read_working_memory",
        title="Read what was taken out",
        description="Read lines of a text that was taken out of a conversation, by the file_path in its note.",
        hints=READS,
        arguments=working.ReadOffloaded,
        answer=answers.LinesAnswer,
    ),
    MemoryTool(
        name="grep_working_memory",
        title="Search what was taken out",
        description="Find the lines of a text that was taken out of a conversation in which a pattern stands.",
        hints=READS,
        arguments=working.SearchOffloaded,
        answer=answers.MatchesAnswer,
    ),
    MemoryTool(
        name="get_usage",
        title="Read usage",
        description="Read how many calls, memories and tokens were used, and what they cost.",
        hints=READS,
        arguments=given.Usage,
        answer=answers.UsageAnswer,
    ),
)

COMPATIBLE: tuple[CompatibleTool, ...] = tuple(
    CompatibleTool(name=name, description=description, hints=hints, body=body)
    for name, body, hints, description in (
        ("retrieve_personal_memory", bodies.QueryBody, READS, "Retrieve memories about a person."),
        ("summary_personal_memory", bodies.SummaryBody, KEEPS, "Remember what conversations tell about a person."),
        ("retrieve_task_memory", bodies.QueryBody, READS, "Retrieve experience with tasks, with when to use it."),
        ("summary_task_memory", bodies.SummaryBody, KEEPS, "Remember what runs tell about their tasks."),
        ("record_task_memory", bodies.RecordBody, COUNTS, "Count the use of task memories that were retrieved."),
        ("delete_task_memory", bodies.DeleteBody, REPLACES, "Delete task memories that were not worth their uses."),
        ("add_tool_call_result", bodies.ToolCallsBody, KEEPS, "Keep what became of calls of tools."),
        ("summary_tool_memory", bodies.ToolNamesBody, KEEPS, "Summarise the recorded calls of tools."),
        ("retrieve_tool_memory", bodies.ToolNamesBody, READS, "Retrieve what is known of tools."),
        ("vector_store", bodies.VectorStoreBody, REPLACES, "Act on a workspace: copy, delete, dump, load, list."),
    )
)
"""One tool for each endpoint of ReMe 0.2 that its own server offers as one, in the same words."""


def choose_tools(*, compatible: bool) -> Mapping[str, AnyTool]:
    """The tools to offer by their names, in order; with `compatible` those of ReMe 0.2 too."""

    def offered() -> Iterator[AnyTool]:
        yield from TOOLS
        if compatible:
            yield from COMPATIBLE

    return {tool.name: tool for tool in offered()}


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)


class _WithoutTitles(GenerateJsonSchema):
    """Leaves out the title of each field, which only repeats its name: models read these schemas with every call."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a model, without the name and the docstring of its class.

    Aliases of an answer say where in the API's answer a field stands, so they are not the names that are written.
    """
    written = not issubclass(model, answers.ToolAnswer)
    schema = model.model_json_schema(by_alias=written, schema_generator=_WithoutTitles)
    for name in ("title", "description", "examples"):
        schema.pop(name, None)
    return schema

"""Bodies of the 0.2 API. Unknown fields are accepted and left alone, as upstream does."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.domain.conversation import Message, ToolCall, Trajectory
from app.service.limits import EARLIEST_MS, LATEST_MS

DEFAULT_TOP_K = 5
"""What upstream's flows return when nobody says."""


class Block(BaseModel):
    """A part of a message's content; only text is read."""

    model_config = ConfigDict(extra="allow")

    type: str = "text"
    text: str = ""


class MessageBody(BaseModel):
    """One turn; an assistant's that only calls tools has null for content."""

    role: Annotated[str, StringConstraints(min_length=1, max_length=32)]
    content: str | list[Block | str] | None = ""
    name: str | None = None
    time_created: str | int | float | None = None

    def message(self) -> Message:
        """The turn with its blocks joined."""
        content = self.content or ""
        if not isinstance(content, str):
            texts = [block if isinstance(block, str) else block.text for block in content]
            content = "\n".join(text for text in texts if text)
        return Message(role=self.role, content=content, name=self.name or "", created_ms=_read_time(self.time_created))


class TrajectoryBody(BaseModel):
    """A conversation or a run with a score of 0 to 1."""

    messages: list[MessageBody] = []
    task_id: str | None = None
    score: Annotated[float, Field(allow_inf_nan=False)] | None = None
    metadata: dict[str, Any] | None = None

    def trajectory(self) -> Trajectory:
        """The run as the service takes it."""
        return Trajectory(
            messages=tuple(message.message() for message in self.messages),
            score=self.score,
            task_id=self.task_id or "",
            metadata=self.metadata or {},
        )


class Body(BaseModel):
    """The fields of every request."""

    workspace_id: str = Field(default="", examples=["u1"])
    metadata: dict[str, Any] | None = None


class QueryBody(Body):
    """A search."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"workspace_id": "u1", "query": "coffee", "top_k": 5}]})

    query: str
    top_k: int = DEFAULT_TOP_K


class SummaryBody(Body):
    """Conversations to remember: trajectories, or messages as one of them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "workspace_id": "u1",
                    "trajectories": [{"messages": [{"role": "user", "content": "I like coffee"}]}],
                }
            ]
        }
    )

    trajectories: list[TrajectoryBody] = []
    messages: list[MessageBody] = []

    def conversations(self) -> list[Trajectory]:
        """What there is to remember; empty where nothing was sent."""
        found = [body.trajectory() for body in self.trajectories if body.messages]
        if not found and self.messages:
            found = [Trajectory(messages=tuple(message.message() for message in self.messages))]
        return found


class ToolCallBody(BaseModel):
    """One call of a tool."""

    tool_name: str = ""
    create_time: str = ""
    input: dict[str, Any] | str = ""
    output: Any = ""
    success: bool = True
    token_cost: int | None = 0
    time_cost: Annotated[float, Field(allow_inf_nan=False)] | None = 0.0
    metadata: dict[str, Any] | None = None

    def read(self) -> ToolCall:
        """The call that it tells of; an output that is no text is kept as JSON."""
        output = self.output
        return ToolCall(
            tool_name=self.tool_name,
            input=self.input,
            output=output if isinstance(output, str) else json.dumps(output, ensure_ascii=False),
            success=self.success,
            create_time=self.create_time,
            token_cost=self.token_cost or 0,
            time_cost_s=self.time_cost or 0.0,
            metadata=self.metadata or {},
        )


class ToolCallsBody(Body):
    """Calls of tools to keep."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "workspace_id": "u1",
                    "tool_call_results": [
                        {
                            "create_time": "2026-11-22 11:52:21",
                            "tool_name": "web_search",
                            "input": {"query": "weather"},
                            "output": "sunny",
                            "token_cost": 120,
                            "success": True,
                            "time_cost": 0.4,
                        }
                    ],
                }
            ]
        }
    )

    tool_call_results: list[ToolCallBody]


class ToolNamesBody(Body):
    """Names of tools with commas between."""

    tool_names: str = Field(examples=["web_search,calculator"])

    def names(self) -> list[str]:
        """The names, once each."""
        return list(dict.fromkeys(name.strip() for name in self.tool_names.split(",") if name.strip()))


class RecordBody(BaseModel):
    """Memories that were used, as a search returned them."""

    workspace_id: str
    memory_dicts: list[dict[str, Any]]
    update_utility: bool


class DeleteBody(BaseModel):
    """When a task memory is not worth keeping."""

    workspace_id: str
    freq_threshold: Annotated[int, Field(ge=0, le=2**63 - 1)]
    utility_threshold: Annotated[float, Field(allow_inf_nan=False)]


class AddTaskBody(Body):
    """Task memories to keep as they are (the 0.3 API)."""

    memory_list: list[dict[str, Any]]


class VectorStoreBody(Body):
    """An action on a workspace."""

    action: str = Field(examples=["list"])
    src_workspace_id: str | None = None
    memory_ids: list[str] | None = None
    path: str | None = None


def _read_time(value: str | int | float | None) -> int | None:
    """Milliseconds of "YYYY-MM-DD HH:MM:SS" or any ISO time; None for what is no time: a wrong hint is no failure."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        moment_ms = round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
    return moment_ms if EARLIEST_MS <= moment_ms <= LATEST_MS else None

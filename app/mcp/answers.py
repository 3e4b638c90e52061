"""Answers of the tools: of what the HTTP API answers, what is of use to a language model.

Each model reads an answer of the API and leaves the rest out; fields that are empty are not written.
"""

from typing import Any

from pydantic import AliasPath, BaseModel, ConfigDict, Field

from app.api.v1.answers import MEMORY_ID, MOMENT
from app.domain.change import ChangeState
from app.domain.memory import Layer, MemoryKind


class ToolAnswer(BaseModel):
    """What the answers of all tools have in common."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class MemoryBrief(ToolAnswer):
    """A memory. `version` is what `update_memory` may insist on."""

    id: str = Field(examples=[MEMORY_ID])
    type: MemoryKind
    content: str
    when_to_use: str = ""
    user_id: str = ""
    author: str = ""
    tags: list[str] = []
    metadata: dict[str, Any] = {}
    slot: str = ""
    layer: Layer = Layer.DISTILLED
    created_at: str = MOMENT
    updated_at: str = MOMENT
    valid_to: str | None = None
    superseded: bool = False
    version: int


class MemoryWhole(MemoryBrief):
    """A memory with all that is known of it."""

    workspace_id: str
    details: dict[str, Any] = {}
    score: float = 0.0
    frequency: int = 0
    utility: float = 0.0
    origin: dict[str, Any] = {}
    source_ids: list[str] = []
    valid_from: str = ""
    revision_of: str = ""


class Found(ToolAnswer):
    """A memory that a search found, and how well it answers (0 to 1)."""

    score: float
    memory: MemoryBrief


class SearchAnswer(ToolAnswer):
    """What was found, best first; nothing is an empty list. `degraded` says why words alone were searched for."""

    hits: list[Found]
    degraded: str = ""


class AddAnswer(ToolAnswer):
    """What became of a memory: `created`, or `duplicate` of one that was there."""

    state: ChangeState
    memory: MemoryBrief
    superseded_ids: list[str] = []


class RememberAnswer(ToolAnswer):
    """What a conversation left behind. `extractor` says who distilled it: `rule`, or a model."""

    memories: list[MemoryBrief]
    inserted: int
    superseded_ids: list[str] = []
    extractor: str
    skipped: str = ""


class ListAnswer(ToolAnswer):
    """A page of memories, oldest first. Without `next_cursor` it is the last."""

    items: list[MemoryBrief]
    next_cursor: str = ""


class DeleteAnswer(ToolAnswer):
    """That a memory was deleted."""

    deleted: bool = Field(default=True, json_schema_extra={"const": True})


class UseAnswer(ToolAnswer):
    """The memories whose use was counted; those that are missing are left out."""

    memories: list[MemoryBrief]


def _count(part: str, name: str) -> Any:
    return Field(validation_alias=AliasPath("metadata", part, name))


class CallsAnswer(ToolAnswer):
    """How many calls came, were there already, and were added; `filtered` ones name no tool."""

    received: int = _count("validation_stats", "total_input")
    filtered: int = _count("validation_stats", "filtered")
    deduplicated: int = _count("deduplication_stats", "deduplicated")
    added: int = _count("deduplication_stats", "added")


class Guideline(ToolAnswer):
    """What is known of a tool."""

    tool_name: str = Field(validation_alias="when_to_use")
    guideline: str = Field(validation_alias="content")


class GuidelinesAnswer(ToolAnswer):
    """What is known of the tools that are known."""

    tools: list[Guideline] = Field(validation_alias=AliasPath("metadata", "memory_list"))


class ShortenedAnswer(ToolAnswer):
    """A conversation that is short enough. `missed` says why a limit is exceeded."""

    messages: list[dict[str, Any]]
    tokens_before: int
    tokens_after: int
    missed: str = ""


class LinesAnswer(ToolAnswer):
    """Lines of a text that was taken out; `truncated` where there are more than may be returned at once."""

    text: str = Field(validation_alias="answer")
    truncated: bool = Field(default=False, validation_alias=AliasPath("metadata", "truncated"))


class Line(ToolAnswer):
    """A line that matches, with its number from 1."""

    line: int
    text: str


class MatchesAnswer(ToolAnswer):
    """The first lines that match; none is an empty list."""

    matches: list[Line] = Field(validation_alias=AliasPath("metadata", "matches"))


class WorkspaceBrief(ToolAnswer):
    """A workspace."""

    id: str
    name: str = ""
    metadata: dict[str, Any] = {}


class WorkspacesAnswer(ToolAnswer):
    """A page of workspaces. Without `next_cursor` it is the last."""

    items: list[WorkspaceBrief]
    next_cursor: str = ""


class UsageLine(ToolAnswer):
    """The use of one operation; the cost is null where no price is known."""

    operation: str
    model: str = ""
    calls: int
    items: int
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None


class UsageAnswer(ToolAnswer):
    """What was used from the first to the last day, and what it cost at list prices."""

    from_day: str = ""
    to_day: str = ""
    cost_usd: float | None
    lines: list[UsageLine]

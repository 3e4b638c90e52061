"""What clients hand over to be remembered: messages, trajectories and tool calls."""

from dataclasses import dataclass, field

from app.domain.memory import JsonObject, MemoryDraft


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One turn. `content` is plain text; blocks were joined by the interface that took them in."""

    role: str
    content: str
    name: str = ""
    created_ms: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Trajectory:
    """A conversation or an agent's run, with a score in 0..1 of how well it went, if anyone judged it."""

    messages: tuple[Message, ...]
    score: float | None = None
    task_id: str = ""
    metadata: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """One call of a tool, as the 0.2 API describes it. `time_cost_s` is in seconds."""

    tool_name: str
    input: JsonObject | str
    output: str
    success: bool
    create_time: str = ""
    token_cost: int = 0
    time_cost_s: float = 0.0
    metadata: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Extraction:
    """What an extractor made of a trajectory, and which extractor it was ("rule", or a model's name)."""

    drafts: tuple[MemoryDraft, ...]
    extractor: str

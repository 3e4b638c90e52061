"""What clients hand over to be remembered: messages, trajectories and tool calls."""

from dataclasses import dataclass, field
from enum import StrEnum

from app.domain.memory import JsonObject, MemoryDraft
from app.errors import AnswerWithheld, MalformedAnswer, ModelError, ModelRefused, SpendCapReached

NO_MODEL, SPEND_CAP, UNAVAILABLE, REFUSED, MALFORMED, LENGTH, WITHHELD = (
    "no model",
    "spend cap",
    "unavailable",
    "refused",
    "malformed",
    "length",
    "withheld",
)
"""Why a model did not do what it could have done. `LENGTH` says that a text has more parts than are asked for at
once, `WITHHELD` that content moderation refuses what the model answered."""


class Trust(StrEnum):
    """Whose words a text is made of: the speaking person's, the agent's, or a tool's, which anyone may feed."""

    USER = "user"
    AGENT = "agent"
    TOOL = "tool"

    @property
    def rank(self) -> int:
        """How far it is to be doubted: 0 for the user."""
        return list(Trust).index(self)


def trust_of(role: str) -> Trust:
    """The trust in a message by its role; roles that are not known are doubted like a tool."""
    return {"user": Trust.USER, "assistant": Trust.AGENT}.get(role, Trust.TOOL)


def why_skipped(failure: ModelError) -> str:
    """One of the words above for a model's failure."""
    match failure:
        case SpendCapReached():
            return SPEND_CAP
        case MalformedAnswer():
            return MALFORMED
        case AnswerWithheld():
            return WITHHELD
        case ModelRefused():
            return REFUSED
    return UNAVAILABLE


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
    """What an extractor made of a trajectory, and which extractor it was ("rule", or "model:" and its name).

    `skipped` says why a model was not asked or failed, empty where it did all; from line `skipped_from` on (counted
    as in a draft's origin) the drafts are those of the rules then.
    """

    drafts: tuple[MemoryDraft, ...]
    extractor: str
    skipped: str = ""
    skipped_from: int = 1

"""What language models are asked and what they answer."""

from dataclasses import dataclass, field
from enum import StrEnum

from app.domain.embedding import Vector
from app.domain.memory import JsonObject
from app.domain.usage import NO_TOKENS, TokenUsage


class ModelTask(StrEnum):
    """The operations that call a language model (requirements §5.2), by the names of the cost planner."""

    PERSONAL = "personal"
    TASK = "task"
    TOOL = "tool"
    RERANK = "rerank"
    COMPRESSION = "compression"


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """One question to a model. With a JSON `schema` the answer is a value that it allows, else plain text."""

    task: ModelTask
    system: str
    user: str
    schema: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a model said. `value` is the JSON that fits the prompt's schema, None where it has none.

    `usage` sums all attempts that the provider counted, malformed answers that were asked again included.
    """

    text: str
    value: object = None
    model: str = ""
    usage: TokenUsage = NO_TOKENS


@dataclass(frozen=True, kw_only=True, slots=True)
class Embedded:
    """Vectors (n, dimensions), float32, of unit length, and the tokens that the provider counted for them."""

    vectors: Vector
    usage: TokenUsage = NO_TOKENS

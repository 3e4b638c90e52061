"""What is handed in and what comes back: frozen dataclasses. Times are aware datetimes in UTC, money is Decimal."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias

MemoryType: TypeAlias = Literal["personal", "task", "tool", "working"]
"""What a memory is about: a person, a way to do a task, a tool's behaviour, or a running context."""
SearchMode: TypeAlias = Literal["hybrid", "vector", "keyword", "exact"]
"""By meaning and words, by one of them, or by meaning against every memory."""
JsonObject: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where a text stands: a document or conversation (`path`), and the lines or turns in it."""

    path: str = ""
    source: str = "memory"
    start_line: int = 0
    end_line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class NewMemory:
    """A memory to keep.

    `when_to_use` is what searches compare where it is given, else `content` is. `slot` names the one thing that this
    states ("home"): a newer memory of the same user and slot supersedes an older one.
    """

    content: str
    type: MemoryType = "personal"
    when_to_use: str = ""
    user_id: str = ""
    author: str = ""
    tags: tuple[str, ...] = ()
    metadata: JsonObject = field(default_factory=dict)
    details: JsonObject = field(default_factory=dict)
    score: float = 0.0
    slot: str = ""
    origin: Origin = Origin()
    source_ids: tuple[str, ...] = ()
    valid_from: datetime | None = None
    valid_to: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryRecord:
    """A stored memory.

    `layer` is "raw" for what was said and "distilled" for what was made of it. `version` counts changes from 1;
    `superseded` says that a newer statement or revision stands in its place.
    """

    id: str
    workspace_id: str
    type: MemoryType
    layer: Literal["raw", "distilled"]
    content: str
    when_to_use: str
    user_id: str
    author: str
    tags: tuple[str, ...]
    metadata: JsonObject
    details: JsonObject
    score: float
    frequency: int
    utility: float
    origin: Origin
    source_ids: tuple[str, ...]
    slot: str
    created_at: datetime
    updated_at: datetime
    valid_from: datetime
    valid_to: datetime | None
    superseded: bool
    revision_of: str
    version: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Added:
    """What became of a memory: "created", or "duplicate" of one that was there. `replayed`: a repeated request."""

    state: str
    memory: MemoryRecord
    superseded_ids: tuple[str, ...]
    replayed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of one memory of several."""

    state: str
    id: str
    superseded_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """A found memory with its score in 0..1; `similarity` is the cosine, where vectors were compared."""

    memory: MemoryRecord
    score: float
    similarity: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchResult:
    """What a search found, best first, and the milliseconds that it took in the service.

    `degraded` says why words alone were searched for: the embedding model failed.
    """

    hits: tuple[Hit, ...]
    took_ms: float
    degraded: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One turn of a conversation; `role` is "user", "assistant" or "tool"."""

    role: str
    content: str
    name: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Remembered:
    """What a conversation left behind: the distilled memories that stand now, and the ids of what was said.

    `skipped` says why a model that should have distilled it did not; it does so later.
    """

    memories: tuple[MemoryRecord, ...]
    raw_ids: tuple[str, ...]
    inserted: int
    superseded_ids: tuple[str, ...]
    extractor: str
    skipped: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """One call of a tool and what became of it. `time_cost_s` is in seconds."""

    tool_name: str
    input: JsonObject | str = ""
    output: str = ""
    success: bool = True
    time_cost_s: float = 0.0
    token_cost: int = 0
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCallsRecorded:
    """How many calls came, name no tool, were there already, and were added."""

    received: int
    filtered: int
    deduplicated: int
    added: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolGuideline:
    """What is known of a tool."""

    tool_name: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Workspace:
    """A closed space of memories."""

    id: str
    name: str
    metadata: JsonObject
    created_at: datetime
    updated_at: datetime
    version: int


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageLine:
    """The use of one operation, with one model or none. `cost_usd` is None where no price is known."""

    operation: str
    model: str
    calls: int
    items: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What was used from the first to the last day ("2026-11-22", UTC), and what it cost at list prices."""

    from_day: str
    to_day: str
    cost_usd: Decimal | None
    lines: tuple[UsageLine, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportReport:
    """What became of an import. `rejected` lists lines that were left out, from 1, and why; at most a thousand."""

    read: int
    created: int
    duplicates: int
    rejected: tuple[tuple[int, str], ...]

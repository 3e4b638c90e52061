"""A memory, what a caller hands in to make one, and what it may change later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import TypeAlias
from unicodedata import normalize

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
JsonObject: TypeAlias = Mapping[str, Json]


class MemoryKind(StrEnum):
    """What a memory is about: a person, a way to do a task, a tool's behaviour, or a running context."""

    PERSONAL = "personal"
    TASK = "task"
    TOOL = "tool"
    WORKING = "working"


class Layer(StrEnum):
    """Raw is what was said, word for word; distilled is what an extractor made of it. Both are kept."""

    RAW = "raw"
    DISTILLED = "distilled"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """The workspace of a tenant: nothing is read or written outside one."""

    tenant_id: str
    workspace_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where a text came from: a document or conversation (`path`) and the lines or turns in it."""

    path: str = ""
    source: str = "memory"
    start_line: int = 0
    end_line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryDraft:
    """What a caller wants remembered.

    `id`, the times, `version` and `revision_of` are given only by an import; otherwise the store assigns them. An
    earlier revision repeats nothing and ends nothing: it only keeps what the memory that it names once said. `slot`
    names the one thing that this states ("name", "home"): a newer memory of the same user and slot
    supersedes an older one. `details` carries what only one kind has (a tool's call results,
    a personal memory's target), `metadata` what the caller filters by.
    """

    kind: MemoryKind
    content: str
    layer: Layer = Layer.DISTILLED
    when_to_use: str = ""
    user_id: str = ""
    author: str = ""
    tags: tuple[str, ...] = ()
    metadata: JsonObject = field(default_factory=dict)
    details: JsonObject = field(default_factory=dict)
    score: float = 0.0
    frequency: int = 0
    utility: float = 0.0
    origin: Origin = Origin()
    source_ids: tuple[str, ...] = ()
    slot: str = ""
    id: str = ""
    created_ms: int | None = None
    updated_ms: int | None = None
    valid_from_ms: int | None = None
    valid_to_ms: int | None = None
    revision_of: str = ""
    version: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """A stored memory. Times are milliseconds since 1970 in UTC.

    `seq` grows with every write of the store and never repeats, `version` counts the changes of
    this memory from 1, `hlc` is the hybrid logical clock of the last write and `node_id` the store
    that made it. `valid_from_ms` to `valid_to_ms` is when the statement holds; `superseded` says
    that a newer statement or a newer revision stands in its place, and `revision_of` names the
    memory whose earlier text this row keeps.
    """

    id: str
    scope: Scope
    kind: MemoryKind
    layer: Layer
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
    created_ms: int
    updated_ms: int
    valid_from_ms: int
    valid_to_ms: int | None
    deleted_ms: int | None
    superseded: bool
    revision_of: str
    seq: int
    version: int
    hlc: int
    node_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryPatch:
    """The fields of a memory that may change; None leaves a field as it is. `clears_valid_to` takes the end away."""

    content: str | None = None
    when_to_use: str | None = None
    author: str | None = None
    tags: tuple[str, ...] | None = None
    metadata: JsonObject | None = None
    details: JsonObject | None = None
    score: float | None = None
    valid_to_ms: int | None = None
    clears_valid_to: bool = False

    @property
    def changes_text(self) -> bool:
        """Whether the patch changes what is searched, so that the earlier text must be kept for `as_of`."""
        return self.content is not None or self.when_to_use is not None


def embedded_text(when_to_use: str, content: str) -> str:
    """The text whose vector stands for a memory: when to use it, if that is stated, else its content.

    Clients of the 0.2 API rely on `when_to_use` being what is compared (upstream's behaviour).
    """
    return when_to_use or content


def changed_text(memory: Memory, patch: MemoryPatch) -> str | None:
    """The text whose vector stands for a memory after a patch; None where it stays what it was."""
    text = embedded_text(
        memory.when_to_use if patch.when_to_use is None else patch.when_to_use,
        memory.content if patch.content is None else patch.content,
    )
    return None if text == embedded_text(memory.when_to_use, memory.content) else text


def normalise_text(text: str) -> str:
    """The form in which two texts count as the same: NFKC, one space between words, no case."""
    return " ".join(normalize("NFKC", text).casefold().split())


def content_hash(draft: MemoryDraft) -> str:
    """The SHA-256 (hex) by which an exact duplicate is known.

    A raw text is a duplicate only at the same place of the same source, since the same word said
    twice was said twice; a distilled one is a duplicate wherever it came from.
    """
    parts = [
        draft.kind.value,
        draft.layer.value,
        draft.user_id,
        normalise_text(draft.when_to_use),
        normalise_text(draft.content),
    ]
    if draft.layer is Layer.RAW:
        parts += [draft.origin.path, draft.origin.source, str(draft.origin.start_line), str(draft.origin.end_line)]
    return sha256("\x1f".join(parts).encode()).hexdigest()

"""Bodies of requests under /v1. An unknown field is refused: a typing error, or an attempt to set what is ours."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from app.api.times import Moment
from app.domain.access import Role
from app.domain.memory import Layer, MemoryDraft, MemoryKind, MemoryPatch, Origin
from app.domain.query import SearchMode
from app.service.limits import (
    BATCH_CHANGES,
    CONTENT_CHARACTERS,
    FILTER_VALUES,
    NAME_CHARACTERS,
    PATH_CHARACTERS,
    SOURCES,
    TAG_CHARACTERS,
    TAGS,
)

Name = Annotated[str, Field(max_length=NAME_CHARACTERS)]
MemoryId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", examples=["019abc7e51d87f3c9f0e6c1b2a3d4e5f"])]
Tag = Annotated[str, Field(min_length=1, max_length=TAG_CHARACTERS)]
ScalarValue = StrictBool | StrictInt | StrictFloat | StrictStr
JsonMap = Annotated[dict[str, Any], Field(description="A JSON object.")]
LINE = 2**63 - 1


class RequestBody(BaseModel):
    """What every body has in common."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class OriginIn(RequestBody):
    """Where the text stands: a document or conversation, and the lines or turns in it."""

    path: Annotated[str, Field(max_length=PATH_CHARACTERS)] = ""
    source: Name = "memory"
    start_line: Annotated[int, Field(ge=0, le=LINE)] = 0
    end_line: Annotated[int, Field(ge=0, le=LINE)] = 0


class MemoryIn(RequestBody):
    """A memory to keep. `when_to_use` is what searches compare, where it is given; else `content` is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "personal",
                    "content": "Prefers coffee without sugar",
                    "user_id": "ada",
                    "tags": ["drinks"],
                    "metadata": {"confidence": 0.9},
                }
            ]
        }
    )

    type: MemoryKind
    content: Annotated[str, Field(min_length=1, max_length=CONTENT_CHARACTERS)]
    when_to_use: Annotated[str, Field(max_length=CONTENT_CHARACTERS)] = ""
    layer: Layer = Layer.DISTILLED
    user_id: Name = ""
    author: Name = ""
    tags: Annotated[tuple[Tag, ...], Field(max_length=TAGS)] = ()
    metadata: JsonMap = {}
    details: JsonMap = {}
    score: float = 0.0
    slot: Annotated[Name, Field(description="What this states, e.g. `home`: a newer one supersedes an older one.")] = ""
    origin: OriginIn = OriginIn()
    source_ids: Annotated[tuple[MemoryId, ...], Field(max_length=SOURCES)] = ()
    valid_from: Moment | None = None
    valid_to: Moment | None = None

    def draft(self) -> MemoryDraft:
        """The memory as the service takes it."""
        return MemoryDraft(
            kind=self.type,
            content=self.content,
            layer=self.layer,
            when_to_use=self.when_to_use,
            user_id=self.user_id,
            author=self.author,
            tags=self.tags,
            metadata=self.metadata,
            details=self.details,
            score=self.score,
            slot=self.slot,
            origin=Origin(
                path=self.origin.path,
                source=self.origin.source,
                start_line=self.origin.start_line,
                end_line=self.origin.end_line,
            ),
            source_ids=self.source_ids,
            valid_from_ms=self.valid_from,
            valid_to_ms=self.valid_to,
        )


class BatchIn(RequestBody):
    """Memories that are kept all or none."""

    memories: Annotated[list[MemoryIn], Field(min_length=1, max_length=BATCH_CHANGES)]


class MemoryPatchIn(RequestBody):
    """The fields to change; what is left out stays. `version` is refused unless it is the memory's current one.

    A `valid_to` of null takes the end away.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"content": "Prefers tea", "version": 1}]})

    content: Annotated[str, Field(min_length=1, max_length=CONTENT_CHARACTERS)] | None = None
    when_to_use: Annotated[str, Field(max_length=CONTENT_CHARACTERS)] | None = None
    author: Name | None = None
    tags: Annotated[list[Tag], Field(max_length=TAGS)] | None = None
    metadata: JsonMap | None = None
    details: JsonMap | None = None
    score: float | None = None
    valid_to: Moment | None = None
    version: Annotated[int, Field(ge=1, le=LINE)] | None = None

    def patch(self) -> MemoryPatch:
        """The change as the service takes it."""
        return MemoryPatch(
            content=self.content,
            when_to_use=self.when_to_use,
            author=self.author,
            tags=None if self.tags is None else tuple(self.tags),
            metadata=self.metadata,
            details=self.details,
            score=self.score,
            valid_to_ms=self.valid_to,
            clears_valid_to=self.valid_to is None and "valid_to" in self.model_fields_set,
        )


class UseIn(RequestBody):
    """Memories that were used, and what each use was worth."""

    ids: Annotated[list[MemoryId], Field(min_length=1, max_length=BATCH_CHANGES)]
    utility: Annotated[float, Field(examples=[1.0])] = 0.0


class UnusedIn(RequestBody):
    """What counts as not worth keeping: used `frequency_threshold` times, worth less than `utility_threshold` a use."""

    types: tuple[MemoryKind, ...] = ()
    frequency_threshold: Annotated[int, Field(ge=0, le=LINE, examples=[5])]
    utility_threshold: Annotated[float, Field(examples=[0.5])]


class PurgeIn(RequestBody):
    """What to erase for good: tombstones older than a moment, all of one user, or everything; exactly one of them."""

    model_config = ConfigDict(
        json_schema_extra={"minProperties": 1, "maxProperties": 1, "examples": [{"user_id": "ada"}]}
    )

    deleted_before: Moment | None = None
    user_id: Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS)] | None = None
    everything: Literal[True] | None = None


class ConditionIn(RequestBody):
    """Comparisons with one value of a memory's metadata; all must hold."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "examples": [{"gte": 3, "lt": 9}]})

    eq: ScalarValue | None = None
    ne: ScalarValue | None = None
    gt: ScalarValue | None = None
    gte: ScalarValue | None = None
    lt: ScalarValue | None = None
    lte: ScalarValue | None = None
    in_: Annotated[list[ScalarValue] | None, Field(alias="in", min_length=1, max_length=FILTER_VALUES)] = None
    exists: StrictBool | None = None


class FilterIn(RequestBody):
    """Which memories are considered; every part that is given must hold. All `tags` must be there, else any will do."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "types": ["task"],
                    "tags": ["deploy"],
                    "since": "2026-01-01T00:00:00Z",
                    "metadata": {"project": "atlas", "priority": {"gte": 3, "lt": 9}, "reviewed": {"exists": True}},
                }
            ]
        }
    )

    types: tuple[MemoryKind, ...] = ()
    layers: tuple[Layer, ...] = ()
    authors: Annotated[tuple[Name, ...], Field(max_length=FILTER_VALUES)] = ()
    users: Annotated[tuple[Name, ...], Field(max_length=FILTER_VALUES)] = ()
    tags: Annotated[tuple[Tag, ...], Field(max_length=TAGS)] = ()
    since: Moment | None = None
    until: Moment | None = None
    metadata: dict[Annotated[str, Field(min_length=1, max_length=64)], ScalarValue | ConditionIn] = {}


class SearchIn(RequestBody):
    """A search. `mode` exact compares every vector; `explain` tells how each score came about."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"query": "what does Ada drink?", "top_k": 5, "types": ["personal"]}]}
    )

    query: Annotated[str, Field(min_length=1, max_length=CONTENT_CHARACTERS)]
    top_k: Annotated[int, Field(ge=1, le=200)] = 10
    types: tuple[MemoryKind, ...] = ()
    filter: FilterIn | None = None
    min_score: Annotated[float, Field(ge=0, le=1)] = 0.0
    mode: SearchMode = SearchMode.HYBRID
    as_of: Moment | None = None
    half_life_days: Annotated[float, Field(gt=0, le=36_500)] | None = None
    mmr_lambda: Annotated[float, Field(ge=0, le=1)] | None = None
    dates: bool = True
    hops: Annotated[int, Field(ge=1, le=2)] = 1
    rerank: bool | None = None
    explain: bool = False


class BlockIn(BaseModel):
    """A part of a message's content; only text is read."""

    model_config = ConfigDict(extra="allow")

    type: str = "text"
    text: str = ""


class MessageIn(RequestBody):
    """One turn of a conversation."""

    role: Annotated[str, Field(min_length=1, max_length=32, examples=["user"])]
    content: Annotated[str, Field(max_length=CONTENT_CHARACTERS, examples=["I like coffee"])] | list[BlockIn]
    name: Name = ""
    created_at: Moment | None = None


class ConversationIn(RequestBody):
    """A conversation to remember: what was said is kept as raw memories, what it tells as distilled ones."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kind": "personal", "user_id": "ada", "messages": [{"role": "user", "content": "I like coffee"}]}
            ]
        }
    )

    kind: Annotated[Literal["personal", "task"], Field(description="What to learn: about a person, or about a task.")]
    messages: Annotated[list[MessageIn], Field(min_length=1, max_length=BATCH_CHANGES)]
    user_id: Name = ""
    score: Annotated[float, Field(ge=0, le=1)] | None = None
    task_id: Name = ""
    metadata: JsonMap = {}


class WorkspaceIn(RequestBody):
    """A workspace to make."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$", examples=["tenant-a:project-1"])]
    name: Name = ""
    metadata: JsonMap = {}


class WorkspacePatchIn(RequestBody):
    """What to change of a workspace."""

    name: Name | None = None
    metadata: JsonMap | None = None


class UserIn(RequestBody):
    """A person whom memories are about."""

    id: Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS, examples=["ada"])]
    name: Name = ""
    metadata: JsonMap = {}


class UserPatchIn(RequestBody):
    """What to change of a user."""

    name: Name | None = None
    metadata: JsonMap | None = None


class KeyIn(RequestBody):
    """A key to issue. `workspaces` lists ids, prefixes that end in `*`, or `*`; `days` until it expires."""

    name: Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS, examples=["batch loader"])]
    role: Role
    workspaces: Annotated[list[str], Field(min_length=1, max_length=100, examples=[["tenant-a:*"]])]
    tenant: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    days: Annotated[int, Field(ge=1, le=3650)] | None = None

"""Principals, drafts and trajectories as JSON, for work that is done later, and back."""

from dataclasses import asdict
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.domain.access import Principal, Role
from app.domain.conversation import Message, Trajectory
from app.domain.memory import JsonObject, Layer, MemoryDraft, MemoryKind, Origin
from app.errors import InvalidRequest
from app.service.limits import LARGEST_VERSION

MOST_TRAJECTORIES = 1_000


def write_principal(principal: Principal) -> JsonObject:
    """A principal as JSON; a principal has no secret."""
    return {**asdict(principal), "role": principal.role.value, "workspaces": list(principal.workspaces)}


def read_principal(value: object) -> Principal:
    """The principal that was written."""
    return Principal(**dict(_read(_Principal, value)))


def write_draft(draft: MemoryDraft) -> JsonObject:
    """A draft as JSON, to be handed to `Jobs.submit` in `{"drafts": [...]}`."""
    return {
        **asdict(draft),
        "kind": draft.kind.value,
        "layer": draft.layer.value,
        "tags": list(draft.tags),
        "source_ids": list(draft.source_ids),
    }


def read_drafts(payload: JsonObject) -> tuple[MemoryDraft, ...]:
    """The drafts of `{"drafts": [...]}`, or `InvalidRequest` naming the field; a draft's fields are those of ours."""
    return tuple(
        MemoryDraft(**{**dict(draft), "origin": Origin(**dict(draft.origin))})
        for draft in _read(_Drafts, payload).drafts
    )


def write_trajectory(trajectory: Trajectory) -> JsonObject:
    """A trajectory as JSON, to be handed to `Jobs.submit` in `{"trajectories": [...]}`."""
    return {**asdict(trajectory), "messages": [asdict(message) for message in trajectory.messages]}


def read_trajectories(payload: JsonObject) -> tuple[tuple[Trajectory, ...], str]:
    """The trajectories and the user id of `{"trajectories": [...], "user_id": ""}`, or `InvalidRequest`."""
    read = _read(_Conversation, payload)
    if not 1 <= len(read.trajectories) <= MOST_TRAJECTORIES:
        raise InvalidRequest(
            f"{len(read.trajectories):,} trajectories are not allowed: give 1 to {MOST_TRAJECTORIES:,} at a time"
        )
    trajectories = tuple(
        Trajectory(
            messages=tuple(Message(**dict(message)) for message in trajectory.messages),
            score=trajectory.score,
            task_id=trajectory.task_id,
            metadata=trajectory.metadata,
        )
        for trajectory in read.trajectories
    )
    return trajectories, read.user_id


class _Strict(BaseModel):
    """Unknown fields are refused: work that is done later has nobody to tell of a misspelt one."""

    model_config = ConfigDict(extra="forbid")


class _Principal(_Strict):
    key_id: str
    name: str
    tenant_id: str
    role: Role
    workspaces: tuple[str, ...]


class _Origin(_Strict):
    path: str = ""
    source: str = "memory"
    start_line: int = 0
    end_line: int = 0


class _Draft(_Strict):
    kind: MemoryKind
    content: str
    layer: Layer = Layer.DISTILLED
    when_to_use: str = ""
    user_id: str = ""
    author: str = ""
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}
    details: dict[str, Any] = {}
    score: float = 0.0
    frequency: int = 0
    utility: float = 0.0
    origin: _Origin = _Origin()
    source_ids: tuple[str, ...] = ()
    slot: str = ""
    id: str = ""
    created_ms: int | None = None
    updated_ms: int | None = None
    valid_from_ms: int | None = None
    valid_to_ms: int | None = None
    revision_of: str = ""
    version: Annotated[int, Field(ge=1, le=LARGEST_VERSION)] = 1


class _Drafts(_Strict):
    drafts: tuple[_Draft, ...]


class _Message(_Strict):
    role: str
    content: str
    name: str = ""
    created_ms: int | None = None


class _Trajectory(_Strict):
    messages: tuple[_Message, ...]
    score: float | None = None
    task_id: str = ""
    metadata: dict[str, Any] = {}


class _Conversation(_Strict):
    trajectories: tuple[_Trajectory, ...]
    user_id: str = ""


M = TypeVar("M", bound=BaseModel)


def _read(model: type[M], value: object) -> M:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "payload"
        raise InvalidRequest(f"{field}: {first['msg']}") from None

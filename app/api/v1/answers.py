"""Answers under /v1: what is written, and the models that describe it in the OpenAPI document.

The functions write plain dictionaries, since validating what this service made itself costs more than making it.
A test holds each of them against its model.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.api.times import write_moment
from app.domain.change import ChangeState, Committed
from app.domain.memory import Layer, Memory, MemoryKind
from app.domain.query import Hit, SearchMode, SearchResult
from app.service.conversations import Remembered

MOMENT = Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-22T11:52:21.390Z"])
MEMORY_ID = "019abc7e51d87f3c9f0e6c1b2a3d4e5f"


class Answer(BaseModel):
    """What every answer has in common: no field beside those declared."""

    model_config = ConfigDict(extra="forbid")


class OriginOut(Answer):
    """Where a text stands."""

    path: str
    source: str
    start_line: int
    end_line: int


class MemoryOut(Answer):
    """A stored memory."""

    id: str = Field(examples=[MEMORY_ID])
    workspace_id: str = Field(examples=["tenant-a:project-1"])
    type: MemoryKind
    layer: Layer
    content: str = Field(examples=["Prefers coffee without sugar"])
    when_to_use: str
    user_id: str = Field(examples=["ada"])
    author: str
    tags: list[str]
    metadata: dict[str, Any]
    details: dict[str, Any]
    score: float
    frequency: int
    utility: float
    origin: OriginOut
    source_ids: list[str]
    slot: str
    created_at: str = MOMENT
    updated_at: str = MOMENT
    valid_from: str = MOMENT
    valid_to: str | None = Field(json_schema_extra={"format": "date-time"})
    superseded: bool
    revision_of: str
    version: int = Field(examples=[1])


def write_memory(memory: Memory) -> dict[str, Any]:
    """A `MemoryOut`."""
    origin = memory.origin
    return {
        "id": memory.id,
        "workspace_id": memory.scope.workspace_id,
        "type": memory.kind.value,
        "layer": memory.layer.value,
        "content": memory.content,
        "when_to_use": memory.when_to_use,
        "user_id": memory.user_id,
        "author": memory.author,
        "tags": memory.tags,
        "metadata": memory.metadata,
        "details": memory.details,
        "score": memory.score,
        "frequency": memory.frequency,
        "utility": memory.utility,
        "origin": {
            "path": origin.path,
            "source": origin.source,
            "start_line": origin.start_line,
            "end_line": origin.end_line,
        },
        "source_ids": memory.source_ids,
        "slot": memory.slot,
        "created_at": write_moment(memory.created_ms),
        "updated_at": write_moment(memory.updated_ms),
        "valid_from": write_moment(memory.valid_from_ms),
        "valid_to": None if memory.valid_to_ms is None else write_moment(memory.valid_to_ms),
        "superseded": memory.superseded,
        "revision_of": memory.revision_of,
        "version": memory.version,
    }


class MemoryPage(Answer):
    """Memories, oldest first; an empty `next_cursor` says that this is the last page."""

    items: list[MemoryOut]
    next_cursor: str


class AddedOut(Answer):
    """A memory that was added, or was there already."""

    state: ChangeState
    memory: MemoryOut
    superseded_ids: list[str]
    replayed: bool


class OutcomeOut(Answer):
    """What became of one memory of a batch."""

    state: ChangeState
    id: str = Field(examples=[MEMORY_ID])
    superseded_ids: list[str]


class BatchOut(Answer):
    """What became of a batch. `replayed` says that the Idempotency-Key was seen before and nothing was written."""

    outcomes: list[OutcomeOut]
    states: dict[str, int] = Field(examples=[{"created": 2, "duplicate": 1}])
    replayed: bool


def write_batch(committed: Committed) -> dict[str, Any]:
    """A `BatchOut`."""
    return {
        "outcomes": [
            {"state": outcome.state.value, "id": outcome.memory_id, "superseded_ids": outcome.superseded_ids}
            for outcome in committed.outcomes
        ],
        "states": {state.value: count for state, count in committed.states.items()},
        "replayed": committed.replayed,
    }


class MemoriesOut(Answer):
    """Memories as they now are."""

    memories: list[MemoryOut]


class IdsOut(Answer):
    """Ids of memories."""

    ids: list[str]


class ErasedOut(Answer):
    """How many memories were erased for good."""

    erased: int = Field(examples=[12])


class RememberedOut(Answer):
    """What was made of a conversation, and by which extractor: "rule", or "model:" and its name."""

    memories: list[MemoryOut]
    raw_ids: list[str]
    inserted: int
    superseded_ids: list[str]
    extractor: str = Field(examples=["rule"])
    skipped: str = Field(examples=[""])


class ExplanationOut(Answer):
    """How a score came about; ranks count from 1, null where a leg did not find the memory."""

    similarity: float | None
    vector_rank: int | None
    keyword: float | None
    keyword_rank: int | None
    fused: float
    decay: float
    in_period: bool
    hop: int


class HitOut(Answer):
    """A found memory with its score in 0..1."""

    memory: MemoryOut
    score: float = Field(examples=[0.91])
    similarity: float | None
    explanation: ExplanationOut | None


class SearchOut(Answer):
    """What a search found, best first, and the milliseconds that it and its legs took.

    `degraded` is there where no vector could be made, so that keywords answered: the slug of the error.
    """

    hits: list[HitOut]
    mode: SearchMode
    took_ms: float
    reranker: str
    reranker_reason: str
    legs_ms: dict[str, float] = Field(examples=[{"embed": 1.1, "vector": 0.6, "keyword": 0.4, "fetch": 0.2}])
    degraded: str = Field("", examples=["model-unavailable"])


def write_remembered(remembered: Remembered) -> dict[str, Any]:
    """A `RememberedOut`."""
    return {
        "memories": [write_memory(memory) for memory in remembered.memories],
        "raw_ids": remembered.raw_ids,
        "inserted": remembered.inserted,
        "superseded_ids": remembered.superseded_ids,
        "extractor": remembered.extractor,
        "skipped": remembered.skipped,
    }


def write_search(result: SearchResult) -> dict[str, Any]:
    """A `SearchOut`."""
    return {
        "hits": [_write_hit(hit) for hit in result.hits],
        "mode": result.mode.value,
        "reranker": result.reranker,
        "reranker_reason": result.reranker_reason,
        "took_ms": round(result.took_ms, 3),
        "legs_ms": {leg: round(duration_ms, 3) for leg, duration_ms in result.legs_ms.items()},
        **({"degraded": result.degraded} if result.degraded else {}),
    }


def _write_hit(hit: Hit) -> dict[str, Any]:
    explanation = hit.explanation
    return {
        "memory": write_memory(hit.memory),
        "score": hit.score,
        "similarity": hit.similarity,
        "explanation": None
        if explanation is None
        else {
            "similarity": explanation.similarity,
            "vector_rank": explanation.vector_rank,
            "keyword": explanation.keyword,
            "keyword_rank": explanation.keyword_rank,
            "fused": explanation.fused,
            "decay": explanation.decay,
            "in_period": explanation.in_period,
            "hop": explanation.hop,
        },
    }

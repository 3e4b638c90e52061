"""A few jobs of the 0.4 API, as its TypeScript and Hermes clients call them: search, auto_memory and three probes."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from app.api.compat.bodies import Body, MessageBody
from app.api.compat.envelope import (
    FAILURES,
    NOTHING_TO_REMEMBER,
    Envelope,
    list_memories,
    name_extractor,
    open_call,
    reply_envelope,
)
from app.api.context import Call
from app.domain.conversation import Trajectory
from app.domain.query import Hit, MemoryFilter, SearchQuery
from app.errors import InvalidRequest

DAY = timedelta(days=1)

router = APIRouter(tags=["ReMe 0.4: jobs"], responses=FAILURES)


class SearchJobBody(Body):
    """A search; days are those on which a memory was made, both included."""

    query: str = Field(examples=["coffee"])
    limit: int = 5
    min_score: Annotated[float, Field(ge=0, le=1)] = 0.0
    tags: list[str] | None = None
    start_date: str | None = Field(default=None, examples=["2026-11-01"])
    end_date: str | None = Field(default=None, examples=["2026-11-30"])


class AutoMemoryBody(Body):
    """A conversation to remember."""

    messages: list[MessageBody]
    session_id: str | None = None
    memory_hint: str | None = None


@router.post("/search", operation_id="search", response_model=Envelope)
async def search(request: Request, body: SearchJobBody) -> Response:
    """Memories of every type that answer a query."""
    call, workspace_id = open_call(request, body.workspace_id)
    query = SearchQuery(
        text=body.query,
        top_k=body.limit,
        min_score=body.min_score,
        filter=MemoryFilter(
            tags=tuple(body.tags or ()),
            created_from_ms=_read_day("start_date", body.start_date),
            created_to_ms=_read_day("end_date", body.end_date, days=1),
        ),
        half_life_days=call.api.settings.search.half_life_days,
        explain=True,
    )
    hits = (await call.search(workspace_id, query)).hits
    answer = "\n\n".join(hit.memory.content for hit in hits) or "No relevant memories found"
    return reply_envelope(
        answer,
        {
            "results": [_write_hit(hit) for hit in hits],
            "link_expansion": [],
            "counts": {
                "vector": sum(hit.explanation is not None and hit.explanation.vector_rank is not None for hit in hits),
                "keyword": sum(
                    hit.explanation is not None and hit.explanation.keyword_rank is not None for hit in hits
                ),
                "returned": len(hits),
                "hybrid": len(hits),
            },
        },
    )


@router.post("/auto_memory", operation_id="auto_memory", response_model=Envelope)
async def auto_memory(request: Request, body: AutoMemoryBody) -> Response:
    """Remember what a conversation tells about the person in it."""
    call, workspace_id = open_call(request, body.workspace_id)
    messages = tuple(message.message() for message in body.messages)
    if not messages:
        raise InvalidRequest(NOTHING_TO_REMEMBER)
    trajectory = Trajectory(messages=messages, task_id=body.session_id or "")
    remembered = await call.run(
        lambda: call.services.conversations.remember_personal(call.principal, workspace_id, [trajectory])
    )
    return reply_envelope(
        f"Remembered {len(remembered.memories)} memories",
        {"memory_list": list_memories(remembered.memories), **name_extractor(remembered)},
    )


@router.post("/health_check", operation_id="health_check", response_model=Envelope)
async def health_check(request: Request) -> Response:
    """Whether the store and the embedder work."""
    call = Call(request)
    checks = await call.run(call.api.readiness.examine)
    healthy = all(outcome == "ok" for outcome in checks.values())
    health = {"version": call.api.facts["version"], "healthy": healthy, "components": checks}
    return reply_envelope("healthy" if healthy else "unhealthy", {"health": health}, success=healthy)


@router.post("/version", operation_id="version", response_model=Envelope)
async def version(request: Request) -> Response:
    """This service's version."""
    call = Call(request)
    return reply_envelope(call.api.facts["version"])


@router.post("/status", operation_id="status", response_model=Envelope)
async def status(request: Request, body: Body) -> Response:
    """What the workspace holds."""
    call, workspace_id = open_call(request, body.workspace_id)
    contents = await call.run(lambda: call.services.workspaces.contents(call.principal, workspace_id))
    memory = {"memories": contents.memories, "by_type": dict(contents.by_kind), "text_bytes": contents.text_bytes}
    return reply_envelope(f"{contents.memories} memories", {"memory": memory, **call.api.facts})


def _write_hit(hit: Hit) -> dict[str, Any]:
    memory, explanation = hit.memory, hit.explanation
    scores = {"score": hit.score}
    if explanation is not None and explanation.keyword is not None:
        scores["keyword"] = explanation.keyword
    if hit.similarity is not None:
        scores["vector"] = hit.similarity
    return {
        "id": memory.id,
        "text": memory.content,
        "metadata": {**memory.metadata, "memory_type": memory.kind.value},
        "path": memory.origin.path,
        "start_line": memory.origin.start_line,
        "end_line": memory.origin.end_line,
        "scores": scores,
    }


def _read_day(name: str, text: str | None, *, days: int = 0) -> int | None:
    """The first millisecond of a day in UTC, or of the day `days` after it."""
    if not text:
        return None
    try:
        moment = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) + days * DAY
    except (ValueError, OverflowError):
        raise InvalidRequest(f"{name} is {text[:40]!r}: write a day as YYYY-MM-DD") from None
    return round(moment.timestamp() * 1000)

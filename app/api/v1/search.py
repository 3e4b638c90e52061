"""Routes that find memories, and that make them of conversations."""

from fastapi import APIRouter, Request, Response

from app.api.context import Call
from app.api.replies import reply_json
from app.api.v1.answers import RememberedOut, SearchOut, write_memory, write_search
from app.api.v1.documentation import (
    WRITING,
    IdempotencyKey,
    WorkspaceId,
    make_receipt,
    problems,
)
from app.api.v1.filters import read_filter
from app.api.v1.requests import ConversationIn, MessageIn, SearchIn
from app.domain.conversation import Message, Trajectory
from app.domain.query import SearchQuery

router = APIRouter()


@router.post(
    "/v1/workspaces/{workspace_id}/search",
    tags=["search"],
    operation_id="search_memories",
    summary="Search",
    response_model=SearchOut,
    responses=problems(413),
)
async def search_memories(request: Request, workspace_id: WorkspaceId, body: SearchIn) -> Response:
    """Memories that answer a query, best first. Nothing found is an empty list."""
    call = Call(request, workspace_id)
    half_life_days = body.half_life_days
    if "half_life_days" not in body.model_fields_set:
        half_life_days = call.api.settings.search.half_life_days
    query = SearchQuery(
        text=body.query,
        top_k=body.top_k,
        mode=body.mode,
        filter=read_filter(body.filter, body.types),
        min_score=body.min_score,
        as_of_ms=body.as_of,
        half_life_days=half_life_days,
        mmr_lambda=body.mmr_lambda,
        dates=body.dates,
        hops=body.hops,
        rerank=call.api.settings.search.rerank if body.rerank is None else body.rerank,
        explain=body.explain,
    )
    return reply_json(write_search(await call.search(workspace_id, query)))


@router.post(
    "/v1/workspaces/{workspace_id}/conversations",
    tags=["conversations"],
    operation_id="remember_conversation",
    summary="Remember a conversation",
    response_model=RememberedOut,
    responses=problems(*WRITING),
)
async def remember_conversation(
    request: Request, workspace_id: WorkspaceId, body: ConversationIn, idempotency_key: IdempotencyKey = ""
) -> Response:
    """Keep what was said word for word, and what it tells about a person or a task."""
    call = Call(request, workspace_id)
    receipt = await make_receipt(request, idempotency_key)
    trajectory = Trajectory(
        messages=tuple(_read_message(message) for message in body.messages),
        score=body.score,
        task_id=body.task_id,
        metadata=body.metadata,
    )
    conversations = call.services.conversations
    if body.kind == "personal":
        remembered = await call.run(
            lambda: conversations.remember_personal(
                call.principal, workspace_id, [trajectory], user_id=body.user_id, receipt=receipt
            )
        )
    else:
        remembered = await call.run(
            lambda: conversations.remember_tasks(call.principal, workspace_id, [trajectory], receipt=receipt)
        )
    return reply_json(
        {
            "memories": [write_memory(memory) for memory in remembered.memories],
            "raw_ids": remembered.raw_ids,
            "inserted": remembered.inserted,
            "superseded_ids": remembered.superseded_ids,
            "extractor": remembered.extractor,
            "skipped": remembered.skipped,
        }
    )


def _read_message(message: MessageIn) -> Message:
    content = message.content
    if not isinstance(content, str):
        content = "\n".join(block.text for block in content if block.type == "text" and block.text)
    return Message(role=message.role, content=content, name=message.name, created_ms=message.created_at)

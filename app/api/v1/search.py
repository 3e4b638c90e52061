"""Routes that find memories, and that make them of conversations."""

from fastapi import APIRouter, Request, Response

from app.api.context import Call
from app.api.replies import reply_json
from app.api.v1.answers import RememberedOut, SearchOut, write_remembered, write_search
from app.api.v1.conversations import remember
from app.api.v1.documentation import (
    WRITING,
    IdempotencyKey,
    WorkspaceId,
    make_receipt,
    problems,
)
from app.api.v1.filters import read_query
from app.api.v1.requests import ConversationIn, SearchIn

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
    query = read_query(body, call.api.settings.search)
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
    conversations = call.services.conversations
    remembered = await call.run(lambda: remember(conversations, call.principal, workspace_id, body, receipt))
    return reply_json(write_remembered(remembered))

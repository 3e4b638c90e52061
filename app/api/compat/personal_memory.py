"""Endpoints of personal memory: what a person likes, is and said. The Java client speaks these two."""

from fastapi import APIRouter, Request, Response

from app.api.compat.bodies import QueryBody, SummaryBody
from app.api.compat.envelope import (
    FAILURES,
    NOTHING_TO_REMEMBER,
    Envelope,
    count_update,
    find,
    list_hits,
    list_memories,
    name_extractor,
    open_call,
    reply_envelope,
)
from app.api.v1.documentation import IdempotencyKey, make_receipt
from app.domain.memory import MemoryKind
from app.errors import InvalidRequest

router = APIRouter(tags=["ReMe 0.2: personal memory"], responses=FAILURES)


@router.post("/retrieve_personal_memory", operation_id="retrieve_personal_memory", response_model=Envelope)
async def retrieve_personal_memory(request: Request, body: QueryBody) -> Response:
    """Personal memories that answer a query: their texts, one a line, and the items."""
    call, workspace_id = open_call(request, body.workspace_id)
    hits = await find(call, workspace_id, MemoryKind.PERSONAL, body.query, body.top_k)
    return reply_envelope("\n".join(hit.memory.content for hit in hits), {"memory_list": list_hits(hits)})


@router.post("/summary_personal_memory", operation_id="summary_personal_memory", response_model=Envelope)
async def summary_personal_memory(
    request: Request, body: SummaryBody, idempotency_key: IdempotencyKey = ""
) -> Response:
    """Remember what conversations tell about a person; what was said is kept too."""
    call, workspace_id = open_call(request, body.workspace_id)
    trajectories = body.conversations()
    if not trajectories:
        raise InvalidRequest(NOTHING_TO_REMEMBER)
    receipt = await make_receipt(request, idempotency_key)
    remembered = await call.run(
        lambda: call.services.conversations.remember_personal(
            call.principal, workspace_id, trajectories, receipt=receipt
        )
    )
    return reply_envelope(
        "",
        {
            "memory_list": list_memories(remembered.memories),
            "deleted_memory_ids": remembered.superseded_ids,
            "update_result": count_update(deleted=remembered.superseded_ids, inserted=remembered.inserted),
            **name_extractor(remembered),
        },
    )

"""Endpoints of task memory: what helps when the same kind of task comes again."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from app.api.compat.bodies import AddTaskBody, DeleteBody, QueryBody, RecordBody, SummaryBody
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
from app.domain.change import ChangeState
from app.domain.memory import MemoryKind
from app.domain.query import Hit
from app.errors import InvalidRequest
from app.service.items import read_item

CONCLUSION = (
    "Please consider the helpful parts from these in answering the question, "
    "to make the response more comprehensive and substantial."
)

router = APIRouter(tags=["ReMe 0.2: task memory"], responses=FAILURES)


@router.post("/retrieve_task_memory", operation_id="retrieve_task_memory", response_model=Envelope)
async def retrieve_task_memory(request: Request, body: QueryBody) -> Response:
    """Task memories that answer a query, with when to use each."""
    call, workspace_id = open_call(request, body.workspace_id)
    hits = await find(call, workspace_id, MemoryKind.TASK, body.query, body.top_k)
    return reply_envelope(_describe(hits), {"memory_list": list_hits(hits)})


@router.post("/retrieve_task_memory_simple", operation_id="retrieve_task_memory_simple", response_model=Envelope)
async def retrieve_task_memory_simple(request: Request, body: QueryBody) -> Response:
    """The same memories as a list that goes before a question."""
    call, workspace_id = open_call(request, body.workspace_id)
    hits = await find(call, workspace_id, MemoryKind.TASK, body.query, body.top_k)
    entries = "".join(f"- {hit.memory.when_to_use} {hit.memory.content}\n\n" for hit in hits)
    answer = f"Previous Memory\n{entries}{CONCLUSION}" if hits else ""
    return reply_envelope(answer, {"memory_list": list_hits(hits)})


@router.post("/summary_task_memory", operation_id="summary_task_memory", response_model=Envelope)
async def summary_task_memory(request: Request, body: SummaryBody, idempotency_key: IdempotencyKey = "") -> Response:
    """Remember what runs tell about their tasks; `answer` is the list of memories as JSON in a text."""
    call, workspace_id = open_call(request, body.workspace_id)
    trajectories = body.conversations()
    if not trajectories:
        raise InvalidRequest(NOTHING_TO_REMEMBER)
    receipt = await make_receipt(request, idempotency_key)
    remembered = await call.run(
        lambda: call.services.conversations.remember_tasks(call.principal, workspace_id, trajectories, receipt=receipt)
    )
    items = list_memories(remembered.memories)
    return reply_envelope(
        to_json(items).decode(),
        {
            "memory_list": items,
            "update_result": count_update(deleted=remembered.superseded_ids, inserted=remembered.inserted),
            **name_extractor(remembered),
        },
    )


@router.post("/summary_task_memory_simple", operation_id="summary_task_memory_simple", response_model=Envelope)
async def summary_task_memory_simple(
    request: Request, body: SummaryBody, idempotency_key: IdempotencyKey = ""
) -> Response:
    """The same as /summary_task_memory; upstream's differs only in how it asks a model."""
    return await summary_task_memory(request, body, idempotency_key)


@router.post("/add_task_memory", operation_id="add_task_memory", response_model=Envelope)
async def add_task_memory(request: Request, body: AddTaskBody, idempotency_key: IdempotencyKey = "") -> Response:
    """Keep task memories as they are (the 0.3 API)."""
    call, workspace_id = open_call(request, body.workspace_id)
    receipt = await make_receipt(request, idempotency_key)
    drafts = [read_item({"memory_type": MemoryKind.TASK.value, **item}) for item in body.memory_list]
    for draft in drafts:
        if draft.kind is not MemoryKind.TASK:
            raise InvalidRequest(f"memory_type is {draft.kind.value!r}: this endpoint keeps task memories")
    committed = await call.run(
        lambda: call.services.memories.add(call.principal, workspace_id, drafts, receipt=receipt)
    )
    memories = [outcome.memory for outcome in committed.outcomes if outcome.memory is not None]
    superseded = [memory_id for outcome in committed.outcomes for memory_id in outcome.superseded_ids]
    return reply_envelope(
        "",
        {
            "memory_list": list_memories(memories),
            "update_result": count_update(deleted=superseded, inserted=committed.states.get(ChangeState.CREATED, 0)),
        },
    )


@router.post("/record_task_memory", operation_id="record_task_memory", response_model=Envelope)
async def record_task_memory(request: Request, body: RecordBody) -> Response:
    """Count a use of each memory, worth one where `update_utility` says so. Stored scores stay as they are."""
    call, workspace_id = open_call(request, body.workspace_id)
    memory_ids = [str(item.get("memory_id") or "") for item in body.memory_dicts]
    if not all(memory_ids):
        raise InvalidRequest("a memory of memory_dicts has no memory_id: send the items of a search")
    utility = 1.0 if body.update_utility else 0.0
    memories = (
        await call.run(
            lambda: call.services.memories.record_use(call.principal, workspace_id, memory_ids, utility=utility)
        )
        if memory_ids
        else ()
    )
    return reply_envelope(
        "",
        {
            "memory_list": list_memories(memories),
            "deleted_memory_ids": [],
            "update_result": count_update(inserted=len(memories)),
        },
    )


@router.post("/delete_task_memory", operation_id="delete_task_memory", response_model=Envelope)
async def delete_task_memory(request: Request, body: DeleteBody) -> Response:
    """Delete task memories with freq >= freq_threshold and utility / freq < utility_threshold."""
    call, workspace_id = open_call(request, body.workspace_id)
    ids = await call.run(
        lambda: call.services.memories.delete_unused(
            call.principal,
            workspace_id,
            kinds=(MemoryKind.TASK,),
            frequency_threshold=body.freq_threshold,
            utility_threshold=body.utility_threshold,
        )
    )
    return reply_envelope("", {"deleted_memory_ids": ids, "update_result": count_update(deleted=ids)})


def _describe(hits: Sequence[Hit]) -> str:
    return "\n".join(
        f"Memory {number} :\n When to use: {hit.memory.when_to_use}\n Content: {hit.memory.content}\n"
        for number, hit in enumerate(hits, start=1)
    )

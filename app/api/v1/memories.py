"""Routes of memories: one at a time, in batches, and what happens to them over time."""

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request, Response

from app.api.context import Call
from app.api.replies import reply_json
from app.api.times import Moment
from app.api.v1.answers import (
    AddedOut,
    BatchOut,
    ErasedOut,
    IdsOut,
    MemoriesOut,
    MemoryOut,
    MemoryPage,
    OutcomeOut,
    write_batch,
    write_memory,
)
from app.api.v1.documentation import (
    WRITING,
    Cursor,
    IdempotencyKey,
    Limit,
    MemoryId,
    WorkspaceId,
    make_receipt,
    problems,
    replay_headers,
)
from app.api.v1.jobs import reply_accepted, wants_job
from app.api.v1.requests import BatchIn, MemoryIn, MemoryPatchIn, PurgeIn, UnusedIn, UseIn
from app.api.v1.resources import JobOut
from app.domain.change import ChangeState
from app.domain.memory import JsonObject, Layer, Memory, MemoryKind
from app.domain.query import MemoryFilter
from app.errors import InvalidRequest, NotFound
from app.service.payloads import write_draft

MEMORIES = "/v1/workspaces/{workspace_id}/memories"
MEMORY = MEMORIES + "/{memory_id}"

router = APIRouter(tags=["memories"])

IfMatch = Annotated[
    str,
    Header(alias="If-Match", max_length=64, description='The ETag that was read, e.g. `"3"`; refused if it changed.'),
]


class GoneOut(OutcomeOut):
    """What became of an addition by a repeated request whose memory was deleted or erased since."""

    replayed: Literal[True]


def reply_memory(memory: Memory, status: int = 200) -> Response:
    """A memory with its version as ETag."""
    return reply_json(write_memory(memory), status, {"ETag": f'"{memory.version}"'})


def expected_version(if_match: str, version: int | None = None) -> int | None:
    """The version that a change insists on, from If-Match or from the body."""
    tag = if_match.strip()
    if tag in ("", "*"):
        return version
    number = tag[1:-1] if len(tag) > 2 and tag[0] == tag[-1] == '"' else ""
    if not (number.isascii() and number.isdigit()) or len(number) > 18:
        raise InvalidRequest(f'If-Match is {tag[:40]!r}: send one ETag as it was given, such as "3"')
    if version not in (None, int(number)):
        raise InvalidRequest(f"If-Match says version {number} and the body says {version}: send one of them")
    return int(number)


@router.get(
    MEMORIES,
    operation_id="list_memories",
    summary="List memories",
    response_model=MemoryPage,
    responses=problems(),
)
async def list_memories(
    request: Request,
    workspace_id: WorkspaceId,
    limit: Limit = 50,
    cursor: Cursor = "",
    type: Annotated[list[MemoryKind], Query()] = [],  # noqa: B006
    layer: Annotated[list[Layer], Query()] = [],  # noqa: B006
    author: Annotated[list[str], Query(max_length=100)] = [],  # noqa: B006
    user: Annotated[list[str], Query(max_length=100)] = [],  # noqa: B006
    tag: Annotated[list[str], Query(max_length=32, description="All of these tags.")] = [],  # noqa: B006
    since: Annotated[Moment | None, Query(description="Created at this moment or later.")] = None,
    until: Annotated[Moment | None, Query(description="Created before this moment.")] = None,
    superseded: Annotated[bool, Query(description="Also what a newer memory or revision replaced.")] = False,
) -> Response:
    """Live memories, oldest first. Of a repeated parameter any value will do, but all tags must be there."""
    call = Call(request, workspace_id)
    wanted = MemoryFilter(
        kinds=tuple(type),
        layers=tuple(layer),
        authors=tuple(author),
        user_ids=tuple(user),
        tags=tuple(tag),
        created_from_ms=since,
        created_to_ms=until,
    )
    call.check_limit(limit)
    page = await call.run(
        lambda: call.services.memories.scan(
            call.principal, workspace_id, wanted, limit=limit, cursor=cursor, superseded=superseded
        )
    )
    return reply_json({"items": [write_memory(memory) for memory in page.items], "next_cursor": page.next_cursor})


@router.post(
    MEMORIES,
    operation_id="add_memory",
    summary="Keep a memory",
    status_code=201,
    response_model=AddedOut | GoneOut,
    responses={200: {"model": AddedOut | GoneOut, "description": "It was there already."}, **problems(*WRITING)},
)
async def add_memory(
    request: Request, workspace_id: WorkspaceId, body: MemoryIn, idempotency_key: IdempotencyKey = ""
) -> Response:
    """Keep one memory, durably. Makes the workspace if it is missing.

    A repetition of a request whose memory was deleted or erased since tells the first outcome without the memory.
    """
    call = Call(request, workspace_id)
    receipt = await make_receipt(request, idempotency_key)
    committed = await call.run(
        lambda: call.services.memories.add(call.principal, workspace_id, [body.draft()], receipt=receipt)
    )
    outcome = committed.outcomes[0]
    memory = outcome.memory
    answer = {
        "state": outcome.state.value,
        "superseded_ids": outcome.superseded_ids,
        "replayed": committed.replayed,
        **({"id": outcome.memory_id} if memory is None else {"memory": write_memory(memory)}),
    }
    return reply_json(
        answer,
        201 if outcome.state is ChangeState.CREATED else 200,
        {
            "Location": f"/v1/workspaces/{workspace_id}/memories/{outcome.memory_id}",
            **({} if memory is None else {"ETag": f'"{memory.version}"'}),
            **replay_headers(committed.replayed),
        },
    )


@router.post(
    MEMORIES + ":batch",
    operation_id="add_memories",
    summary="Keep up to 1,000 memories, all or none",
    response_model=BatchOut,
    responses={
        202: {"model": JobOut, "description": "Accepted and durably queued; `Location` is the job."},
        **problems(*WRITING),
    },
)
async def add_memories(
    request: Request,
    workspace_id: WorkspaceId,
    body: BatchIn,
    idempotency_key: IdempotencyKey = "",
    prefer: Annotated[str, Header(max_length=255, description="`respond-async` queues the batch.")] = "",
) -> Response:
    """Keep a batch: when this answers with 200, all of it is on disk, or none.

    With `Prefer: respond-async` the batch is on disk as a job. A repetition with the same
    Idempotency-Key answers with that job; without one it queues another, which finds duplicates.
    """
    call = Call(request, workspace_id)
    receipt = await make_receipt(request, idempotency_key)
    drafts = [memory.draft() for memory in body.memories]
    if wants_job(prefer):
        payload: JsonObject = {"drafts": [write_draft(draft) for draft in drafts]}
        job = await call.run(
            lambda: call.services.jobs.submit(call.principal, workspace_id, "add", payload, receipt=receipt)
        )
        call.api.upkeep.wake()
        return reply_accepted(job)
    committed = await call.run(
        lambda: call.services.memories.add(call.principal, workspace_id, drafts, receipt=receipt)
    )
    return reply_json(write_batch(committed), 200, replay_headers(committed.replayed))


@router.post(
    MEMORIES + ":record-use",
    operation_id="record_use",
    summary="Count uses",
    response_model=MemoriesOut,
    responses=problems(*WRITING),
)
async def record_use(
    request: Request, workspace_id: WorkspaceId, body: UseIn, idempotency_key: IdempotencyKey = ""
) -> Response:
    """Count one use of each memory and what it was worth. Memories that are missing are left out of the answer."""
    call = Call(request, workspace_id)
    receipt = await make_receipt(request, idempotency_key)
    memories = await call.run(
        lambda: call.services.memories.record_use(
            call.principal, workspace_id, body.ids, utility=body.utility, receipt=receipt
        )
    )
    return reply_json({"memories": [write_memory(memory) for memory in memories]})


@router.post(
    MEMORIES + ":delete-unused",
    operation_id="delete_unused",
    summary="Delete what was not worth its uses",
    response_model=IdsOut,
    responses=problems(*WRITING),
)
async def delete_unused(request: Request, workspace_id: WorkspaceId, body: UnusedIn) -> Response:
    """Delete memories that were used often enough to judge and were worth too little; a repetition deletes no more."""
    call = Call(request, workspace_id)
    ids = await call.run(
        lambda: call.services.memories.delete_unused(
            call.principal,
            workspace_id,
            kinds=body.types,
            frequency_threshold=body.frequency_threshold,
            utility_threshold=body.utility_threshold,
        )
    )
    return reply_json({"ids": ids})


@router.get(
    MEMORY,
    operation_id="get_memory",
    summary="Read a memory",
    response_model=MemoryOut,
    responses=problems(),
)
async def get_memory(request: Request, workspace_id: WorkspaceId, memory_id: MemoryId) -> Response:
    """One memory with its version as ETag."""
    call = Call(request, workspace_id)
    return reply_memory(await call.run(lambda: call.services.memories.get(call.principal, workspace_id, memory_id)))


@router.patch(
    MEMORY,
    operation_id="update_memory",
    summary="Change a memory",
    response_model=MemoryOut,
    responses=problems(*WRITING),
)
async def update_memory(
    request: Request, workspace_id: WorkspaceId, memory_id: MemoryId, body: MemoryPatchIn, if_match: IfMatch = ""
) -> Response:
    """Change the fields that are given. With If-Match or `version` another's change in between is a 409."""
    call = Call(request, workspace_id)
    version = expected_version(if_match, body.version)
    return reply_memory(
        await call.run(
            lambda: call.services.memories.update(
                call.principal, workspace_id, memory_id, body.patch(), expected_version=version
            )
        )
    )


@router.delete(
    MEMORY,
    operation_id="delete_memory",
    summary="Delete a memory",
    status_code=204,
    responses=problems(409),
)
async def delete_memory(
    request: Request, workspace_id: WorkspaceId, memory_id: MemoryId, if_match: IfMatch = ""
) -> Response:
    """Delete a memory; it can be restored until retention purges it."""
    call = Call(request, workspace_id)
    version = expected_version(if_match)
    committed = await call.run(
        lambda: call.services.memories.delete(call.principal, workspace_id, [memory_id], expected_version=version)
    )
    if committed.outcomes[0].state is ChangeState.MISSING:
        raise NotFound(f"there is no memory {memory_id} in workspace {workspace_id!r}")
    return Response(status_code=204)


@router.post(
    MEMORY + "/restore",
    operation_id="restore_memory",
    summary="Take a deletion back",
    response_model=MemoryOut,
    responses=problems(*WRITING),
)
async def restore_memory(request: Request, workspace_id: WorkspaceId, memory_id: MemoryId) -> Response:
    """Restore a deleted memory; one that is there already is returned as it is."""
    call = Call(request, workspace_id)
    return reply_memory(await call.run(lambda: call.services.memories.restore(call.principal, workspace_id, memory_id)))


@router.post(
    "/v1/workspaces/{workspace_id}/purge",
    operation_id="purge_memories",
    summary="Erase for good",
    response_model=ErasedOut,
    responses=problems(*WRITING),
)
async def purge_memories(request: Request, workspace_id: WorkspaceId, body: PurgeIn) -> Response:
    """Erase text, vectors and index entries for good; this cannot be taken back."""
    call = Call(request, workspace_id)
    if [body.deleted_before, body.user_id, body.everything].count(None) != 2:
        raise InvalidRequest("say what to erase: one of deleted_before, user_id and everything")
    erased = await call.run(
        lambda: call.services.memories.purge(
            call.principal, workspace_id, deleted_before_ms=body.deleted_before, user_id=body.user_id
        )
    )
    return reply_json({"erased": erased})


@router.delete(
    MEMORIES,
    operation_id="erase_memories",
    summary="Erase all memories, or one user's, for good",
    response_model=ErasedOut,
    responses=problems(409),
)
async def erase_memories(
    request: Request,
    workspace_id: WorkspaceId,
    purge: Annotated[Literal["", "true", "1"], Query(description="Must be there: this cannot be taken back.")],  # noqa: ARG001
    user: Annotated[
        str | None, Query(min_length=1, max_length=128, description="Only what is about this user.")
    ] = None,
) -> Response:
    """The right to be forgotten as one request; the same as POST …/purge."""
    call = Call(request, workspace_id)
    erased = await call.run(lambda: call.services.memories.purge(call.principal, workspace_id, user_id=user))
    return reply_json({"erased": erased})

"""Routes that move whole workspaces as newline-delimited JSON, streamed both ways."""

import codecs
from collections.abc import AsyncIterator, Iterator

import anyio.from_thread
import anyio.to_thread
from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from app.api.context import Call
from app.api.replies import NDJSON, reply_json, write_line
from app.api.v1.documentation import WRITING, WorkspaceId, binary_body, problems
from app.api.v1.resources import ImportOut, write_import
from app.domain.memory import JsonObject
from app.errors import InvalidRequest
from app.service.transfers import LINE_CHARACTERS

CHUNK_BYTES = 65_536
MEDIA_TYPES = (NDJSON, "application/jsonl", "application/x-jsonlines")
EXAMPLE = (
    '{"workspace_id":"ws","memory_id":"019abc7e51d87f3c9f0e6c1b2a3d4e5f","memory_type":"task","when_to_use":"deploy",'
    '"content":"Drain the node first","score":0.0,"time_created":"2026-11-22 11:52:21",'
    '"time_modified":"2026-11-22 11:52:21","author":"","metadata":{"freq":0,"utility":0}}\n'
)

router = APIRouter(tags=["transfers"])


@router.get(
    "/v1/workspaces/{workspace_id}/export",
    operation_id="export_memories",
    summary="Export a workspace",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "One memory a line: the line of a 0.2 dump, with what is ours under `reme`.",
            "content": {NDJSON: {"schema": {"type": "string"}, "example": EXAMPLE}},
        },
        **problems(),
    },
)
async def export_memories(request: Request, workspace_id: WorkspaceId) -> Response:
    """Every live memory, what was superseded too, oldest first. If the answer breaks off, the connection is cut."""
    call = Call(request, workspace_id)
    lines = await call.run(lambda: call.services.transfers.export(call.principal, workspace_id))
    chunks = _gather(lines)
    first = await anyio.to_thread.run_sync(lambda: next(chunks, b""), limiter=call.api.transfers)
    return StreamingResponse(
        _stream(call, first, chunks),
        media_type=NDJSON,
        headers={"Content-Disposition": f'attachment; filename="{workspace_id}.jsonl"'},
    )


@router.post(
    "/v1/workspaces/{workspace_id}/import",
    operation_id="import_memories",
    summary="Import memories",
    response_model=ImportOut,
    responses=problems(415, *WRITING),
    openapi_extra=binary_body(MEDIA_TYPES, "Lines of an export, or of a dump of the 0.2 service."),
)
async def import_memories(request: Request, workspace_id: WorkspaceId) -> Response:
    """Add memories line by line, with their ids, times and counters. Repeating an import makes only duplicates."""
    call = Call(request, workspace_id)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if media_type not in MEDIA_TYPES:
        raise HTTPException(415, f"send the lines as {MEDIA_TYPES[0]}")
    body = request.stream().__aiter__()
    report = await anyio.to_thread.run_sync(
        lambda: call.services.transfers.import_lines(call.principal, workspace_id, _read_lines(body)),
        limiter=call.api.transfers,
    )
    return reply_json(write_import(report))


def _gather(lines: Iterator[JsonObject]) -> Iterator[bytes]:
    """Lines joined to chunks: a hop between threads for each line would cost more than the line."""
    chunk = bytearray()
    for line in lines:
        chunk += write_line(line)
        if len(chunk) >= CHUNK_BYTES:
            yield bytes(chunk)
            chunk.clear()
    if chunk:
        yield bytes(chunk)


async def _stream(call: Call, first: bytes, rest: Iterator[bytes]) -> AsyncIterator[bytes]:
    chunk = first
    while chunk:
        yield chunk
        chunk = await anyio.to_thread.run_sync(lambda: next(rest, b""), limiter=call.api.transfers)


def _read_lines(body: AsyncIterator[bytes]) -> Iterator[str]:
    """The lines of a body as it comes, read by a thread; nothing longer than the longest line is kept."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    rest = ""
    ended = False
    while not ended:
        try:
            chunk = anyio.from_thread.run(_next_chunk, body)
        except StopAsyncIteration:
            chunk, ended = b"", True
        try:
            *lines, rest = (rest + decoder.decode(chunk, final=ended)).split("\n")
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"the body is no valid UTF-8: {error.reason}") from None
        yield from lines
        if len(rest) > LINE_CHARACTERS:
            raise InvalidRequest(f"a line has more than {LINE_CHARACTERS:,} characters: send one memory a line")
    if rest:
        yield rest


async def _next_chunk(body: AsyncIterator[bytes]) -> bytes:
    return await anext(body)

"""Routes of working memory: shortening conversations, and the texts that were taken out of them."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import ConfigDict, Field
from starlette.responses import StreamingResponse

from app.api.context import Call
from app.api.replies import reply_json
from app.api.times import write_moment
from app.api.v1.answers import MOMENT, Answer
from app.api.v1.documentation import Cursor, Limit, WorkspaceId, problems
from app.api.v1.requests import LINE, Name, RequestBody
from app.domain.working import Offload, OffloadKind, Tier, WorkingMode
from app.service.working import Shortened

OFFLOADS = "/v1/workspaces/{workspace_id}/offloads"
OFFLOAD = OFFLOADS + "/{offload_id}"
TEXT = "text/plain"

router = APIRouter(tags=["working memory"])

Count = Annotated[int, Field(ge=1, le=LINE)]
OffloadId = Annotated[
    str, Path(pattern=r"^[0-9a-f]{32}$", description="The offload.", examples=["019abc7e51d87f3c9f0e6c1b2a3d4e5f"])
]


class CompactIn(RequestBody):
    """A conversation that may be too long. What is null or left out is as the settings say."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"messages": [{"role": "user", "content": "What does the log say?"}], "max_total_tokens": 20000}
            ]
        }
    )

    messages: Annotated[
        list[dict[str, Any]],
        Field(description="The messages as JSON objects with a `role`; fields that are not known are given back."),
    ]
    mode: WorkingMode | None = None
    chat_id: Annotated[Name, Field(description="Names the conversation, to list its offloads.")] = ""
    max_total_tokens: Count | None = None
    max_tool_message_tokens: Count | None = None
    group_token_threshold: Count | None = None
    keep_recent_count: Annotated[int, Field(ge=0, le=LINE)] | None = None
    compact_ratio_threshold: Annotated[float, Field(gt=0, le=1)] | None = None


class OffloadOut(Answer):
    """A text that was taken out of a conversation."""

    id: str = Field(examples=["019abc7e51d87f3c9f0e6c1b2a3d4e5f"])
    workspace_id: str
    kind: OffloadKind
    chat_id: str
    name: str = Field(description="The tool whose output it is, or how many messages.")
    file_path: str = Field(description="The name by which notes and the 0.2 paths call it.")
    bytes: int = Field(description="Bytes of the text in UTF-8.")
    lines: int = Field(description="Lines of the text.")
    sha256: str = Field(description="SHA-256 of the text.")
    tier: Tier
    created_at: str = MOMENT
    last_read_at: str = MOMENT


class OffloadPage(Answer):
    """Offloads in the order in which they came; an empty `next_cursor` says that this is the last page."""

    items: list[OffloadOut]
    next_cursor: str


class CompactedOut(Answer):
    """A conversation that is short enough, and what was taken out of it.

    `summariser` is `rule`, a model's name, both with a plus, or empty where nothing was summarised.
    """

    messages: list[dict[str, Any]]
    offloads: list[OffloadOut]
    tokens_before: int
    tokens_after: int
    summariser: str = Field(examples=["rule"])
    model_error: str = Field(description="Why a model was given up and rules did the rest; empty otherwise.")
    missed: str = Field(description="Why limits are exceeded; empty where they are kept.")


class PatternIn(RequestBody):
    """What to look for: a text, or a regular expression of Python."""

    pattern: Annotated[str, Field(min_length=1, max_length=1000, examples=["error|failed"])]
    ignore_case: Annotated[bool, Field(description="Whether capitals count as small letters.")] = True
    limit: Annotated[int, Field(ge=1, le=1000, description="Most lines returned.")] = 50


class MatchOut(Answer):
    """A line that matches; of a long one its first 2,000 characters."""

    line: int
    text: str


class MatchesOut(Answer):
    """The first lines that match."""

    matches: list[MatchOut]


def write_offload(offload: Offload) -> dict[str, Any]:
    """An `OffloadOut`."""
    return {
        "id": offload.id,
        "workspace_id": offload.scope.workspace_id,
        "kind": offload.kind.value,
        "chat_id": offload.chat_id,
        "name": offload.name,
        "file_path": offload.file_path,
        "bytes": offload.bytes,
        "lines": offload.lines,
        "sha256": offload.sha256,
        "tier": offload.tier.value,
        "created_at": write_moment(offload.created_ms),
        "last_read_at": write_moment(offload.last_read_ms),
    }


def write_shortened(done: Shortened) -> dict[str, Any]:
    """A `CompactedOut`."""
    return {
        "messages": done.messages,
        "offloads": [write_offload(offload) for offload in done.offloads],
        "tokens_before": done.tokens_before,
        "tokens_after": done.tokens_after,
        "summariser": done.summariser,
        "model_error": done.model_error,
        "missed": done.missed,
    }


@router.post(
    "/v1/workspaces/{workspace_id}/working:compact",
    operation_id="compact_working",
    summary="Make a conversation shorter",
    response_model=CompactedOut,
    responses=problems(413, 507),
)
async def compact_working(request: Request, workspace_id: WorkspaceId, body: CompactIn) -> Response:
    """Offload long outputs of tools and summarise older messages, until a model can take what is left.

    Nothing is lost: what is taken out is kept under `offloads`. The same conversation sent again gives the same answer
    where rules summarise, and stores nothing twice.
    """
    call = Call(request, workspace_id)
    working = call.services.working
    limits = working.choose_limits(**body.model_dump(exclude={"messages", "chat_id"}))
    done = await call.run(
        lambda: working.shorten(call.principal, workspace_id, body.messages, limits=limits, chat_id=body.chat_id)
    )
    return reply_json(write_shortened(done))


@router.get(
    OFFLOADS,
    operation_id="list_offloads",
    summary="List offloads",
    response_model=OffloadPage,
    responses=problems(),
)
async def list_offloads(
    request: Request,
    workspace_id: WorkspaceId,
    limit: Limit = 50,
    cursor: Cursor = "",
    chat: Annotated[str, Query(max_length=128, description="Only of this conversation.")] = "",
) -> Response:
    """What was taken out of conversations, in the order in which it came."""
    call = Call(request, workspace_id)
    call.check_limit(limit)
    page = await call.run(
        lambda: call.services.working.list(call.principal, workspace_id, chat_id=chat, limit=limit, cursor=cursor)
    )
    return reply_json({"items": [write_offload(item) for item in page.items], "next_cursor": page.next_cursor})


@router.get(
    OFFLOAD,
    operation_id="get_offload",
    summary="Describe an offload",
    response_model=OffloadOut,
    responses=problems(),
)
async def get_offload(request: Request, workspace_id: WorkspaceId, offload_id: OffloadId) -> Response:
    """What is known of a text that was taken out; this does not count as reading it."""
    call = Call(request, workspace_id)
    offload = await call.run(lambda: call.services.working.get(call.principal, workspace_id, offload_id))
    return reply_json(write_offload(offload))


@router.get(
    OFFLOAD + "/text",
    operation_id="read_offload",
    summary="Read an offload",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The text, byte for byte; pages of lines put together are the whole.",
            "content": {TEXT: {"schema": {"type": "string"}}},
        },
        **problems(),
    },
)
async def read_offload(
    request: Request,
    workspace_id: WorkspaceId,
    offload_id: OffloadId,
    offset: Annotated[int, Query(ge=0, le=LINE, description="Lines to leave out.")] = 0,
    limit: Annotated[int | None, Query(ge=1, le=LINE, description="Most lines returned; all without it.")] = None,
) -> Response:
    """The lines after the first `offset`. If the answer breaks off, the connection is cut."""
    call = Call(request, workspace_id)
    chunks = await call.run(
        lambda: call.services.working.read(call.principal, workspace_id, offload_id, offset=offset, limit=limit)
    )
    first = await anyio.to_thread.run_sync(lambda: next(chunks, b""), limiter=call.api.transfers)
    return StreamingResponse(_stream(call, first, chunks), media_type=TEXT)


@router.post(
    OFFLOAD + "/search",
    operation_id="search_offload",
    summary="Search an offload",
    response_model=MatchesOut,
    responses=problems(413),
)
async def search_offload(
    request: Request, workspace_id: WorkspaceId, offload_id: OffloadId, body: PatternIn
) -> Response:
    """The first lines in which the pattern is found. An expression that takes more than 5 seconds is refused."""
    call = Call(request, workspace_id)
    matches = await anyio.to_thread.run_sync(
        lambda: call.services.working.search(
            call.principal, workspace_id, offload_id, body.pattern, ignore_case=body.ignore_case, limit=body.limit
        ),
        limiter=call.api.patterns,
    )
    return reply_json({"matches": [{"line": match.line, "text": match.text} for match in matches]})


@router.delete(
    OFFLOAD,
    operation_id="delete_offload",
    summary="Delete an offload",
    status_code=204,
    response_class=Response,
    responses=problems(),
)
async def delete_offload(request: Request, workspace_id: WorkspaceId, offload_id: OffloadId) -> Response:
    """Remove a text for good; this cannot be taken back."""
    call = Call(request, workspace_id)
    await call.run(lambda: call.services.working.delete(call.principal, workspace_id, offload_id))
    return Response(status_code=204)


async def _stream(call: Call, chunk: bytes, rest: Iterator[bytes]) -> AsyncIterator[bytes]:
    while chunk:
        yield chunk
        chunk = await anyio.to_thread.run_sync(lambda: next(rest, b""), limiter=call.api.transfers)

"""Endpoints of working memory: conversations made shorter, and what was taken out of them read and searched."""

from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Request, Response
from pydantic import ConfigDict, Field

from app.api.compat.bodies import Body
from app.api.compat.envelope import FAILURES, Envelope, open_call, reply_envelope
from app.domain.working import WorkingMode, read_file_path
from app.errors import NotFound
from app.service.working import gather

READ_BYTES = 1_048_576
"""What one answer carries; /v1 gives a text of any length."""
GREP_LINES = 50
"""Upstream's default."""
MOST = 2**63 - 1

router = APIRouter(tags=["ReMe 0.2: working memory"], responses=FAILURES)

Count = Annotated[int, Field(ge=1, le=MOST)]


class WorkingBody(Body):
    """A conversation. What is null or left out is as the settings say."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "workspace_id": "u1",
                    "messages": [{"role": "user", "content": "What does the log say?"}],
                    "working_summary_mode": "auto",
                    "max_total_tokens": 20000,
                }
            ]
        }
    )

    messages: list[dict[str, Any]]
    working_summary_mode: WorkingMode | None = None
    compact_ratio_threshold: Annotated[float, Field(gt=0, le=1)] | None = None
    max_total_tokens: Count | None = None
    max_tool_message_tokens: Count | None = None
    group_token_threshold: Annotated[int, Field(ge=0, le=MOST)] | None = None
    keep_recent_count: Annotated[int, Field(ge=0, le=MOST)] | None = None
    store_dir: str | None = None
    chat_id: str | None = None


class GrepBody(Body):
    """What to look for, and where."""

    file_path: str = Field(examples=["working_memory/019abc7e51d87f3c9f0e6c1b2a3d4e5f.txt"])
    pattern: str = Field(examples=["error"])
    limit: Annotated[int, Field(ge=1, le=1000)] = GREP_LINES


class ReadBody(Body):
    """Which lines to read, and where."""

    file_path: str = Field(examples=["working_memory/019abc7e51d87f3c9f0e6c1b2a3d4e5f.txt"])
    offset: Annotated[int, Field(ge=0, le=MOST, examples=[0])]
    limit: Annotated[int, Field(ge=0, le=MOST, examples=[100])]


@router.post("/summary_working_memory", operation_id="summary_working_memory", response_model=Envelope)
async def summary_working_memory(request: Request, body: WorkingBody) -> Response:
    """Make a conversation short enough for a model: `answer` is its messages, most of them as they came.

    What was taken out is kept, and stands in `metadata.write_file_dict` under the path by which it can be read again.
    """
    call, workspace_id = open_call(request, body.workspace_id)
    working = call.services.working
    limits = working.choose_limits(
        mode=body.working_summary_mode,
        compact_ratio_threshold=body.compact_ratio_threshold,
        max_total_tokens=body.max_total_tokens,
        max_tool_message_tokens=body.max_tool_message_tokens,
        group_token_threshold=body.group_token_threshold or None,
        keep_recent_count=body.keep_recent_count,
    )
    done = await call.run(
        lambda: working.shorten(call.principal, workspace_id, body.messages, limits=limits, chat_id=body.chat_id or "")
    )
    return reply_envelope(
        done.messages,
        {
            "write_file_dict": done.texts,
            "tokens_before": done.tokens_before,
            "tokens_after": done.tokens_after,
            "summariser": done.summariser,
            "model_error": done.model_error,
            "missed": done.missed,
        },
    )


@router.post("/summary_working_memory_for_as", operation_id="summary_working_memory_for_as", response_model=Envelope)
async def summary_working_memory_for_as(request: Request, body: WorkingBody) -> Response:
    """The same, under the name by which AgentScope's memory asks for it."""
    return await summary_working_memory(request, body)


@router.post("/grep_working_memory", operation_id="grep_working_memory", response_model=Envelope)
async def grep_working_memory(request: Request, body: GrepBody) -> Response:
    """The lines of an offloaded text in which a text or a regular expression is found, as "number:line"."""
    call, workspace_id = open_call(request, body.workspace_id)
    offload_id = _locate(body.file_path)
    pattern = body.pattern.strip()
    matches = await anyio.to_thread.run_sync(
        lambda: call.services.working.search(call.principal, workspace_id, offload_id, pattern, limit=body.limit),
        limiter=call.api.patterns,
    )
    answer = "\n".join(f"{match.line}:{match.text}" for match in matches)
    return reply_envelope(
        answer or f'No matches found for pattern "{pattern}" in file_path "{body.file_path}".',
        {"matches": [{"line": match.line, "text": match.text} for match in matches]},
    )


@router.post("/read_working_memory", operation_id="read_working_memory", response_model=Envelope)
async def read_working_memory(request: Request, body: ReadBody) -> Response:
    """The lines of an offloaded text after the first `offset`, at most `limit`, or all with `limit` 0."""
    call, workspace_id = open_call(request, body.workspace_id)
    offload_id = _locate(body.file_path)

    def read() -> tuple[str, bool]:
        chunks = call.services.working.read(
            call.principal, workspace_id, offload_id, offset=body.offset, limit=body.limit or None
        )
        return gather(chunks, READ_BYTES)

    text, whole = await anyio.to_thread.run_sync(read, limiter=call.api.transfers)
    if not whole:
        # Agents see the answer alone.
        text += f"\n[cut after {READ_BYTES:,} bytes: read fewer lines, or search]"
    return reply_envelope(text.rstrip("\n"), {"truncated": not whole})


def _locate(file_path: str) -> str:
    """The id that a path names; a path that this service did not make is that of no file."""
    offload_id = read_file_path(file_path)
    if offload_id is None:
        raise NotFound(f"there is no file {file_path[:80]!r}: give a file_path as a note or write_file_dict names it")
    return offload_id

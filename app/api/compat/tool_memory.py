"""Endpoints of tool memory: what became of calls, and what to know before the next."""

from collections.abc import Iterable

from fastapi import APIRouter, Request, Response

from app.api.compat.bodies import ToolCallsBody, ToolNamesBody
from app.api.compat.envelope import FAILURES, Envelope, count_update, list_memories, open_call, reply_envelope
from app.domain.memory import Memory
from app.errors import InvalidRequest
from app.service.tools import TOOL_NAME, ToolsRecorded

NOTHING = "No matching tool memories found"
EXTRACTOR = "rule"

router = APIRouter(tags=["ReMe 0.2: tool memory"], responses=FAILURES)


@router.post("/add_tool_call_result", operation_id="add_tool_call_result", response_model=Envelope)
async def add_tool_call_result(request: Request, body: ToolCallsBody) -> Response:
    """Keep what became of calls. The same call again is kept once; nothing waits for a model."""
    call, workspace_id = open_call(request, body.workspace_id)
    calls = [each.read() for each in body.tool_call_results]
    recorded = await call.run(lambda: call.services.tools.record_calls(call.principal, workspace_id, calls))
    if not recorded.valid:
        raise InvalidRequest("no call of tool_call_results names its tool: give tool_name with each")
    return reply_envelope(
        _describe(recorded),
        {
            "memory_list": list_memories(recorded.memories),
            "deleted_memory_ids": [],
            "validation_stats": {
                "total_input": recorded.total_input,
                "valid": recorded.valid,
                "filtered": recorded.filtered,
            },
            "deduplication_stats": {
                "total_new": recorded.valid,
                "deduplicated": recorded.deduplicated,
                "added": recorded.added,
            },
            "update_result": count_update(inserted=recorded.created + recorded.updated),
            "extractor": EXTRACTOR,
        },
    )


@router.post("/summary_tool_memory", operation_id="summary_tool_memory", response_model=Envelope)
async def summary_tool_memory(request: Request, body: ToolNamesBody) -> Response:
    """Say in the memory of each tool what its calls show; one without new calls is skipped."""
    call, workspace_id = open_call(request, body.workspace_id)
    done = await call.run(lambda: call.services.tools.summarise(call.principal, workspace_id, body.names()))
    if not done.memories:
        return reply_envelope(NOTHING, {"memory_list": []}, success=False)
    head = f"Processed {len(done.memories)} tool(s): {len(done.summarised)} summarized, {len(done.skipped)} skipped" + (
        f"; not found: {', '.join(done.missing)}" if done.missing else ""
    )
    return reply_envelope(
        f"{head}\n\n{_list_texts(done.memories)}",
        {
            "memory_list": list_memories(done.memories),
            "update_result": count_update(inserted=len(done.summarised)),
            "extractor": EXTRACTOR,
        },
    )


@router.post("/retrieve_tool_memory", operation_id="retrieve_tool_memory", response_model=Envelope)
async def retrieve_tool_memory(request: Request, body: ToolNamesBody) -> Response:
    """The memories of the named tools; none is told with `success` false, as upstream does, and status 200."""
    call, workspace_id = open_call(request, body.workspace_id)
    memories = await call.run(lambda: call.services.tools.retrieve(call.principal, workspace_id, body.names()))
    if not memories:
        return reply_envelope(NOTHING, {"memory_list": []}, success=False)
    return reply_envelope(
        f"Retrieved {len(memories)} tool memory(ies):\n\n{_list_texts(memories)}",
        {"memory_list": list_memories(memories)},
    )


def _describe(recorded: ToolsRecorded) -> str:
    tools = "\n".join(
        f"- {tool.tool_name}: {tool.received} received, {tool.deduplicated} deduplicated, {tool.added} added"
        for tool in recorded.tools
    )
    return (
        f"Processed {len(recorded.tools)} tool(s): {recorded.updated} updated, {recorded.created} newly created\n\n"
        f"Deduplication Summary: {recorded.valid} new, {recorded.deduplicated} deduplicated, "
        f"{recorded.added} added\n{tools}"
    )


def _list_texts(memories: Iterable[Memory]) -> str:
    return "\n\n".join(
        f"Tool: {memory.metadata.get(TOOL_NAME) or memory.when_to_use}\n{memory.content}" for memory in memories
    )

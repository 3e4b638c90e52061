"""The endpoint that acts on a whole workspace: copy, delete, delete_ids, dump, load, list."""

from collections.abc import Callable
from pathlib import Path

from fastapi import APIRouter, Request, Response

from app.api.compat.bodies import VectorStoreBody
from app.api.compat.dumps import locate_dump, read_dump, write_dump
from app.api.compat.envelope import FAILURES, Envelope, open_call, reply_envelope
from app.api.context import Call
from app.domain.access import Permission
from app.domain.change import ChangeState
from app.domain.memory import Json, Layer
from app.domain.query import MemoryFilter
from app.errors import InvalidRequest
from app.service.authorisation import authorise
from app.service.items import write_item

LISTED = 1000
"""Distilled memories that `list` returns; pages of /v1/workspaces/{workspace_id}/memories have no such end."""

router = APIRouter(tags=["ReMe 0.2: vector store"], responses=FAILURES)


@router.post("/vector_store", operation_id="vector_store", response_model=Envelope)
async def vector_store(request: Request, body: VectorStoreBody) -> Response:
    """Act on a workspace; `metadata.action_result` says what came of it.

    copy takes all memories of `src_workspace_id`; delete removes the workspace (an admin's key is needed);
    delete_ids takes `memory_ids`; dump and load take `path`, a folder in the data directory; list returns items.
    """
    call, workspace_id = open_call(request, body.workspace_id)
    action = ACTIONS.get(body.action)
    if action is None:
        raise InvalidRequest(f"action {body.action[:40]!r} is not known: give one of {', '.join(ACTIONS)}")
    result = await call.run(lambda: action(call, workspace_id, body))
    shown = repr(result) if call.api.settings.compat.repr else result
    return reply_envelope("", {"action_result": shown})


def _copy(call: Call, workspace_id: str, body: VectorStoreBody) -> Json:
    if not body.src_workspace_id:
        raise InvalidRequest("copy needs src_workspace_id: the workspace to copy from")
    return {"size": call.services.transfers.copy(call.principal, body.src_workspace_id, workspace_id)}


def _delete(call: Call, workspace_id: str, _: VectorStoreBody) -> Json:
    return {"size": call.services.workspaces.delete(call.principal, workspace_id, keep_copies=True)}


def _delete_ids(call: Call, workspace_id: str, body: VectorStoreBody) -> Json:
    if not body.memory_ids:
        raise InvalidRequest("delete_ids needs memory_ids: the memories to delete")
    committed = call.services.memories.delete(call.principal, workspace_id, body.memory_ids)
    return {"size": committed.states.get(ChangeState.DELETED, 0)}


def _dump(call: Call, workspace_id: str, body: VectorStoreBody) -> Json:
    # A dump is a file on the server, so reading rights are not enough to make one.
    authorise(call.principal, Permission.MEMORY_WRITE, workspace_id)
    lines = call.services.transfers.export(call.principal, workspace_id)
    return {"size": write_dump(_file(call, workspace_id, body), lines)}


def _load(call: Call, workspace_id: str, body: VectorStoreBody) -> Json:
    authorise(call.principal, Permission.MEMORY_WRITE, workspace_id)
    lines = read_dump(_file(call, workspace_id, body))
    report = call.services.transfers.import_lines(call.principal, workspace_id, lines)
    if report.rejected and not report.created and not report.duplicates:
        line, reason = report.rejected[0]
        raise InvalidRequest(f"no line of the dump could be read; line {line}: {reason}")
    return {"size": report.created, "duplicates": report.duplicates, "rejected": len(report.rejected)}


def _list(call: Call, workspace_id: str, _: VectorStoreBody) -> Json:
    page = call.services.memories.scan(
        call.principal,
        workspace_id,
        MemoryFilter(layers=(Layer.DISTILLED,)),
        limit=min(LISTED, call.api.settings.access.max_page),
    )
    return [write_item(memory) for memory in page.items]


def _file(call: Call, workspace_id: str, body: VectorStoreBody) -> Path:
    return locate_dump(call.api.settings.data_dir, call.principal.tenant_id, body.path or "", workspace_id)


ACTIONS: dict[str, Callable[[Call, str, VectorStoreBody], Json]] = {
    "copy": _copy,
    "delete": _delete,
    "delete_ids": _delete_ids,
    "dump": _dump,
    "load": _load,
    "list": _list,
}

"""The facts of a store that tell how far copies are and what was moved elsewhere, and rows as SQL stores keep them."""

import json
from typing import Any

from app.backends.documents import dump_json
from app.domain.copying import CopyStand, MoveMark
from app.domain.job import Job
from app.domain.memory import Scope
from app.domain.usage import UsageRecord
from app.domain.workspace import User, Workspace

ALL = "move *"
"""The fact that marks the whole store. Names of tenants and workspaces have no blank and no asterisk."""
MARKS, STANDS = "move ", "copy "
"""What the names of these facts begin with."""


def name_mark(scope: Scope | None) -> str:
    """The name of the fact that marks a workspace, or the store."""
    return ALL if scope is None else f"{MARKS}{scope.tenant_id} {scope.workspace_id}"


def dump_mark(mark: MoveMark) -> str:
    """The form in which a store keeps a mark; statements ask it for `until_ms`."""
    return json.dumps({"target": mark.target, "target_id": mark.target_id, "until_ms": mark.until_ms})


def load_mark(name: str, value: str) -> MoveMark:
    """The mark of a fact."""
    return MoveMark(scope=None if name == ALL else _read_scope(name, 1), **json.loads(value))


def name_stand(stand: CopyStand) -> str:
    """The name of the fact that keeps how far a copy is."""
    return f"{STANDS}{stand.source} {stand.scope.tenant_id} {stand.scope.workspace_id}"


def dump_stand(stand: CopyStand) -> str:
    """The form in which a store keeps how far a copy is."""
    return json.dumps({"data_key_id": stand.data_key_id, "seq": stand.seq, "is_done": stand.is_done})


def load_stand(name: str, value: str) -> CopyStand:
    """How far a copy is, of a fact."""
    return CopyStand(source=name.split(" ")[1], scope=_read_scope(name, 2), **json.loads(value))


def _read_scope(name: str, place: int) -> Scope:
    parts = name.split(" ")
    return Scope(tenant_id=parts[place], workspace_id=parts[place + 1])


def write_workspace(workspace: Workspace) -> tuple[Any, ...]:
    """Tenant, id, name, metadata, data key, both times and version."""
    return (
        workspace.scope.tenant_id,
        workspace.scope.workspace_id,
        workspace.name,
        dump_json(workspace.metadata),
        workspace.data_key_id,
        workspace.created_ms,
        workspace.updated_ms,
        workspace.version,
    )


def write_user(user: User) -> tuple[Any, ...]:
    """Tenant, workspace, id, name, metadata and both times."""
    return (
        user.scope.tenant_id,
        user.scope.workspace_id,
        user.user_id,
        user.name,
        dump_json(user.metadata),
        user.created_ms,
        user.updated_ms,
    )


def write_job(job: Job) -> tuple[Any, ...]:
    """Id, tenant, workspace, kind, payload, state, both times, attempts, result, error and the earliest start."""
    return (
        job.id,
        job.scope.tenant_id,
        job.scope.workspace_id,
        job.kind,
        dump_json(job.payload),
        job.state.value,
        job.created_ms,
        job.updated_ms,
        job.attempts,
        None if job.result is None else dump_json(job.result),
        job.error,
        job.not_before_ms,
    )


def write_count(used: UsageRecord) -> tuple[Any, ...]:
    """Tenant, workspace, day, operation, model, calls, items and tokens in and out."""
    return (
        used.tenant_id,
        used.workspace_id,
        used.day,
        used.operation,
        used.model,
        used.calls,
        used.items,
        used.input_tokens,
        used.output_tokens,
    )

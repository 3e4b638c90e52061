"""Answers about workspaces, users, keys, jobs and imports, and the models that describe them."""

from typing import Any

from pydantic import Field

from app.api.times import write_moment
from app.api.v1.answers import MOMENT, Answer
from app.domain.access import ApiKey, Role
from app.domain.job import Job, JobState
from app.domain.workspace import Contents, User, Workspace
from app.service.transfers import ImportReport
from app.service.usage import UsageReport

REJECTED_LINES = 1000
"""Rejected lines that a report lists; their number is always told."""


class ContentsOut(Answer):
    """What a workspace holds."""

    memories: int
    by_kind: dict[str, int] = Field(examples=[{"personal": 2}])
    by_layer: dict[str, int]
    text_bytes: int
    users: int
    tombstones: int


class WorkspaceOut(Answer):
    """A workspace; `contents` only where one is asked for by its id."""

    id: str = Field(examples=["tenant-a:project-1"])
    name: str
    metadata: dict[str, Any]
    created_at: str = MOMENT
    updated_at: str = MOMENT
    version: int
    contents: ContentsOut | None = None


def write_workspace(workspace: Workspace, contents: Contents | None = None) -> dict[str, Any]:
    """A `WorkspaceOut`."""
    return {
        "id": workspace.scope.workspace_id,
        "name": workspace.name,
        "metadata": workspace.metadata,
        "created_at": write_moment(workspace.created_ms),
        "updated_at": write_moment(workspace.updated_ms),
        "version": workspace.version,
        "contents": None
        if contents is None
        else {
            "memories": contents.memories,
            "by_kind": contents.by_kind,
            "by_layer": contents.by_layer,
            "text_bytes": contents.text_bytes,
            "users": contents.users,
            "tombstones": contents.tombstones,
        },
    }


class WorkspacePage(Answer):
    """Workspaces in the order of their ids."""

    items: list[WorkspaceOut]
    next_cursor: str


class UserOut(Answer):
    """A person whom memories are about."""

    id: str = Field(examples=["ada"])
    workspace_id: str
    name: str
    metadata: dict[str, Any]
    created_at: str = MOMENT
    updated_at: str = MOMENT


def write_user(user: User) -> dict[str, Any]:
    """A `UserOut`."""
    return {
        "id": user.user_id,
        "workspace_id": user.scope.workspace_id,
        "name": user.name,
        "metadata": user.metadata,
        "created_at": write_moment(user.created_ms),
        "updated_at": write_moment(user.updated_ms),
    }


class UserPage(Answer):
    """Users in the order of their ids."""

    items: list[UserOut]
    next_cursor: str


class KeyOut(Answer):
    """A key without its secret. `replaced_by` names the key that a rotation put in its place."""

    id: str
    name: str = Field(examples=["batch loader"])
    tenant: str
    role: Role
    workspaces: list[str] = Field(examples=[["tenant-a:*"]])
    created_at: str = MOMENT
    expires_at: str = MOMENT
    revoked_at: str | None = Field(json_schema_extra={"format": "date-time"})
    replaced_by: str


class IssuedKeyOut(KeyOut):
    """A new key with its secret, which is shown this once and kept nowhere."""

    secret: str = Field(examples=["rk_00000000000000000000000000000000"])


def write_key(key: ApiKey) -> dict[str, Any]:
    """A `KeyOut`."""
    return {
        "id": key.id,
        "name": key.name,
        "tenant": key.tenant_id,
        "role": key.role.value,
        "workspaces": key.workspaces,
        "created_at": write_moment(key.created_ms),
        "expires_at": write_moment(key.expires_ms),
        "revoked_at": None if key.revoked_ms is None else write_moment(key.revoked_ms),
        "replaced_by": key.replaced_by,
    }


class KeysOut(Answer):
    """Keys, oldest first."""

    items: list[KeyOut]


class JobOut(Answer):
    """Work that was accepted and is done later. A failed job says why."""

    id: str
    workspace_id: str
    kind: str
    state: JobState
    attempts: int
    created_at: str = MOMENT
    updated_at: str = MOMENT
    result: dict[str, Any] | None
    error: str


def write_job(job: Job) -> dict[str, Any]:
    """A `JobOut`."""
    return {
        "id": job.id,
        "workspace_id": job.scope.workspace_id,
        "kind": job.kind,
        "state": job.state.value,
        "attempts": job.attempts,
        "created_at": write_moment(job.created_ms),
        "updated_at": write_moment(job.updated_ms),
        "result": job.result,
        "error": job.error,
    }


class RejectedLineOut(Answer):
    """A line of an import that was left out."""

    line: int
    reason: str


class ImportOut(Answer):
    """What became of an import; `rejected` lists the first thousand of `rejected_lines`."""

    read: int
    created: int
    duplicates: int
    rejected_lines: int
    rejected: list[RejectedLineOut]


def write_import(report: ImportReport) -> dict[str, Any]:
    """An `ImportOut`."""
    return {
        "read": report.read,
        "created": report.created,
        "duplicates": report.duplicates,
        "rejected_lines": len(report.rejected),
        "rejected": [{"line": line, "reason": reason} for line, reason in report.rejected[:REJECTED_LINES]],
    }


class UsageLineOut(Answer):
    """The use of one operation, with one model for one task or none; the cost is null where no price is known."""

    operation: str = Field(examples=["retrieve"])
    task: str
    model: str
    calls: int
    items: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_usd: float | None


class UsageDayOut(Answer):
    """The use of one operation in one workspace on one day (UTC)."""

    day: str = Field(examples=["2026-11-22"])
    workspace_id: str
    operation: str
    task: str
    model: str
    calls: int
    items: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int


class UsageOut(Answer):
    """What was used, by operation and by day. `cost_usd` is at list prices, null where one is unknown."""

    tenant: str
    workspace_id: str | None
    from_day: str
    to_day: str
    cost_usd: float | None
    priced_usd: float
    unpriced_models: list[str]
    lines: list[UsageLineOut]
    days: list[UsageDayOut]


def write_usage(report: UsageReport) -> dict[str, Any]:
    """A `UsageOut`."""
    return {
        "tenant": report.tenant_id,
        "workspace_id": report.workspace_id,
        "from_day": report.from_day,
        "to_day": report.to_day,
        "cost_usd": None if report.cost_usd is None else float(report.cost_usd),
        "priced_usd": float(report.priced_usd),
        "unpriced_models": report.unpriced_models,
        "lines": [
            {
                "operation": line.operation,
                "task": line.task,
                "model": line.model,
                "calls": line.calls,
                "items": line.items,
                "input_tokens": line.input_tokens,
                "output_tokens": line.output_tokens,
                "cached_tokens": line.cached_tokens,
                "cost_usd": None if line.cost_usd is None else float(line.cost_usd),
            }
            for line in report.lines
        ],
        "days": [
            {
                "day": record.day,
                "workspace_id": record.workspace_id,
                "operation": record.operation,
                "task": record.task,
                "model": record.model,
                "calls": record.calls,
                "items": record.items,
                "input_tokens": record.input_tokens,
                "output_tokens": record.output_tokens,
                "cached_tokens": record.cached_tokens,
            }
            for record in report.records
        ],
    }

"""Records of use: one for an operation, on the day of its moment in UTC; and who pays for it."""

from datetime import UTC, datetime

from app.domain.memory import Scope
from app.domain.spending import Payer
from app.domain.usage import UsageRecord


def day_of(now_ms: int) -> str:
    """The day (UTC) of milliseconds since 1970, e.g. "2026-11-22"."""
    return datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%d")


def record_of(scope: Scope, operation: str, *, now_ms: int, items: int, model: str = "") -> UsageRecord:
    """One call of an operation that handled `items` memories or texts, without tokens."""
    return UsageRecord(
        tenant_id=scope.tenant_id,
        workspace_id=scope.workspace_id,
        day=day_of(now_ms),
        operation=operation,
        model=model,
        items=items,
    )


def payer_of(scope: Scope, operation: str, *, key_id: str = "") -> Payer:
    """The workspace that pays for an operation; without a key where nobody waits for it."""
    return Payer(tenant_id=scope.tenant_id, workspace_id=scope.workspace_id, key_id=key_id, operation=operation)

"""The table of receipts, which make batches idempotent."""

from psycopg.errors import SerializationFailure

from app.backends.documents import dump_json
from app.backends.postgres.statements import Connection, Row, select_row
from app.backends.receipts import RECEIPT_MS, list_outcomes
from app.domain.change import Changed, Receipt
from app.domain.memory import Scope

_FIND = (
    "SELECT request_sha256, outcomes FROM receipts"
    " WHERE tenant_id = %s AND workspace_id = %s AND key = %s AND created_at > %s"
)
_KEEP = (
    "INSERT INTO receipts VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (tenant_id, workspace_id, key) DO UPDATE SET"
    " request_sha256 = excluded.request_sha256, outcomes = excluded.outcomes, created_at = excluded.created_at"
    " WHERE receipts.created_at <= %s RETURNING created_at"
)
_FORGET = (
    "DELETE FROM receipts WHERE ctid = ANY(ARRAY"
    "(SELECT ctid FROM receipts WHERE created_at <= %s LIMIT 1000 FOR UPDATE SKIP LOCKED))"
)


def find_receipt(connection: Connection, scope: Scope, receipt: Receipt, now_ms: int) -> Row | None:
    """The request's SHA-256 and the outcomes that are kept under a receipt's key, if its time has not run out."""
    return select_row(connection, _FIND, (scope.tenant_id, scope.workspace_id, receipt.key, now_ms - RECEIPT_MS))


def keep_receipt(
    connection: Connection, scope: Scope, receipt: Receipt, outcomes: tuple[Changed, ...], now_ms: int
) -> None:
    """Keep the outcomes of a batch, and forget receipts, of any workspace, whose time has run out.

    Fails with a `SerializationFailure` where another transaction has kept one meanwhile, so that this one is repeated
    and finds it.
    """
    past_ms = now_ms - RECEIPT_MS
    values = (receipt.key, receipt.request_sha256, dump_json(list_outcomes(outcomes)), now_ms, past_ms)
    if select_row(connection, _KEEP, (scope.tenant_id, scope.workspace_id, *values)) is None:
        raise SerializationFailure
    connection.execute(_FORGET, (past_ms,))

"""Receipts of batches: what is kept of an outcome, and how it is told again."""

from collections.abc import Iterable, Mapping, Sequence

from app.domain.change import ChangeBatch, Changed, ChangeState, Committed, Receipt
from app.domain.memory import Json, Memory
from app.errors import IdempotencyConflict, NotFound

RECEIPT_MS = 24 * 3600 * 1000


def check_request(receipt: Receipt, request_sha256: str) -> None:
    """Raise `IdempotencyConflict` where a key was used for another request."""
    if request_sha256 != receipt.request_sha256:
        raise IdempotencyConflict(
            f"the Idempotency-Key {receipt.key[:80]!r} was used for another request: take a new key"
        )


def list_outcomes(outcomes: Iterable[Changed]) -> Json:
    """What is kept of outcomes: state, id and the ids that were superseded."""
    return [(each.state.value, each.memory_id, each.superseded_ids) for each in outcomes]


def replay(kept: Sequence[tuple[str, str, Sequence[str]]], live: Mapping[str, Memory]) -> Committed:
    """The first outcomes again, with those of the memories that are still live."""
    return Committed(
        outcomes=tuple(
            Changed(state=ChangeState(state), memory_id=key, memory=live.get(key), superseded_ids=tuple(ended))
            for state, key, ended in kept
        ),
        replayed=True,
    )


def miss_all(batch: ChangeBatch) -> tuple[Changed, ...]:
    """The outcomes of changes, none an addition, in a workspace that is not there, or `NotFound`."""
    ids = [str(getattr(change, "memory_id", "")) for change in batch.changes]
    if ids and not batch.skip_missing:
        raise NotFound(f"memory {ids[0]} is not in workspace {batch.scope.workspace_id}")
    return tuple(Changed(state=ChangeState.MISSING, memory_id=memory_id) for memory_id in ids)

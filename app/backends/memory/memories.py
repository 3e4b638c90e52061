"""The in-RAM memory store."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from app.backends.memory.changes import Transaction
from app.backends.memory.cursors import cut_page
from app.backends.memory.rows import erased_row
from app.backends.memory.state import KeptReceipt, Row, State, show
from app.domain.change import Add, ChangeBatch, Changed, Committed, Receipt
from app.domain.filters import passes
from app.domain.memory import Memory, Scope
from app.domain.query import MemoryFilter, Page
from app.domain.workspace import Contents
from app.errors import IdempotencyConflict

RECEIPT_LIFE_MS = 24 * 60 * 60 * 1000
"""`app.domain.change.Receipt`: receipts live 24 hours."""


class Memories:
    """The `MemoryStore` of the in-RAM backend."""

    def __init__(self, state: State) -> None:
        self._state = state

    def commit(self, batch: ChangeBatch) -> Committed:
        """Apply a batch whole, or leave everything as it was."""
        state, scope = self._state, batch.scope
        with state.lock:
            if batch.receipt is not None and (kept := self._find_receipt(scope, batch.receipt)) is not None:
                return Committed(
                    outcomes=tuple(self._recall(scope, outcome) for outcome in kept.outcomes), replayed=True
                )
            transaction = Transaction(state, scope)
            outcomes = tuple(transaction.apply(change, skip_missing=batch.skip_missing) for change in batch.changes)
            if any(isinstance(change, Add) for change in batch.changes):
                state.ensure_workspace(scope)
            if transaction.shelf.rows:
                state.shelves[scope] = transaction.shelf
            state.stamped = transaction.stamped
            if batch.receipt is not None:
                state.receipts[scope, batch.receipt.key] = KeptReceipt(
                    request_sha256=batch.receipt.request_sha256,
                    outcomes=tuple(replace(outcome, memory=None) for outcome in outcomes),
                    committed_ms=state.clock.now_ms(),
                )
            return Committed(outcomes=outcomes)

    def _find_receipt(self, scope: Scope, receipt: Receipt) -> KeptReceipt | None:
        receipts = self._state.receipts
        oldest_ms = self._state.clock.now_ms() - RECEIPT_LIFE_MS
        for key in [key for key, kept in receipts.items() if kept.committed_ms <= oldest_ms]:
            del receipts[key]
        kept = receipts.get((scope, receipt.key))
        if kept is not None and kept.request_sha256 != receipt.request_sha256:
            raise IdempotencyConflict
        return kept

    def _recall(self, scope: Scope, outcome: Changed) -> Changed:
        """A kept outcome with its memory as it is now; one that was deleted since comes without."""
        memory = next(iter(self.get(scope, [outcome.memory_id])), None)
        return replace(outcome, memory=memory)

    def get(self, scope: Scope, memory_ids: Sequence[str], *, deleted: bool = False) -> tuple[Memory, ...]:
        """The memories of these ids, in their order."""
        with self._state.lock:
            rows = self._state.shelf(scope).rows
            found = (rows[memory_id] for memory_id in memory_ids if memory_id in rows)
            return tuple(show(row.memory) for row in found if row.live or (deleted and not row.purged))

    def scan(
        self,
        scope: Scope,
        memory_filter: MemoryFilter,
        *,
        limit: int,
        cursor: str = "",
        superseded: bool = False,
    ) -> Page[Memory]:
        """A page of memories in the order of their ids."""
        with self._state.lock:
            rows = self._state.shelf(scope).rows
            listed = (
                (memory_id, rows[memory_id].memory)
                for memory_id in sorted(rows)
                if (rows[memory_id].live if superseded else rows[memory_id].current)
                and passes(rows[memory_id].memory, memory_filter)
            )
            listing = ("memories", scope.tenant_id, scope.workspace_id)
            page = cut_page(listing, listed, limit=limit, cursor=cursor)
            return Page(items=tuple(show(memory) for memory in page.items), next_cursor=page.next_cursor)

    def purge(self, scope: Scope, *, deleted_before_ms: int | None = None, user_id: str | None = None) -> int:
        """Erase content for good. Earlier revisions are not counted."""
        state = self._state
        with state.lock:
            shelf, now_ms = state.shelf(scope), state.clock.now_ms()
            chosen = [row for row in shelf.rows.values() if _is_to_purge(row, deleted_before_ms, user_id)]
            for row in chosen:
                erased = erased_row(row, now_ms)
                shelf.put(replace(erased, memory=state.written(erased.memory)))
            return sum(not row.memory.revision_of for row in chosen)

    def contents(self, scope: Scope) -> Contents:
        """What a workspace holds. Earlier revisions of a text are not counted, superseded statements are."""
        with self._state.lock:
            rows = [row for row in self._state.shelf(scope).rows.values() if not row.memory.revision_of]
            live = [row.memory for row in rows if row.live]
            return Contents(
                memories=len(live),
                by_kind=Counter(memory.kind.value for memory in live),
                by_layer=Counter(memory.layer.value for memory in live),
                text_bytes=sum(len(f"{memory.content}{memory.when_to_use}".encode()) for memory in live),
                users=len(self._state.users.get(scope, ())),
                tombstones=len(rows) - len(live),
            )

    def close(self) -> None:
        """Nothing is queued and nothing is open."""


def _is_to_purge(row: Row, deleted_before_ms: int | None, user_id: str | None) -> bool:
    memory = row.memory
    if row.purged or (user_id is not None and memory.user_id != user_id):
        return False
    return deleted_before_ms is None or (memory.deleted_ms is not None and memory.deleted_ms < deleted_before_ms)

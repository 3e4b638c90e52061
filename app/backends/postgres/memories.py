"""The store of memories."""

from collections.abc import Sequence

from app.backends.changes import ChangeWriter
from app.backends.cursors import make_cursor, read_cursor
from app.backends.identities import ProcessEmbedding
from app.backends.postgres.connections import Database
from app.backends.postgres.erasure import erase, sweep
from app.backends.postgres.indexes import IndexKeeper
from app.backends.postgres.locks import share_embedding
from app.backends.postgres.receipts import find_receipt, keep_receipt
from app.backends.postgres.row_writer import RowWriter
from app.backends.postgres.rows import SELECT, find_workspace, read_memory
from app.backends.postgres.selection import select_filter
from app.backends.postgres.stamp import read_identity, stamp_store
from app.backends.postgres.statements import Connection, select_number, select_rows
from app.backends.postgres.tallies import read_contents
from app.backends.postgres.workspaces import ensure_held_workspace, hold_workspace
from app.backends.receipts import check_request, miss_all, replay
from app.backends.tallies import EMPTY
from app.domain.change import Add, ChangeBatch, Committed, Receipt
from app.domain.memory import Memory, Scope
from app.domain.query import MemoryFilter, Page
from app.domain.workspace import Contents
from app.ports import Clock

_IN_WORKSPACE = f"{SELECT} WHERE workspace = (SELECT number FROM workspaces WHERE tenant_id = %s AND workspace_id = %s)"


def _name(scope: Scope) -> tuple[str, str]:
    return scope.tenant_id, scope.workspace_id


class PostgresMemoryStore:
    """Keeps memories in the database; a commit returns when its transaction is durable.

    Batches of one workspace follow each other, whichever process commits them; those of others do not wait for them.
    """

    def __init__(self, database: Database, *, embedding: ProcessEmbedding, clock: Clock, keeper: IndexKeeper) -> None:
        self._database, self._embedding, self._clock, self._keeper = database, embedding, clock, keeper

    def commit(self, batch: ChangeBatch) -> Committed:
        """Apply a batch whole and durably."""
        committed = self._database.write(lambda connection: self._apply(connection, batch), pipelined=True)
        self._keeper.note_written(sum(getattr(change, "vector", None) is not None for change in batch.changes))
        return committed

    def _apply(self, connection: Connection, batch: ChangeBatch) -> Committed:
        scope, receipt = batch.scope, batch.receipt
        share_embedding(connection)
        now_ms = self._clock.now_ms()
        adds = any(isinstance(change, Add) for change in batch.changes)
        workspace = ensure_held_workspace(connection, scope, now_ms) if adds else hold_workspace(connection, scope)
        now_ms = self._clock.now_ms()  # others may have held the workspace for a while
        if receipt is not None and (earlier := self._replay(connection, scope, receipt, now_ms)) is not None:
            return earlier
        stamped = read_identity(connection)
        self._embedding.compare(stamped)
        if workspace is None:
            outcomes = miss_all(batch)
        else:
            rows = RowWriter(connection, scope, workspace, now_ms=now_ms, changes=batch.changes)
            changes = ChangeWriter(rows, scope, identity=self._embedding.identity, now_ms=now_ms)
            if batch.skip_missing:
                changes.remember_graves(batch.changes)
            outcomes = tuple(changes.apply(change, skip_missing=batch.skip_missing) for change in batch.changes)
            changes.finish()
            if changes.wrote_vector and stamped is None:
                stamp_store(connection, self._embedding)
        if receipt is not None:
            keep_receipt(connection, scope, receipt, outcomes, now_ms)
        return Committed(outcomes=outcomes)

    def _replay(self, connection: Connection, scope: Scope, receipt: Receipt, now_ms: int) -> Committed | None:
        row = find_receipt(connection, scope, receipt, now_ms)
        if row is None:
            return None
        request_sha256, kept = row
        check_request(receipt, request_sha256)
        ids = [each[1] for each in kept]
        return replay(kept, {memory.id: memory for memory in self._read(connection, scope, ids, deleted=False)})

    @staticmethod
    def _read(connection: Connection, scope: Scope, ids: Sequence[str], *, deleted: bool) -> tuple[Memory, ...]:
        if not ids:
            return ()
        condition = "text <> ''" if deleted else "deleted_at IS NULL"
        rows = select_rows(connection, f"{_IN_WORKSPACE} AND id = ANY(%s) AND {condition}", (*_name(scope), list(ids)))
        found = {row[1]: read_memory(row) for row in rows}
        return tuple(found[key] for key in dict.fromkeys(ids) if key in found)

    def get(self, scope: Scope, memory_ids: Sequence[str], *, deleted: bool = False) -> tuple[Memory, ...]:
        """The live memories of these ids, in their order."""
        return self._database.ask(lambda connection: self._read(connection, scope, memory_ids, deleted=deleted))

    def scan(
        self, scope: Scope, memory_filter: MemoryFilter, *, limit: int, cursor: str = "", superseded: bool = False
    ) -> Page[Memory]:
        """A page of live memories in the order of their ids."""
        listing = f"memories/{scope.tenant_id}/{scope.workspace_id}"
        after = read_cursor(listing, cursor)
        where, values = select_filter(memory_filter)
        past = "" if superseded else " AND NOT superseded"
        sql = f"{_IN_WORKSPACE} AND id > %s AND deleted_at IS NULL{past}{where} ORDER BY id LIMIT %s"
        bound = (*_name(scope), after, *values, limit + 1)
        rows = self._database.ask(lambda connection: select_rows(connection, sql, bound))
        items = tuple(read_memory(row) for row in rows[:limit])
        return Page(items=items, next_cursor=make_cursor(listing, items[-1].id) if len(rows) > limit else "")

    def purge(self, scope: Scope, *, deleted_before_ms: int | None = None, user_id: str | None = None) -> int:
        """Erase text, vectors and index entries for good."""

        def work(connection: Connection) -> int:
            workspace = hold_workspace(connection, scope)
            if workspace is None:
                return 0
            return erase(
                connection,
                scope,
                workspace,
                deleted_before_ms=deleted_before_ms,
                user_id=user_id,
                now_ms=self._clock.now_ms(),
            )

        erased = self._database.write(work)
        sweep(self._database)  # also where nothing was left to erase: an earlier purge may have been cut short
        return erased

    def contents(self, scope: Scope) -> Contents:
        """What a workspace holds."""

        def work(connection: Connection) -> Contents:
            workspace = find_workspace(connection, scope)
            if workspace is None:
                return EMPTY
            users = select_number(
                connection,
                "SELECT count(*) FROM users WHERE tenant_id = %s AND workspace_id = %s",
                _name(scope),
            )
            return read_contents(connection, workspace, users)

        return self._database.ask(work, snapshot=True)

    def close(self) -> None:
        """Wait for what is under way, then close every connection."""
        self._database.close()

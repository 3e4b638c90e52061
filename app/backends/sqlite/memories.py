"""The store of memories."""

import json
from collections.abc import Sequence

import apsw

from app.backends.changes import ChangeWriter
from app.backends.cursors import make_cursor, read_cursor
from app.backends.documents import dump_json
from app.backends.identities import ProcessEmbedding
from app.backends.receipts import RECEIPT_MS, check_request, list_outcomes, miss_all, replay
from app.backends.sqlite.connections import Readers, Writer
from app.backends.sqlite.erasure import erase
from app.backends.sqlite.moves import forget_moved
from app.backends.sqlite.row_writer import RowWriter
from app.backends.sqlite.rows import COLUMNS, find_workspace, read_memory
from app.backends.sqlite.selection import select_filter
from app.backends.sqlite.stamp import read_identity, write_identity
from app.backends.sqlite.statements import list_places, round_up, select_row, select_rows
from app.backends.sqlite.tallies import read_contents
from app.backends.sqlite.workspaces import ensure_workspace
from app.backends.tallies import EMPTY
from app.domain.change import Add, ChangeBatch, Changed, Committed
from app.domain.memory import Memory, Scope
from app.domain.query import MemoryFilter, Page
from app.domain.workspace import Contents
from app.ports import Clock

_SELECT = f"SELECT {COLUMNS} FROM chunks_default"


class SqliteMemoryStore:
    """Keeps memories in one SQLite file; a commit returns when its transaction is on disk."""

    def __init__(self, writer: Writer, readers: Readers, *, embedding: ProcessEmbedding, clock: Clock) -> None:
        self._writer, self._readers = writer, readers
        self._embedding, self._clock = embedding, clock

    def commit(self, batch: ChangeBatch) -> Committed:
        """Apply a batch whole and durably."""
        return self._writer.write(lambda connection: self._apply(connection, batch))

    def _apply(self, connection: apsw.Connection, batch: ChangeBatch) -> Committed:
        now_ms = self._clock.now_ms()
        if batch.receipt is not None and (earlier := self._replay(connection, batch, now_ms)) is not None:
            return earlier
        self._embedding.compare(read_identity(connection))
        identity = self._embedding.identity
        adds = any(isinstance(change, Add) for change in batch.changes)
        workspace = (
            ensure_workspace(connection, batch.scope, now_ms) if adds else find_workspace(connection, batch.scope)
        )
        if workspace is None:
            outcomes = miss_all(batch)
        else:
            rows = RowWriter(connection, batch.scope, workspace, now_ms=now_ms)
            changes = ChangeWriter(rows, batch.scope, identity=identity, now_ms=now_ms)
            if batch.skip_missing:
                changes.remember_graves(batch.changes)
            outcomes = tuple(changes.apply(change, skip_missing=batch.skip_missing) for change in batch.changes)
            changes.finish()
            if changes.wrote_vector and read_identity(connection) is None:
                write_identity(connection, identity)
        if batch.receipt is not None:
            self._keep_receipt(connection, batch, outcomes, now_ms)
        return Committed(outcomes=outcomes)

    def _replay(self, connection: apsw.Connection, batch: ChangeBatch, now_ms: int) -> Committed | None:
        scope, receipt = batch.scope, batch.receipt
        if receipt is None:
            return None
        connection.execute("DELETE FROM receipts WHERE created_at <= ?", (now_ms - RECEIPT_MS,))
        row = select_row(
            connection,
            "SELECT request_sha256, outcomes FROM receipts WHERE tenant_id = ? AND workspace_id = ? AND key = ?",
            (scope.tenant_id, scope.workspace_id, receipt.key),
        )
        if row is None:
            return None
        check_request(receipt, row[0])
        kept = json.loads(row[1])
        ids = [each[1] for each in kept]
        live = {memory.id: memory for memory in self._read(connection, scope, ids, deleted=False)}
        return replay(kept, live)

    @staticmethod
    def _keep_receipt(
        connection: apsw.Connection, batch: ChangeBatch, outcomes: Sequence[Changed], now_ms: int
    ) -> None:
        if batch.receipt is None:
            return
        connection.execute(
            "INSERT INTO receipts VALUES (?, ?, ?, ?, ?, ?)",
            (
                batch.scope.tenant_id,
                batch.scope.workspace_id,
                batch.receipt.key,
                batch.receipt.request_sha256,
                dump_json(list_outcomes(outcomes)),
                now_ms,
            ),
        )

    @staticmethod
    def _read(connection: apsw.Connection, scope: Scope, ids: Sequence[str], *, deleted: bool) -> tuple[Memory, ...]:
        workspace = find_workspace(connection, scope)
        if workspace is None or not ids:
            return ()
        found: dict[str, Memory] = {}
        condition = "text <> ''" if deleted else "deleted_at IS NULL"
        for start in range(0, len(ids), 512):
            part = round_up(list(ids)[start : start + 512])
            sql = f"{_SELECT} WHERE workspace = ? AND id IN ({list_places(len(part))}) AND {condition}"
            found |= {row[1]: read_memory(row) for row in connection.execute(sql, (workspace, *part))}
        return tuple(found[key] for key in dict.fromkeys(ids) if key in found)

    def get(self, scope: Scope, memory_ids: Sequence[str], *, deleted: bool = False) -> tuple[Memory, ...]:
        """The live memories of these ids, in their order."""
        with self._readers.lend() as connection:
            return self._read(connection, scope, memory_ids, deleted=deleted)

    def scan(
        self, scope: Scope, memory_filter: MemoryFilter, *, limit: int, cursor: str = "", superseded: bool = False
    ) -> Page[Memory]:
        """A page of live memories in the order of their ids."""
        listing = f"memories/{scope.tenant_id}/{scope.workspace_id}"
        after = read_cursor(listing, cursor)
        with self._readers.lend() as connection:
            workspace = find_workspace(connection, scope)
            if workspace is None:
                return Page(items=())
            where, values = select_filter(memory_filter, workspace)
            past = "" if superseded else " AND superseded = 0"
            sql = f"{_SELECT} WHERE workspace = ? AND id > ? AND deleted_at IS NULL{past}{where} ORDER BY id LIMIT ?"
            rows = select_rows(connection, sql, (workspace, after, *values, limit + 1))
        items = tuple(read_memory(row) for row in rows[:limit])
        return Page(items=items, next_cursor=make_cursor(listing, items[-1].id) if len(rows) > limit else "")

    def purge(self, scope: Scope, *, deleted_before_ms: int | None = None, user_id: str | None = None) -> int:
        """Erase text, vectors and index entries for good, also from the write-ahead log."""

        def work(connection: apsw.Connection) -> int:
            workspace = find_workspace(connection, scope)
            if workspace is None:
                return 0
            numbers, memories = erase(
                connection,
                scope,
                workspace,
                deleted_before_ms=deleted_before_ms,
                user_id=user_id,
                now_ms=self._clock.now_ms(),
            )
            forget_moved(connection, workspace, numbers)
            return memories

        erased = self._writer.write(work)
        self._writer.checkpoint()  # also where nothing was left to erase: an earlier purge may have been cut short
        return erased

    def contents(self, scope: Scope) -> Contents:
        """What a workspace holds."""
        with self._readers.lend_snapshot() as connection:
            workspace = find_workspace(connection, scope)
            if workspace is None:
                return EMPTY
            row = select_row(
                connection,
                "SELECT count(*) FROM users WHERE tenant_id = ? AND workspace_id = ?",
                (scope.tenant_id, scope.workspace_id),
            )
            return read_contents(connection, workspace, 0 if row is None else int(row[0]))

    def close(self) -> None:
        """Finish what is queued, then close every connection."""
        try:
            self._writer.close()
        finally:
            self._readers.close()

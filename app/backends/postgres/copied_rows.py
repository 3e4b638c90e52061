"""Writes rows of another store as they stand, with everything that is derived from them."""

from collections.abc import Sequence
from dataclasses import replace

from app.backends.copied_rows import CopyRules
from app.backends.postgres.derived import VECTORS
from app.backends.postgres.row_writer import RowWriter
from app.backends.postgres.stamps import Stamps
from app.backends.postgres.statements import Connection
from app.backends.postgres.vectors import insert_vectors, pack_vector
from app.backends.stored import Stored
from app.domain.copying import CopiedMemory
from app.domain.embedding import Vector
from app.domain.memory import Memory, Scope

_ADVANCE = "SELECT setval('store_hlc', %s) FROM store_hlc WHERE last_value < %s"


class CopiedRows(RowWriter, CopyRules):
    """The rows of a workspace that is held, into which copies are put; `finish` writes what is left."""

    def __init__(
        self,
        connection: Connection,
        scope: Scope,
        workspace: int,
        *,
        now_ms: int,
        memories: Sequence[CopiedMemory],
    ) -> None:
        super().__init__(connection, scope, workspace, now_ms=now_ms)
        self._stamps = Stamps(connection, now_ms=now_ms, expected=len(memories))
        self._note_absent("id", (each.memory.id for each in memories))
        self._newest_hlc = max((each.memory.hlc for each in memories), default=0)

    def _stamped(self, memory: Memory) -> Memory:
        """A memory with a place in the order of this store's writes."""
        return replace(memory, seq=self._stamps.take()[0])

    def _turn(self, found: Stored, memory: Memory, vector: Vector | None) -> None:
        """Write a row anew whose text is the same, whether it was or is a tombstone."""
        was_live, is_live = found.memory.deleted_ms is None, memory.deleted_ms is None
        if was_live and is_live:
            self.replace(found, memory)
        elif was_live:
            self.bury([found], [memory])
        elif is_live:
            self.unearth(found, memory, None)
        else:
            self._update_row(found, memory)
        self._add_vector(found, vector)

    def _add_vector(self, found: Stored, vector: Vector | None) -> bool:
        """Keep a vector where there is none."""
        self.flush()
        if vector is None:
            return False
        row = (found.number, self.workspace, pack_vector(vector))
        return insert_vectors(self._connection, VECTORS, [row], replace=False) > 0

    def _erase(self, found: Stored, memory: Memory) -> None:
        if found.memory.deleted_ms is None:
            self.bury([found], [memory])
        else:
            self._update_row(found, memory)
        self._derived.forget_vectors([found.number])

    def _forget_hash(self, number: int) -> None:
        self._connection.execute("UPDATE chunks_default SET hash = '' WHERE number = %s", (number,))

    def _drop(self, found: Stored) -> None:
        """Remove a row whose memory has another text, which gets a number of its own."""
        self.flush()
        if found.memory.deleted_ms is None:
            self._derived.remove([(found.number, found.memory)])
        self._derived.forget_vectors([found.number])
        self._connection.execute("DELETE FROM chunks_default WHERE number = %s", (found.number,))
        self._tally.count(found.memory, -1)

    def finish(self) -> None:
        """Write what is left; sources of which no text is left go, and later writes get a later clock."""
        super().finish()
        if self.erased:
            self._connection.execute(
                "DELETE FROM files_default f WHERE tenant_id = %s AND workspace_id = %s AND NOT EXISTS"
                " (SELECT 1 FROM chunks_default c WHERE c.workspace = %s AND (c.path, c.source) = (f.path, f.source))",
                (self.scope.tenant_id, self.scope.workspace_id, self.workspace),
            )
        self._connection.execute(_ADVANCE, (self._newest_hlc, self._newest_hlc))

"""Writes rows of another store as they stand, with everything that is derived from them."""

from dataclasses import replace

from app.backends.copied_rows import CopyRules
from app.backends.sqlite.moves import forget_moved
from app.backends.sqlite.row_writer import RowWriter
from app.backends.sqlite.stamp import raise_generation
from app.backends.sqlite.statements import select_row
from app.backends.sqlite.vectors import pack_signs, pack_vector
from app.backends.stored import Stored
from app.domain.embedding import Vector
from app.domain.memory import Memory


class CopiedRows(RowWriter, CopyRules):
    """The rows of a workspace, into which copies are put; `finish` writes what is left, the tallies and the clock."""

    def _stamped(self, memory: Memory) -> Memory:
        """A memory with a place in the order of this store's writes; later ones get a later clock."""
        seq = int(self.stamp()["seq"])
        self._hlc = max(self._hlc, memory.hlc)
        return replace(memory, seq=seq)

    def _turn(self, found: Stored, memory: Memory, vector: Vector | None) -> None:
        """Write a row anew whose text is the same, whether it was or is a tombstone."""
        was_live, is_live = found.memory.deleted_ms is None, memory.deleted_ms is None
        if was_live and is_live:
            self.replace(found, memory)
        elif was_live:
            self.bury([found], [memory])
        elif is_live:
            self.unearth(found, memory, vector)
            self.flush()
        else:
            self._update_row(found, memory)
            self._derived.touch(found.number, memory)
        self._add_vector(replace(found, memory=memory), vector)

    def _add_vector(self, found: Stored, vector: Vector | None) -> bool:
        """Keep a vector where there is none."""
        self.flush()
        sql = "SELECT 1 FROM chunks_vec_default WHERE number = ?"
        if vector is None or select_row(self._connection, sql, (found.number,)) is not None:
            return False
        if found.memory.deleted_ms is None:
            self._derived.add_vector(found.number, found.memory, pack_vector(vector), pack_signs(vector))
            return True
        owner = (self.scope.tenant_id, self.scope.workspace_id)
        row = (found.number, found.memory.id, *owner, pack_vector(vector))
        self._connection.execute("INSERT INTO chunks_vec_default VALUES (?, ?, ?, ?, ?)", row)
        return True

    def _erase(self, found: Stored, memory: Memory) -> None:
        if found.memory.deleted_ms is None:
            self.bury([found], [memory])
        else:
            self._update_row(found, memory)
            self._derived.touch(found.number, memory)
        self._derived.forget_vectors([found.number])

    def _forget_hash(self, number: int) -> None:
        self._connection.execute("UPDATE chunks_default SET hash = '' WHERE number = ?", (number,))

    def _drop(self, found: Stored) -> None:
        """Remove a row whose memory has another text, which gets a number of its own; every process looks anew."""
        self.flush()
        number = found.number
        if found.memory.deleted_ms is None:
            self._derived.remove([(number, found.memory)])
        self._derived.forget_vectors([number])
        forget_moved(self._connection, self.workspace, [number])
        place = (self.workspace, number)
        self._connection.execute("DELETE FROM chunks_slab_default WHERE workspace = ? AND number = ?", place)
        self._connection.execute("DELETE FROM chunks_default WHERE workspace = ? AND number = ?", place)
        self._tally.count(found.memory, -1)
        raise_generation(self._connection)

    def finish(self) -> None:
        """Write what is left; sources of which no text is left go, and the full-text index is rewritten."""
        super().finish()
        if self.erased:
            self._connection.execute(
                "DELETE FROM files_default WHERE tenant_id = ? AND workspace_id = ?"
                " AND (path, source) NOT IN (SELECT path, source FROM chunks_default WHERE workspace = ?)",
                (self.scope.tenant_id, self.scope.workspace_id, self.workspace),
            )
            self._connection.execute("INSERT INTO chunks_fts_default (chunks_fts_default) VALUES ('optimize')")

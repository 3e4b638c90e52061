"""Notes of the memories that a vector index beside the store has not been told yet."""

from collections.abc import Sequence

import apsw
import numpy as np

from app.backends.sqlite.connections import Readers, Writer
from app.backends.sqlite.rows import COLUMNS, read_memory
from app.backends.sqlite.stamp import read_identity
from app.backends.sqlite.statements import list_places, round_up, select_row, select_rows
from app.backends.sqlite.vectors import read_vectors
from app.domain.embedding import Vector
from app.domain.indexing import IndexEntry
from app.domain.memory import Memory, Scope
from app.ports import Clock

_PART = 512
"""Numbers in one statement."""

_FOUND_BY = (
    *("id", "tenant_id", "workspace_id", "kind", "layer", "text", "when_to_use", "user_id", "author", "tags"),
    *("metadata", "created_at", "valid_from", "valid_to", "deleted_at", "superseded"),
)
"""What an index is searched by. A counted use changes none of it, and is not noted."""


def _note(row: str) -> str:
    """Write the note of a row anew, at the end; a claim of it lasts on. OR REPLACE is the policy of no upsert's."""
    held = f"(SELECT {{}} FROM index_notes WHERE number = {row}.number)"
    return (
        "INSERT OR REPLACE INTO index_notes (number, tenant_id, workspace_id, claimed, leased_until) VALUES"
        f" ({row}.number, {row}.tenant_id, {row}.workspace_id,"
        f" coalesce({held.format('claimed')}, 0), coalesce({held.format('leased_until')}, 0));"
    )


_DIFFERS = " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in _FOUND_BY)
_TRIGGERS = {
    "index_notes_added": f"AFTER INSERT ON chunks_default BEGIN {_note('NEW')} END",
    "index_notes_changed": f"AFTER UPDATE ON chunks_default WHEN {_DIFFERS} BEGIN {_note('NEW')} END",
    "index_notes_removed": f"AFTER DELETE ON chunks_default BEGIN {_note('OLD')} END",
    "index_notes_vector_added": f"AFTER INSERT ON chunks_vec_default BEGIN {_note('NEW')} END",
    "index_notes_vector_changed": (
        f"AFTER UPDATE ON chunks_vec_default WHEN OLD.embedding IS NOT NEW.embedding BEGIN {_note('NEW')} END"
    ),
    "index_notes_vector_removed": f"AFTER DELETE ON chunks_vec_default BEGIN {_note('OLD')} END",
}


class SqliteIndexFeed:
    """The `IndexFeed` of the SQLite file. Triggers write the notes, in the transaction of each change."""

    def __init__(self, writer: Writer, readers: Readers, *, clock: Clock) -> None:
        self._writer, self._readers, self._clock = writer, readers, clock

    def attached(self) -> str:
        """The mark of the collection that the notes are for; empty where none is attached."""
        with self._readers.lend() as connection:
            return _read_mark(connection)

    def attach(self, mark: str) -> int:
        """Note from now on, and note every memory that is not deleted."""

        def work(connection: apsw.Connection) -> int:
            if _read_mark(connection) == mark:
                return 0
            forget_notes(connection)
            connection.execute("INSERT INTO index_feed VALUES (1, ?)", (mark,))
            for name, does in _TRIGGERS.items():
                connection.execute(f"CREATE TRIGGER {name} {does}")
            connection.execute(
                "INSERT INTO index_notes (number, tenant_id, workspace_id, claimed, leased_until)"
                " SELECT number, tenant_id, workspace_id, 0, 0 FROM chunks_default WHERE deleted_at IS NULL"
            )
            return connection.changes()

        return self._writer.write(work)

    def detach(self) -> None:
        """Stop, and forget the notes."""
        self._writer.write(forget_notes)

    def claim(self, limit: int, *, lease_ms: int) -> Sequence[IndexEntry]:
        """Some that nobody has claimed, oldest note first."""

        def work(connection: apsw.Connection) -> list[tuple[int, int]]:
            now_ms = self._clock.now_ms()
            notes = select_rows(
                connection,
                "SELECT number, claim FROM index_notes WHERE leased_until <= ? ORDER BY claim LIMIT ?",
                (now_ms, limit),
            )
            connection.executemany(
                "UPDATE index_notes SET claimed = claim, leased_until = ? WHERE claim = ?",
                [(now_ms + lease_ms, claim) for _, claim in notes],
            )
            return [(number, claim) for number, claim in notes]

        if not self._waits():
            return ()
        notes = self._writer.write(work)
        # Read after the claim, so what is told is as new as the note or newer; in the latter case it is told again.
        with self._readers.lend_snapshot() as connection:
            memories, vectors = _read_entries(connection, [number for number, _ in notes])
        return tuple(
            IndexEntry(number=number, claim=claim, memory=memories.get(number), vector=vectors.get(number))
            for number, claim in notes
        )

    def settle(self, entries: Sequence[IndexEntry]) -> None:
        """Forget the notes, but for those of memories that changed again since the claim."""

        def work(connection: apsw.Connection) -> None:
            connection.executemany("DELETE FROM index_notes WHERE claim = ?", [(entry.claim,) for entry in entries])
            _release(connection, entries)

        self._writer.write(work)

    def release(self, entries: Sequence[IndexEntry]) -> None:
        """Let others claim them."""
        self._writer.write(lambda connection: _release(connection, entries))

    def waiting(self, scope: Scope | None = None, *, limit: int) -> Sequence[int]:
        """Numbers that the index has not been told."""
        where = "" if scope is None else " WHERE tenant_id = ? AND workspace_id = ?"
        place = () if scope is None else (scope.tenant_id, scope.workspace_id)
        with self._readers.lend() as connection:
            rows = select_rows(connection, f"SELECT number FROM index_notes{where} LIMIT ?", (*place, limit))
        return [number for (number,) in rows]

    def _waits(self) -> bool:
        """Whether there is a note to claim, so that looking for one every second writes nothing."""
        with self._readers.lend() as connection:
            sql = "SELECT 1 FROM index_notes WHERE leased_until <= ? LIMIT 1"
            return select_row(connection, sql, (self._clock.now_ms(),)) is not None


def forget_notes(connection: apsw.Connection) -> None:
    """Write no more notes, and remove those that there are."""
    for name in _TRIGGERS:
        connection.execute(f"DROP TRIGGER IF EXISTS {name}")
    connection.execute("DELETE FROM index_notes; DELETE FROM index_feed")


def _read_mark(connection: apsw.Connection) -> str:
    row = select_row(connection, "SELECT mark FROM index_feed")
    return "" if row is None else str(row[0])


def _release(connection: apsw.Connection, entries: Sequence[IndexEntry]) -> None:
    connection.executemany(
        "UPDATE index_notes SET leased_until = 0 WHERE number = ? AND claimed = ?",
        [(entry.number, entry.claim) for entry in entries],
    )


def _read_entries(connection: apsw.Connection, numbers: Sequence[int]) -> tuple[dict[int, Memory], dict[int, Vector]]:
    """The memories of these numbers that are not deleted, and their vectors."""
    memories: dict[int, Memory] = {}
    for start in range(0, len(numbers), _PART):
        part = round_up(numbers[start : start + _PART])
        sql = f"SELECT {COLUMNS} FROM chunks_default WHERE number IN ({list_places(len(part))}) AND deleted_at IS NULL"
        memories |= {row[0]: read_memory(row) for row in select_rows(connection, sql, part)}
    identity = read_identity(connection)
    if identity is None or not memories:
        return memories, {}
    keys, vectors = read_vectors(connection, np.array(list(memories), np.int64), identity.dimensions)
    return memories, {int(key): vectors[place] for place, key in enumerate(keys)}

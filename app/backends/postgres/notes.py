"""Notes of the memories that a vector index beside the store has not been told yet."""

from collections.abc import Sequence

from app.backends.postgres.connections import Database
from app.backends.postgres.locks import hold_embedding
from app.backends.postgres.rows import SELECT, read_memory
from app.backends.postgres.stamp import read_identity
from app.backends.postgres.statements import Connection, select_row, select_rows
from app.backends.postgres.vectors import read_vectors
from app.domain.embedding import Vector
from app.domain.indexing import IndexEntry
from app.domain.memory import Memory, Scope
from app.ports import Clock

_ATTACH_S = 3_600.0
"""So long may the noting of everything take; a million memories take seconds."""

_FOUND_BY = (
    "id",
    "kind",
    "layer",
    "text",
    "when_to_use",
    "user_id",
    "author",
    "tags",
    "metadata::text",
    "created_at",
    "valid_from",
    "valid_to",
    "deleted_at",
    "superseded",
)
"""What an index is searched by. A counted use changes none of it, and is not noted."""
_DIFFERS = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in _FOUND_BY)

_TRIGGERS = (
    ("index_notes_memory", "chunks_default", "INSERT OR DELETE", ""),
    ("index_notes_changed_memory", "chunks_default", "UPDATE", f"WHEN ({_DIFFERS})"),
    ("index_notes_vector", "chunks_vec_default", "INSERT OR DELETE", ""),
    (
        "index_notes_changed_vector",
        "chunks_vec_default",
        "UPDATE",
        "WHEN (OLD.embedding IS DISTINCT FROM NEW.embedding)",
    ),
)
_NOTE_ALL = (
    "INSERT INTO index_notes (number, workspace)"
    " SELECT number, workspace FROM chunks_default WHERE deleted_at IS NULL ORDER BY number"
)
_WORKSPACE = "SELECT number FROM workspaces WHERE tenant_id = %s AND workspace_id = %s"
_FREE = "SELECT {} FROM index_notes WHERE leased_until <= %s"
_CLAIM = (
    "UPDATE index_notes SET claimed = claim, leased_until = %s WHERE number = ANY(ARRAY("
    f"{_FREE.format('number')} ORDER BY claim LIMIT %s FOR UPDATE SKIP LOCKED)) RETURNING number, claim"
)
_HOLD = (
    "SELECT number, claim FROM index_notes JOIN unnest(%s::bigint[], %s::bigint[]) AS told (number, claimed)"
    " USING (number, claimed) FOR UPDATE OF index_notes SKIP LOCKED"
)
"""The notes of claims; those that a change is writing anew are left to the end of their lease, so that nobody waits."""


class PostgresIndexFeed:
    """The `IndexFeed` of the database. Triggers write the notes, in the transaction of each change on any node."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def attached(self) -> str:
        """The mark of the collection that the notes are for; empty where none is attached."""
        return self._database.ask(_read_mark)

    def attach(self, mark: str) -> int:
        """Note from now on, and note every memory that is not deleted. Changes on all nodes wait meanwhile."""

        def work(connection: Connection) -> int:
            hold_embedding(connection)
            if _read_mark(connection) == mark:
                return 0
            connection.execute("DELETE FROM index_notes")
            connection.execute("DELETE FROM index_feed")
            connection.execute("INSERT INTO index_feed (mark) VALUES (%s)", (mark,))
            # Waits for whoever changes a memory at this moment, and lets nobody begin before the commit: each change is
            # among all that there is, or is noted.
            for name, table, events, condition in _TRIGGERS:
                connection.execute(
                    f"CREATE OR REPLACE TRIGGER {name} AFTER {events} ON {table} FOR EACH ROW {condition}"
                    " EXECUTE FUNCTION note_for_index()"
                )
            return connection.execute(_NOTE_ALL).rowcount

        if self.attached() == mark:
            return 0
        return self._database.write(work, statement_timeout_s=_ATTACH_S)

    def detach(self) -> None:
        """Stop, and forget the notes."""

        def work(connection: Connection) -> None:
            hold_embedding(connection)
            forget_notes(connection)

        self._database.write(work, statement_timeout_s=_ATTACH_S)

    def claim(self, limit: int, *, lease_ms: int) -> Sequence[IndexEntry]:
        """Some that nobody has claimed, oldest note first."""
        now_ms = self._clock.now_ms()

        def work(connection: Connection) -> list[tuple[int, int]]:
            rows = select_rows(connection, _CLAIM, (now_ms + lease_ms, now_ms, limit))
            return sorted(((number, claim) for number, claim in rows), key=lambda note: note[1])

        if (
            self._database.ask(lambda connection: select_row(connection, f"{_FREE.format(1)} LIMIT 1", (now_ms,)))
            is None
        ):
            return ()  # looking for a note every second writes nothing
        notes = self._database.write(work)
        # Read after the claim, so what is told is as new as the note or newer; in the latter case it is told again.
        numbers = [number for number, _ in notes]
        memories, vectors = self._database.ask(lambda connection: _read_entries(connection, numbers), snapshot=True)
        return tuple(
            IndexEntry(number=number, claim=claim, memory=memories.get(number), vector=vectors.get(number))
            for number, claim in notes
        )

    def settle(self, entries: Sequence[IndexEntry]) -> None:
        """Forget the notes, but for those of memories that changed again since the claim."""
        told = {entry.number: entry.claim for entry in entries}

        def work(connection: Connection) -> None:
            held = _hold(connection, entries)
            unchanged = [number for number, claim in held if told[number] == claim]
            connection.execute("DELETE FROM index_notes WHERE number = ANY(%s)", (unchanged,))
            _free(connection, [number for number, claim in held if told[number] != claim])

        if entries:
            self._database.write(work)

    def release(self, entries: Sequence[IndexEntry]) -> None:
        """Let others claim them."""
        if entries:
            self._database.write(
                lambda connection: _free(connection, [number for number, _ in _hold(connection, entries)])
            )

    def waiting(self, scope: Scope | None = None, *, limit: int) -> Sequence[int]:
        """Numbers that the index has not been told."""
        if scope is None:
            where: str = ""
            values: tuple[str | int, ...] = (limit,)
        else:
            where, values = f" WHERE workspace = ({_WORKSPACE})", (scope.tenant_id, scope.workspace_id, limit)
        sql = f"SELECT number FROM index_notes{where} LIMIT %s"
        rows = self._database.ask(lambda connection: select_rows(connection, sql, values))
        return [number for (number,) in rows]


def forget_notes(connection: Connection) -> None:
    """Write no more notes, and remove those that there are. The transaction holds the embedding (`hold_embedding`)."""
    if not _read_mark(connection):
        return
    for name, table, _, _ in _TRIGGERS:
        connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
    connection.execute("DELETE FROM index_notes")
    connection.execute("DELETE FROM index_feed")


def _read_mark(connection: Connection) -> str:
    row = select_row(connection, "SELECT mark FROM index_feed")
    return "" if row is None else str(row[0])


def _hold(connection: Connection, entries: Sequence[IndexEntry]) -> list[tuple[int, int]]:
    """The numbers of claims that nobody else has been given since, and the claims of their notes as they now are."""
    claims = ([entry.number for entry in entries], [entry.claim for entry in entries])
    return [(number, claim) for number, claim in select_rows(connection, _HOLD, claims)]


def _free(connection: Connection, numbers: Sequence[int]) -> None:
    if numbers:
        connection.execute("UPDATE index_notes SET leased_until = 0 WHERE number = ANY(%s)", (list(numbers),))


def _read_entries(connection: Connection, numbers: Sequence[int]) -> tuple[dict[int, Memory], dict[int, Vector]]:
    """The memories of these numbers that are not deleted, and their vectors."""
    rows = select_rows(connection, f"{SELECT} WHERE number = ANY(%s) AND deleted_at IS NULL", (list(numbers),))
    memories = {row[0]: read_memory(row) for row in rows}
    identity = read_identity(connection)
    if identity is None or not memories:
        return memories, {}
    return memories, read_vectors(connection, memories, identity.dimensions)

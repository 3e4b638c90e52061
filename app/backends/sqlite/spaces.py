"""A move of the store's vectors to another embedding."""

from collections.abc import Sequence

import apsw

from app.backends.identities import ProcessEmbedding
from app.backends.sqlite.connections import Readers, Writer
from app.backends.sqlite.moves import CREATE, DROP
from app.backends.sqlite.notes import forget_notes
from app.backends.sqlite.rows import find_workspace
from app.backends.sqlite.stamp import (
    raise_generation,
    read_identity,
    read_target,
    write_identity,
    write_target,
)
from app.backends.sqlite.statements import Row, select_number, select_row, select_rows
from app.backends.sqlite.vectors import pack_signs, pack_vector
from app.backends.vectors import check_vector
from app.domain.embedding import EmbeddingIdentity, Lacking, Vector
from app.domain.memory import Scope, embedded_text
from app.errors import InvalidRequest, StoreBusy

_INTO = "chunks_vec_default_next", "chunks_bits_default_next"
_HERE = "chunks_vec_default", "chunks_bits_default"
_KEPT = f"SELECT 1 FROM {_HERE[0]} WHERE number = ?"
_LACKING_OF_ONE = (  # the records are in the order of the numbers of a workspace
    "SELECT {} FROM chunks_slab_default s JOIN chunks_default c ON c.number = s.number"
    " WHERE s.workspace = ? AND s.number > ? AND c.deleted_at IS NULL"
    f" AND NOT EXISTS (SELECT 1 FROM {_HERE[0]} v WHERE v.number = s.number) ORDER BY s.number LIMIT ?"
)
_LIVE = "SELECT workspace, id, tenant_id, workspace_id FROM chunks_default WHERE number = ? AND deleted_at IS NULL"


def _pending(connection: apsw.Connection) -> str:
    """The rows that lack a vector of the target; a move to the same embedding fills in what is missing."""
    return _without(_HERE[0] if read_target(connection) == read_identity(connection) else _INTO[0])


def _without(vectors: str) -> str:
    """The live rows behind a number that a table has no vector of."""
    return (
        "FROM chunks_default c WHERE c.number > ? AND c.deleted_at IS NULL"
        f" AND NOT EXISTS (SELECT 1 FROM {vectors} v WHERE v.number = c.number)"
    )


def _require_target(connection: apsw.Connection) -> EmbeddingIdentity:
    target = read_target(connection)
    if target is None:
        raise InvalidRequest("no move to another embedding was begun: start it with `reme reembed`")
    return target


class SqliteVectorSpaces:
    """A move fills tables beside the ones in use, then takes their place in one transaction.

    Searches and writes go on meanwhile. A number belongs to one text for good, so a vector that comes
    after its text was changed stands for the earlier revision, and the new text is pending. Other
    processes, which embed as before, get `EmbeddingMismatch` after the cut-over until they are
    started anew.
    """

    def __init__(self, writer: Writer, readers: Readers, *, embedding: ProcessEmbedding) -> None:
        self._writer, self._readers = writer, readers
        self._embedding = embedding
        self._reached = 0

    def identity(self) -> EmbeddingIdentity | None:
        """What the store's vectors were made with."""
        with self._readers.lend() as connection:
            return read_identity(connection)

    def begin(self, target: EmbeddingIdentity) -> int:
        """Start a move, or go on with the one to this target; a move to another target is given up."""

        def work(connection: apsw.Connection) -> int:
            if read_target(connection) != target:
                connection.execute(DROP)
            connection.execute(CREATE)
            write_target(connection, target)
            return select_number(connection, f"SELECT count(*) {_pending(connection)}", (0,))

        self._reached = 0
        return self._writer.write(work)

    def pending(self, limit: int) -> Sequence[tuple[int, str]]:
        """Numbers and texts that lack a vector of the target, oldest text first; none where no move was begun."""
        with self._readers.lend() as connection:
            if read_target(connection) is None:
                return []
            rows = self._read_pending(connection, limit)
            if len(rows) < limit and self._reached:  # what was behind may have changed: look from the start
                self._reached = 0
                rows = self._read_pending(connection, limit)
        return [(number, embedded_text(when_to_use, text)) for number, when_to_use, text in rows]

    def _read_pending(self, connection: apsw.Connection, limit: int) -> list[Row]:
        sql = f"SELECT c.number, c.when_to_use, c.text {_pending(connection)} ORDER BY c.number LIMIT ?"
        return select_rows(connection, sql, (self._reached, limit))

    def supply(self, vectors: Sequence[tuple[int, Vector]]) -> None:
        """Keep vectors of the target; those of memories that went meanwhile are dropped."""

        def work(connection: apsw.Connection) -> None:
            target = _require_target(connection)
            same = target == read_identity(connection)
            for number, vector in vectors:
                check_vector(vector, target)
                row = select_row(connection, _LIVE, (number,))
                if row is not None:
                    _keep(connection, number, row, vector, same=same)

        self._writer.write(work)
        self._reached = max((self._reached, *(number for number, _ in vectors)))

    def lacking(self, limit: int, *, scope: Scope | None = None, after: int = 0) -> Sequence[Lacking]:
        """Live memories behind a number without a vector of the store's own embedding, oldest text first."""
        columns = "c.number, c.tenant_id, c.workspace_id, c.when_to_use, c.text"
        with self._readers.lend() as connection:
            if scope is None:
                sql = f"SELECT {columns} {_without(_HERE[0])} ORDER BY c.number LIMIT ?"
                rows = select_rows(connection, sql, (after, limit))
            else:
                workspace = find_workspace(connection, scope)
                rows = select_rows(connection, _LACKING_OF_ONE.format(columns), (workspace, after, limit))
        return [
            Lacking(
                number=number, scope=Scope(tenant_id=tenant, workspace_id=workspace), text=embedded_text(when, text)
            )
            for number, tenant, workspace, when, text in rows
        ]

    def fill(self, vectors: Sequence[tuple[int, Vector]]) -> int:
        """Keep vectors for live memories that lack one, of the embedding of this process and the store."""

        def work(connection: apsw.Connection) -> int:
            self._embedding.compare(read_identity(connection))
            kept = 0
            for number, vector in vectors:
                check_vector(vector, self._embedding.identity)
                row = select_row(connection, _LIVE, (number,))
                if row is not None and select_row(connection, _KEPT, (number,)) is None:
                    _keep(connection, number, row, vector, same=True)
                    kept += 1
            if kept and read_identity(connection) is None:
                write_identity(connection, self._embedding.identity)
            return kept

        return self._writer.write(work)

    def cut_over(self) -> None:
        """Make the target the store's embedding in one transaction; `StoreBusy` while memories are pending."""

        def work(connection: apsw.Connection) -> EmbeddingIdentity:
            target = _require_target(connection)
            lacking = select_number(connection, f"SELECT count(*) {_pending(connection)}", (0,))
            if lacking:
                raise StoreBusy(f"{lacking} memories lack a vector of {target}: go on with `reme reembed`")
            if target != read_identity(connection):
                forget_notes(connection)  # they are for an index of other vectors
                connection.execute(
                    "DELETE FROM chunks_vec_default; DELETE FROM chunks_bits_default;"
                    "INSERT INTO chunks_vec_default SELECT n.number, c.id, c.tenant_id, c.workspace_id, n.embedding"
                    " FROM chunks_vec_default_next n JOIN chunks_default c ON c.number = n.number;"
                    "INSERT INTO chunks_bits_default SELECT workspace, number, bits FROM chunks_bits_default_next"
                )
                write_identity(connection, target)
                raise_generation(connection)
            connection.execute(DROP)
            write_target(connection, None)
            return target

        self._embedding.identity = self._writer.write(work)
        self._writer.checkpoint()

    def abandon(self) -> None:
        """Give up a move and its vectors."""

        def work(connection: apsw.Connection) -> None:
            connection.execute(DROP)
            write_target(connection, None)

        self._writer.write(work)


def _keep(connection: apsw.Connection, number: int, row: Row, vector: Vector, *, same: bool) -> None:
    workspace, memory_id, tenant_id, workspace_id = row
    vectors, signs = _HERE if same else _INTO
    extra = (memory_id, tenant_id, workspace_id) if same else ()
    places = ", ".join("?" * (len(extra) + 2))
    connection.execute(f"INSERT OR REPLACE INTO {vectors} VALUES ({places})", (number, *extra, pack_vector(vector)))
    connection.execute(f"INSERT OR REPLACE INTO {signs} VALUES (?, ?, ?)", (workspace, number, pack_signs(vector)))
    if same:  # processes that hold the workspace in RAM look for rows with a newer seq
        connection.execute("UPDATE store_clock SET seq = seq + 1")
        connection.execute(
            "UPDATE chunks_slab_default SET seq = (SELECT seq FROM store_clock) WHERE workspace = ? AND number = ?",
            (workspace, number),
        )

"""A move of the store's vectors to another embedding."""

from collections.abc import Sequence

from app.backends.identities import ProcessEmbedding
from app.backends.postgres.connections import Database
from app.backends.postgres.derived import VECTORS, VECTORS_NEXT
from app.backends.postgres.indexes import IndexKeeper, check_dimensions, choose_storage, drop_nearest
from app.backends.postgres.locks import hold_embedding, share_embedding
from app.backends.postgres.notes import forget_notes
from app.backends.postgres.stamp import (
    raise_generation,
    read_identity,
    read_target,
    stamp_store,
    write_identity,
    write_target,
)
from app.backends.postgres.statements import Connection, Row, select_number, select_rows
from app.backends.postgres.vectors import insert_vectors, pack_vector
from app.backends.vectors import check_vector
from app.domain.embedding import EmbeddingIdentity, Lacking, Vector
from app.domain.memory import Scope, embedded_text
from app.errors import InvalidRequest, StoreBusy

_COUNT_S = 600.0
"""So long may the counting of what lacks a vector take; a million memories take seconds."""
_LIVE = (
    "SELECT number, workspace FROM chunks_default WHERE number = ANY(%s::bigint[]) AND deleted_at IS NULL"
    " ORDER BY number FOR SHARE"
)
_WITHOUT = (
    "FROM chunks_default c WHERE c.number > %s AND c.deleted_at IS NULL"
    " AND NOT EXISTS (SELECT FROM {} v WHERE v.number = c.number)"
)
_OWN = " AND c.workspace = (SELECT number FROM workspaces WHERE tenant_id = %s AND workspace_id = %s)"
_CHANGE_NAMES = (
    f"ALTER TABLE {VECTORS} RENAME TO {VECTORS}_former; ALTER TABLE {VECTORS_NEXT} RENAME TO {VECTORS};"
    f" ALTER TABLE {VECTORS}_former RENAME TO {VECTORS_NEXT}"
)


class PostgresVectorSpaces:
    """A move fills the table beside the one in use, which then takes its name in one transaction.

    Searches and writes go on meanwhile. A number belongs to one text for good, so a vector that comes
    after its text was changed stands for the earlier revision, and the new text is pending. Other
    processes, which embed as before, get `EmbeddingMismatch` after the cut-over until they are
    started anew.
    """

    def __init__(self, database: Database, *, embedding: ProcessEmbedding, keeper: IndexKeeper) -> None:
        self._database, self._embedding, self._keeper = database, embedding, keeper
        self._reached = 0

    def identity(self) -> EmbeddingIdentity | None:
        """What the store's vectors were made with."""
        return self._database.ask(read_identity)

    # -- a move

    def begin(self, target: EmbeddingIdentity) -> int:
        """Start a move, or go on with the one to this target; a move to another target is given up."""
        check_dimensions(target)

        def work(connection: Connection) -> int:
            hold_embedding(connection)
            if read_target(connection) != target:
                _empty_next(connection)
                choose_storage(connection, VECTORS_NEXT, target.dimensions)
                write_target(connection, target)
            return _count_pending(connection, target)

        self._reached = 0
        return self._database.write(work, statement_timeout_s=_COUNT_S)

    def pending(self, limit: int) -> Sequence[tuple[int, str]]:
        """Numbers and texts that lack a vector of the target, oldest text first; none where no move was begun."""

        def work(connection: Connection) -> list[Row]:
            target = read_target(connection)
            if target is None:
                return []
            where = _WITHOUT.format(_find_table(connection, target))
            sql = f"SELECT c.number, c.when_to_use, c.text {where} ORDER BY c.number LIMIT %s"
            return select_rows(connection, sql, (self._reached, limit))

        rows = self._database.ask(work)
        if len(rows) < limit and self._reached:  # what was behind may have changed: look from the start
            self._reached = 0
            rows = self._database.ask(work)
        return [(number, embedded_text(when_to_use, text)) for number, when_to_use, text in rows]

    def supply(self, vectors: Sequence[tuple[int, Vector]]) -> None:
        """Keep vectors of the target; those of memories that went meanwhile are dropped."""

        def work(connection: Connection) -> None:
            share_embedding(connection)
            target = _require_target(connection)
            _keep(connection, _find_table(connection, target), vectors, target, replace=True)

        self._database.write(work)
        self._reached = max((self._reached, *(number for number, _ in vectors)))

    def cut_over(self) -> None:
        """Make the target the store's embedding in one transaction; `StoreBusy` while memories are pending.

        The index of the nearest is made before, while others write.
        """

        def work(connection: Connection) -> EmbeddingIdentity:
            hold_embedding(connection)
            target = _require_complete(connection)
            if target != read_identity(connection):
                forget_notes(connection)  # they are for an index of other vectors
                connection.execute(_CHANGE_NAMES, prepare=False)
                _empty_next(connection)
                write_identity(connection, target)
                raise_generation(connection)
            write_target(connection, None)
            return target

        target = self._database.write(_require_complete, statement_timeout_s=_COUNT_S)
        if target != self.identity():
            self._keeper.make(VECTORS_NEXT, target.dimensions)
        self._embedding.identity = self._database.write(work, statement_timeout_s=_COUNT_S)

    def abandon(self) -> None:
        """Give up a move and its vectors."""

        def work(connection: Connection) -> None:
            hold_embedding(connection)
            _empty_next(connection)
            write_target(connection, None)

        self._database.write(work)

    # -- what lacks a vector of the store's own embedding

    def lacking(self, limit: int, *, scope: Scope | None = None, after: int = 0) -> Sequence[Lacking]:
        """Live memories behind a number without a vector of the store's own embedding, oldest text first."""
        own, values = ("", ()) if scope is None else (_OWN, (scope.tenant_id, scope.workspace_id))
        sql = (
            "SELECT c.number, c.tenant_id, c.workspace_id, c.when_to_use, c.text"
            f" {_WITHOUT.format(VECTORS)}{own} ORDER BY c.number LIMIT %s"
        )
        rows = self._database.ask(lambda connection: select_rows(connection, sql, (after, *values, limit)))
        return [
            Lacking(
                number=number, scope=Scope(tenant_id=tenant, workspace_id=workspace), text=embedded_text(when, text)
            )
            for number, tenant, workspace, when, text in rows
        ]

    def fill(self, vectors: Sequence[tuple[int, Vector]]) -> int:
        """Keep vectors for live memories that lack one, of the embedding of this process and the store."""

        def work(connection: Connection) -> int:
            share_embedding(connection)
            stamped = read_identity(connection)
            self._embedding.compare(stamped)
            kept = _keep(connection, VECTORS, vectors, self._embedding.identity, replace=False)
            if kept and stamped is None:
                stamp_store(connection, self._embedding)
            return kept

        kept = self._database.write(work)
        self._keeper.note_written(kept)
        return kept


def _require_target(connection: Connection) -> EmbeddingIdentity:
    target = read_target(connection)
    if target is None:
        raise InvalidRequest("no move to another embedding was begun: start it with `reme reembed`")
    return target


def _find_table(connection: Connection, target: EmbeddingIdentity) -> str:
    """Where vectors of the target are kept; a move to the same embedding fills in what is missing."""
    return VECTORS if target == read_identity(connection) else VECTORS_NEXT


def _count_pending(connection: Connection, target: EmbeddingIdentity) -> int:
    return select_number(connection, f"SELECT count(*) {_WITHOUT.format(_find_table(connection, target))}", (0,))


def _require_complete(connection: Connection) -> EmbeddingIdentity:
    """The target of a move, of which no memory lacks a vector."""
    target = _require_target(connection)
    lacking = _count_pending(connection, target)
    if lacking:
        raise StoreBusy(f"{lacking} memories lack a vector of {target}: go on with `reme reembed`")
    return target


def _empty_next(connection: Connection) -> None:
    drop_nearest(connection, VECTORS_NEXT)
    connection.execute(f"TRUNCATE {VECTORS_NEXT}")


def _keep(
    connection: Connection,
    table: str,
    vectors: Sequence[tuple[int, Vector]],
    identity: EmbeddingIdentity,
    *,
    replace: bool,
) -> int:
    """Keep vectors of memories that are live, and stay so until the transaction ends."""
    for _, vector in vectors:
        check_vector(vector, identity)
    packed = {number: pack_vector(vector) for number, vector in vectors}
    live = select_rows(connection, _LIVE, (list(packed),))
    rows = [(number, workspace, packed[number]) for number, workspace in live]
    return insert_vectors(connection, table, rows, replace=replace) if rows else 0

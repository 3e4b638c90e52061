"""Everything that is kept beside a memory's row so that it is found: its vector and its terms.

Tags and metadata are filtered by in the row itself, and a row says by itself whether it stands, so neither is kept
twice.
"""

from collections.abc import Iterable

from app.backends.postgres.fulltext import (
    Indexed,
    count_texts,
    delete_terms,
    index_memory,
    insert_terms,
    recount_texts,
)
from app.backends.postgres.statements import Connection
from app.backends.postgres.vectors import PackedRow, insert_vectors, pack_vector
from app.domain.embedding import Vector
from app.domain.memory import Memory

VECTORS, VECTORS_NEXT = "chunks_vec_default", "chunks_vec_default_next"
"""The vectors in use, and those of the embedding that the store is being moved to; a move ends by a change of names."""


class DerivedRows:
    """Collects the derived rows of a transaction and writes them table by table.

    No method reads an answer, so that in a pipeline they wait for no round trip.
    """

    def __init__(self, connection: Connection, workspace: int) -> None:
        self._connection, self._workspace = connection, workspace
        self._terms: list[Indexed] = []
        self._standing, self._units = 0, 0
        self._turned: dict[int, int] = {}
        self._vectors: list[PackedRow] = []

    def add(self, number: int, memory: Memory, vector: Vector | None) -> None:
        """Make a memory findable; superseded ones too, for `as_of`. Without a vector it keeps the one it has."""
        indexed = index_memory(number, memory)
        self._terms.append(indexed)
        if not memory.superseded:
            self._standing += 1
            self._units += indexed[1]
        if vector is not None:
            self._vectors.append((number, self._workspace, pack_vector(vector)))

    def copy_vector(self, source: int, number: int) -> None:
        """Give a memory the vector of another, which says the same in other words that are not embedded."""
        self.flush()
        self._connection.execute(
            f"INSERT INTO {VECTORS} SELECT %s, workspace, embedding FROM {VECTORS} WHERE number = %s"
            " ON CONFLICT (number) DO UPDATE SET embedding = excluded.embedding",
            (number, source),
        )

    def touch(self, number: int, before: Memory, after: Memory) -> None:
        """Note that a memory which is not deleted changed, and its text did not."""
        if before.superseded != after.superseded:
            self._turned[number] = self._turned.get(number, 0) + (1 if before.superseded else -1)

    def remove(self, numbered: Iterable[tuple[int, Memory]]) -> None:
        """Take memories that are not deleted yet out of the index of words, and out of a move to another embedding.

        Their vectors of the store's own embedding stay, to be restored.
        """
        self.flush()
        pairs = list(numbered)
        standing = [number for number, memory in pairs if not memory.superseded]
        numbers = [number for number, _ in pairs]
        delete_terms(self._connection, self._workspace, numbers, standing)
        self._connection.execute(f"DELETE FROM {VECTORS_NEXT} WHERE number = ANY(%s)", (numbers,))

    def forget_vectors(self, numbers: Iterable[int]) -> None:
        """Remove vectors whose text is gone or has changed."""
        wanted = list(numbers)
        for table in (VECTORS, VECTORS_NEXT):
            self._connection.execute(f"DELETE FROM {table} WHERE number = ANY(%s)", (wanted,))

    def flush(self) -> None:
        """Write what was collected."""
        if self._terms:
            insert_terms(self._connection, self._terms)
        if self._standing:
            count_texts(self._connection, self._workspace, self._standing, self._units)
        if any(self._turned.values()):
            arisen = [number for number, sign in self._turned.items() if sign > 0]
            fallen = [number for number, sign in self._turned.items() if sign < 0]
            recount_texts(self._connection, self._workspace, arisen=arisen, fallen=fallen)
        if self._vectors:
            insert_vectors(self._connection, VECTORS, self._vectors)
        self._terms, self._vectors, self._turned = [], [], {}
        self._standing, self._units = 0, 0


def forget_workspace(connection: Connection, workspace: int) -> None:
    """Remove what is derived from the rows of a workspace, which are still there."""
    connection.execute(
        "DELETE FROM chunks_fts_default f USING chunks_default c WHERE c.workspace = %s AND f.number = c.number",
        (workspace,),
    )
    connection.execute("DELETE FROM chunks_fts_tallies WHERE workspace = %s", (workspace,))
    for table in (VECTORS, VECTORS_NEXT):
        connection.execute(f"DELETE FROM {table} WHERE workspace = %s", (workspace,))

"""Everything that is kept beside a memory's row so that it is found: vector, signs, terms, facets, record."""

from collections.abc import Iterable

import apsw

from app.backends.sqlite.facets import Facet, delete_facets, insert_facets, list_facets
from app.backends.sqlite.fulltext import Indexed, delete_terms, encode_memory, insert_terms
from app.backends.sqlite.records import RECORD, pack_record, read_length
from app.backends.sqlite.statements import select_row
from app.backends.sqlite.vectors import pack_signs, pack_vector, unpack_vectors
from app.domain.embedding import Vector
from app.domain.memory import Memory

_RECORD = (
    "INSERT INTO chunks_slab_default VALUES (?, ?, ?, ?)"
    " ON CONFLICT (workspace, number) DO UPDATE SET seq = excluded.seq, record = excluded.record"
)


class DerivedRows:
    """Collects the derived rows of a transaction and writes them table by table, which is faster than row by row."""

    def __init__(self, connection: apsw.Connection, workspace: int) -> None:
        self._connection, self._workspace = connection, workspace
        self._terms: list[Indexed] = []
        self._facets: list[Facet] = []
        self._records: list[tuple[int, int, int, bytes]] = []
        self._vectors: list[tuple[int, str, str, str, bytes]] = []
        self._signs: list[tuple[int, int, bytes]] = []

    def add(self, number: int, memory: Memory, vector: Vector | None) -> None:
        """Make a memory findable; superseded ones too, for `as_of`."""
        encoded, length = encode_memory(memory.when_to_use, memory.content, self._workspace)
        self._terms.append((number, encoded))
        self._facets += list_facets(self._workspace, number, memory.tags, memory.metadata)
        self._records.append((self._workspace, number, memory.seq, pack_record(number, memory, length)))
        if vector is not None:
            self.add_vector(number, memory, pack_vector(vector), pack_signs(vector))

    def add_vector(self, number: int, memory: Memory, packed: bytes, signs: bytes) -> None:
        """Keep a vector in its stored form."""
        scope = memory.scope
        self._vectors.append((number, memory.id, scope.tenant_id, scope.workspace_id, packed))
        self._signs.append((self._workspace, number, signs))

    def add_stored_vector(self, number: int, memory: Memory, packed: bytes) -> None:
        """Keep a vector that was read from the store; its signs are made anew."""
        self.add_vector(number, memory, packed, pack_signs(unpack_vectors([packed], len(packed) // 2)[0]))

    def touch(self, number: int, memory: Memory) -> None:
        """Write the record anew after a change that left the text alone, so that its length is that of the last one."""
        row = select_row(
            self._connection,
            "SELECT record FROM chunks_slab_default WHERE workspace = ? AND number = ?",
            (self._workspace, number),
        )
        if row is None or len(row[0]) != RECORD.itemsize or not memory.content:  # a purged text has no length
            length = encode_memory(memory.when_to_use, memory.content, self._workspace)[1]
        else:
            length = read_length(row[0])
        self._records.append((self._workspace, number, memory.seq, pack_record(number, memory, length)))

    def change_facets(self, number: int, before: Memory, after: Memory) -> None:
        """Exchange the facets of a memory."""
        self.flush()
        delete_facets(self._connection, list_facets(self._workspace, number, before.tags, before.metadata))
        insert_facets(self._connection, list_facets(self._workspace, number, after.tags, after.metadata))

    def remove(self, numbered: Iterable[tuple[int, Memory]]) -> None:
        """Take memories out of every index; records stay to tell other processes, vectors to be restored."""
        self.flush()
        pairs = list(numbered)
        delete_terms(
            self._connection,
            [(number, encode_memory(old.when_to_use, old.content, self._workspace)[0]) for number, old in pairs],
        )
        for number, old in pairs:
            delete_facets(self._connection, list_facets(self._workspace, number, old.tags, old.metadata))
        self._connection.executemany(
            "DELETE FROM chunks_bits_default WHERE workspace = ? AND number = ?",
            [(self._workspace, number) for number, _ in pairs],
        )

    def forget_vectors(self, numbers: Iterable[int]) -> None:
        """Remove vectors whose text is gone or has changed."""
        self._connection.executemany(
            "DELETE FROM chunks_vec_default WHERE number = ?", [(number,) for number in numbers]
        )

    def flush(self) -> None:
        """Write what was collected."""
        if self._terms:
            insert_terms(self._connection, self._terms)
        if self._facets:
            insert_facets(self._connection, self._facets)
        if self._records:
            self._connection.executemany(_RECORD, self._records)
        if self._vectors:
            self._connection.executemany(
                "INSERT OR REPLACE INTO chunks_vec_default VALUES (?, ?, ?, ?, ?)", self._vectors
            )
            self._connection.executemany("INSERT OR REPLACE INTO chunks_bits_default VALUES (?, ?, ?)", self._signs)
        self._terms, self._facets, self._records, self._vectors, self._signs = [], [], [], [], []

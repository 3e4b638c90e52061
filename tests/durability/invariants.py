"""What must hold between the tables of a store's file, whatever happened to it; computed anew from `chunks_`."""

from collections import Counter
from pathlib import Path
from typing import Any

import apsw

from app.backends.sqlite.facets import list_facets
from app.backends.sqlite.fulltext import encode_memory
from app.backends.sqlite.records import pack_record
from app.backends.sqlite.rows import COLUMNS, read_memory
from app.backends.sqlite.vectors import pack_signs, pack_vector
from app.backends.stored import prefix_path
from app.domain.memory import Memory
from tests.durability.workload import IDENTITY, vector_of
from tests.servers.waiting import PATIENCE_S

Rows = list[tuple[Any, ...]]


def select(connection: apsw.Connection, sql: str) -> Rows:
    """Every row of a statement."""
    return connection.execute(sql).fetchall()


def check_file(path: Path, *, dimensions: int = IDENTITY.dimensions) -> None:
    """Assert that the file is sound and that all that is derived agrees with the rows, as of one moment."""
    connection = apsw.Connection(str(path))
    try:
        connection.set_busy_timeout(int(PATIENCE_S * 1000))
        connection.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, chunks_fts_default, 'instance')")
        connection.execute("BEGIN")
        assert select(connection, "PRAGMA integrity_check") == [("ok",)]
        assert select(connection, "PRAGMA foreign_key_check") == []
        rows = select(connection, f"SELECT {COLUMNS} FROM chunks_default")  # noqa: S608
        memories = {row[0]: (row[9], read_memory(row)) for row in rows}
        live = {number: pair for number, pair in memories.items() if pair[1].deleted_ms is None}
        _check_terms(connection, live)
        _check_vectors(connection, memories, dimensions)
        _check_records(connection, memories)
        _check_facets(connection, live)
        _check_tallies(connection, memories)
        _check_clock(connection, memories)
        _check_files(connection, memories)
    finally:
        connection.close()


def read_clock(path: Path) -> tuple[int, int]:
    """The `seq` and `hlc` of a store."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(int(PATIENCE_S * 1000))
        ((seq, hlc),) = select(connection, "SELECT seq, hlc FROM store_clock")
    finally:
        connection.close()
    return int(seq), int(hlc)


Numbered = dict[int, tuple[int, Memory]]


def _check_terms(connection: apsw.Connection, live: Numbered) -> None:
    """The full-text index has exactly the windows of three characters of the live texts."""
    indexed = {row[0] for row in select(connection, "SELECT id FROM chunks_fts_default_docsize")}
    assert indexed == live.keys(), "the full-text index has other memories than those that live"
    expected = set()
    for number, (workspace, memory) in live.items():
        encoded, _ = encode_memory(memory.when_to_use, memory.content, workspace)
        expected |= {(number, encoded[at : at + 3]) for at in range(len(encoded) - 2)}
    assert set(select(connection, "SELECT doc, term FROM temp.terms")) == expected


def _check_vectors(connection: apsw.Connection, memories: Numbered, dimensions: int) -> None:
    """What lives has a vector and signs; a tombstone keeps its vector until it is purged or the store is moved."""
    texts = {number: memory.content for number, (_, memory) in memories.items() if memory.content}
    stored: dict[int, bytes] = dict(select(connection, "SELECT number, embedding FROM chunks_vec_default"))
    vectors = {number: vector_of(text, dimensions) for number, text in texts.items()}
    assert stored.keys() <= texts.keys()
    assert stored == {number: pack_vector(vectors[number]) for number in stored}
    signs = {(row[0], row[1]): row[2] for row in select(connection, "SELECT * FROM chunks_bits_default")}
    live = [(workspace, number) for number, (workspace, memory) in memories.items() if memory.deleted_ms is None]
    assert {number for _, number in live} <= stored.keys()
    assert signs == {(workspace, number): pack_signs(vectors[number]) for workspace, number in live}


def _check_records(connection: apsw.Connection, memories: Numbered) -> None:
    expected = set()
    for number, (workspace, memory) in memories.items():
        length = encode_memory(memory.when_to_use, memory.content, workspace)[1]
        expected.add((workspace, number, pack_record(number, memory, length)))
    rows = select(connection, "SELECT workspace, number, record, seq FROM chunks_slab_default")
    assert {row[:3] for row in rows} == expected
    assert all(row[3] >= memories[row[1]][1].seq for row in rows), "other processes would miss a change"


def _check_facets(connection: apsw.Connection, live: Numbered) -> None:
    expected = {
        facet
        for number, (workspace, memory) in live.items()
        for facet in list_facets(workspace, number, memory.tags, memory.metadata)
    }
    assert set(select(connection, "SELECT workspace, name, value, number FROM chunks_facets_default")) == expected


def _check_tallies(connection: apsw.Connection, memories: Numbered) -> None:
    alive: Counter[tuple[int, str, str]] = Counter()
    dead: Counter[tuple[int, str, str]] = Counter()
    size: Counter[tuple[int, str, str]] = Counter()
    for workspace, memory in memories.values():
        key = (workspace, memory.kind.value, memory.layer.value)
        if memory.revision_of:
            continue
        if memory.deleted_ms is None:
            alive[key] += 1
            size[key] += len(memory.content.encode()) + len(memory.when_to_use.encode())
        else:
            dead[key] += 1
    told = {row[:3]: row[3:] for row in select(connection, "SELECT * FROM tallies")}
    counted = {key: (alive[key], dead[key], size[key]) for key in alive | dead}
    assert {key: counts for key, counts in told.items() if any(counts)} == counted


def _check_clock(connection: apsw.Connection, memories: Numbered) -> None:
    """Sequence numbers are given once, and the store's clock is not behind any of its rows."""
    ((seq, hlc),) = select(connection, "SELECT seq, hlc FROM store_clock")
    stamps = [memory.seq for _, memory in memories.values()]
    assert len(set(stamps)) == len(stamps), "a seq was given twice"
    assert seq >= max(stamps, default=0)
    assert hlc >= max((memory.hlc for _, memory in memories.values()), default=0)
    numbers = select(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'chunks_default'")
    assert max((row[0] for row in numbers), default=0) >= max(memories, default=0)


def _check_files(connection: apsw.Connection, memories: Numbered) -> None:
    """Every source of a text that was not purged is listed."""
    listed = set(select(connection, "SELECT path, source FROM files_default"))
    used = {
        (prefix_path(memory.scope) + memory.origin.path, memory.origin.source)
        for _, memory in memories.values()
        if memory.content
    }
    assert used <= listed

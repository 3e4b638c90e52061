"""Examines a store: whether its pages read, and whether what is derived agrees with the memories."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import apsw
import numpy as np

from app.backends.sqlite.connections import Pragmas, open_connection
from app.backends.sqlite.facets import Facet, list_facets
from app.backends.sqlite.faults import DAMAGE, translated
from app.backends.sqlite.fulltext import encode_memory
from app.backends.sqlite.ledger import SUMMED
from app.backends.sqlite.records import pack_record
from app.backends.sqlite.rows import COLUMNS
from app.backends.sqlite.salvage import read_memories
from app.backends.sqlite.schema import check_version, list_strange
from app.backends.sqlite.stamp import read_identity, read_target
from app.backends.sqlite.statements import select_number, select_row, select_rows
from app.backends.sqlite.vectors import sign_stored
from app.backends.stored import hash_memory
from app.backends.tallies import count_bytes
from app.domain.memory import Memory
from app.errors import StoreCorrupt, StoreError

_LISTED = 100
_FACT = re.compile(r"[0-9a-f]{1,16}")
_HASH, _WORKSPACE = (COLUMNS.split(", ").index(name) for name in ("hash", "workspace"))
WRONG_VECTOR = (
    "number NOT IN (SELECT number FROM chunks_default WHERE text <> '') OR length(embedding) <> 2 * coalesce"
    "((SELECT value ->> '$.dimensions' FROM store_facts WHERE name = 'embedding' AND json_valid(value)),"
    " length(embedding) / 2)"
)
"""A condition on `chunks_vec_default`: no memory to stand for, or not of the stamped embedding's dimensions."""
FOREIGN = (
    "FROM chunks_default c LEFT JOIN workspaces w ON w.number = c.workspace"
    " WHERE (w.tenant_id, w.workspace_id) IS NOT (c.tenant_id, c.workspace_id)"
)
"""Memories `c` that name another workspace than the one that they are in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something that is wrong: which check found it, what it is, on how many rows, and whether a repair mends it."""

    check: str
    problem: str
    rows: int
    repairable: bool


def examine(path: Path) -> tuple[Finding, ...]:
    """Every finding of a store, which is only read.

    `StoreCorrupt` where it cannot even be opened, `SchemaTooNew` where a newer release wrote it.
    """
    if not path.is_file():
        raise StoreError(f"there is no store at {path}: check the working directory")
    connection = open_connection(path, Pragmas(), readonly=True)
    try:
        with translated():
            return tuple(examine_connection(connection))
    finally:
        connection.close()


def examine_connection(connection: apsw.Connection) -> Iterator[Finding]:
    """The findings of an open store; where pages do not read, the checks that need them are left out.

    `SchemaTooNew` for a store of a newer release, of which these checks could say nothing.
    """
    with suppress(*DAMAGE):
        check_version(connection)
    if select_row(connection, "SELECT 1 FROM sqlite_schema WHERE name = 'chunks_default'") is None:
        raise StoreCorrupt("this file is a SQLite database, but not a store of this service")
    damage = _check_pages(connection)
    yield from damage
    for check in _CHECKS:
        try:
            yield from check(connection)
        except DAMAGE as fault:
            if not damage:
                damage = [Finding(check="pages", problem=f"a row does not read: {fault}", rows=1, repairable=True)]
                yield from damage


def _check_pages(connection: apsw.Connection) -> list[Finding]:
    try:
        lines = [str(row[0]) for row in select_rows(connection, f"PRAGMA integrity_check({_LISTED})")]
    except DAMAGE as fault:
        lines = [str(fault)]
    if lines == ["ok"]:
        return []
    return [Finding(check="pages", problem=lines[0], rows=len(lines), repairable=True)]


def _compare(connection: apsw.Connection, check: str, problem: str, sql: str) -> Iterator[Finding]:
    count = select_number(connection, sql)
    if count:
        yield Finding(check=check, problem=problem, rows=count, repairable=True)


def list_unsound_facts(connection: apsw.Connection) -> list[str]:
    """The facts about the store as a whole that are missing or make no sense."""
    facts = {str(name): str(value) for name, value in select_rows(connection, "SELECT name, value FROM store_facts")}
    unsound = [name for name in ("node_id", "generation") if not _FACT.fullmatch(facts.get(name, ""))]
    for name, read in (("embedding", read_identity), ("embedding_target", read_target)):
        try:
            read(connection)
        except StoreCorrupt:
            unsound.append(name)
    return unsound


def _check_facts(connection: apsw.Connection) -> Iterator[Finding]:
    unsound = list_unsound_facts(connection)
    if unsound:
        problem = f"facts about the store do not read: {', '.join(unsound)}"
        yield Finding(check="facts", problem=problem, rows=len(unsound), repairable=True)


def _check_migrations(connection: apsw.Connection) -> Iterator[Finding]:
    strange = list_strange(connection)
    if strange:
        problem = "the record of migrations differs from this release's"
        yield Finding(check="pages", problem=problem, rows=len(strange), repairable=True)


def _check_owners(connection: apsw.Connection) -> Iterator[Finding]:
    yield from _compare(
        connection, "owners", "memories name another workspace than the one they are in", f"SELECT count(*) {FOREIGN}"
    )
    yield from _compare(
        connection,
        "owners",
        "sources of memories are not listed",
        "SELECT count(*) FROM (SELECT path, source FROM chunks_default WHERE text <> ''"
        " EXCEPT SELECT path, source FROM files_default)",
    )


def _check_texts(connection: apsw.Connection) -> Iterator[Finding]:
    """What a memory says must fit the hash that was taken of it, and so must everything else that it needs."""
    unread = changed = 0
    for row, memory in read_memories(connection):
        if memory is None:
            unread += 1
        elif row[_HASH] and row[_HASH] != hash_memory(memory):
            changed += 1
    if unread:
        yield Finding(check="memories", problem="memories do not read any more", rows=unread, repairable=False)
    if changed:
        yield Finding(check="texts", problem="texts differ from what was written", rows=changed, repairable=False)


def _check_terms(connection: apsw.Connection) -> Iterator[Finding]:
    docs = "chunks_fts_default_docsize"
    live = "SELECT number FROM chunks_default WHERE deleted_at IS NULL"
    yield from _compare(
        connection,
        "terms",
        "memories are missing from the full-text index",
        f"SELECT count(*) FROM ({live} EXCEPT SELECT id FROM {docs})",
    )
    yield from _compare(
        connection,
        "terms",
        "the full-text index holds memories that are gone",
        f"SELECT count(*) FROM (SELECT id FROM {docs} EXCEPT {live})",
    )
    step = max(1, select_number(connection, "SELECT count(*) FROM chunks_default") // 1000)
    unfound = sum(
        not _is_found(connection, workspace, number, memory)
        for workspace, number, memory in _memories(connection)
        if memory.deleted_ms is None and number % step == 0
    )
    if unfound:
        yield Finding(check="terms", problem="memories are not found by their words", rows=unfound, repairable=True)


def _is_found(connection: apsw.Connection, workspace: int, number: int, memory: Memory) -> bool:
    """Whether the first, a middle and the last word of a memory lead to it."""
    encoded, units = encode_memory(memory.when_to_use, memory.content, workspace)
    if not units:
        return True
    terms = {encoded[place : place + 3] for place in (0, 2 * (units // 2), 2 * (units - 1))}
    match = " AND ".join(f'"{term}"' for term in sorted(terms))
    sql = "SELECT 1 FROM chunks_fts_default WHERE chunks_fts_default MATCH ? AND rowid = ?"
    return select_row(connection, sql, (match, number)) is not None


def _check_vectors(connection: apsw.Connection) -> Iterator[Finding]:
    yield from _compare(
        connection,
        "vectors",
        "vectors stand for memories that are gone, or have another size",
        f"SELECT count(*) FROM chunks_vec_default WHERE {WRONG_VECTOR}",
    )
    stored = (
        "SELECT c.workspace, v.number FROM chunks_vec_default v JOIN chunks_default c ON c.number = v.number"
        " WHERE c.deleted_at IS NULL"
    )
    signs = "SELECT workspace, number FROM chunks_bits_default"
    yield from _compare(
        connection,
        "signs",
        "signs and vectors are not of the same memories",
        f"SELECT count(*) FROM (SELECT * FROM ({stored} EXCEPT {signs})"
        f" UNION ALL SELECT * FROM ({signs} EXCEPT {stored}))",
    )
    wrong = 0
    pairs = connection.execute(
        "SELECT v.embedding, b.bits FROM chunks_bits_default b JOIN chunks_vec_default v ON v.number = b.number"
    )
    for embedding, bits in pairs:
        whole = _bytes(embedding)[: len(_bytes(embedding)) // 2 * 2]
        wrong += sign_stored(np.frombuffer(whole, "<f2")) != bits
    if wrong:
        yield Finding(check="signs", problem="signs differ from their vectors", rows=wrong, repairable=True)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


def _memories(connection: apsw.Connection) -> Iterator[tuple[int, int, Memory]]:
    """Workspace, number and memory of every row that reads."""
    for row, memory in read_memories(connection):
        if memory is not None:
            yield int(row[_WORKSPACE]), int(row[0]), memory


def _check_records(connection: apsw.Connection) -> Iterator[Finding]:
    rows = select_rows(connection, "SELECT number, workspace, seq, record FROM chunks_slab_default")
    stored = {row[0]: row[1:] for row in rows}
    wrong = 0
    for workspace, number, memory in _memories(connection):
        _, length = encode_memory(memory.when_to_use, memory.content, workspace)
        owner, seq, record = stored.pop(number, (0, 0, b""))
        wrong += (owner, record) != (workspace, pack_record(number, memory, length)) or seq < memory.seq
    wrong += len(stored)
    if wrong:
        yield Finding(check="records", problem="filter records differ from their memories", rows=wrong, repairable=True)


def _check_facets(connection: apsw.Connection) -> Iterator[Finding]:
    expected: set[Facet] = set()
    for workspace, number, memory in _memories(connection):
        if memory.deleted_ms is None:
            expected.update(list_facets(workspace, number, memory.tags, memory.metadata))
    stored = set(select_rows(connection, "SELECT workspace, name, value, number FROM chunks_facets_default"))
    wrong = len(expected ^ stored)
    if wrong:
        yield Finding(check="facets", problem="tags or metadata are not indexed as stored", rows=wrong, repairable=True)


def _check_tallies(connection: apsw.Connection) -> Iterator[Finding]:
    counted: Counter[tuple[int, str, str, str]] = Counter()
    for workspace, _, memory in _memories(connection):
        if not memory.revision_of:
            state = "dead" if memory.deleted_ms is not None else "live"
            key = (workspace, memory.kind.value, memory.layer.value)
            counted[*key, state] += 1
            if state == "live":
                counted[*key, "bytes"] += count_bytes(memory)
    stored: Counter[tuple[int, str, str, str]] = Counter()
    for workspace, kind, layer, live, dead, size in select_rows(
        connection, "SELECT workspace, kind, layer, memories, tombstones, text_bytes FROM tallies"
    ):
        stored[workspace, kind, layer, "live"] = live
        stored[workspace, kind, layer, "dead"] = dead
        stored[workspace, kind, layer, "bytes"] = size
    wrong = sum(counted[key] != stored[key] for key in counted.keys() | stored.keys())
    if wrong:
        yield Finding(check="tallies", problem="counts differ from the memories", rows=wrong, repairable=True)


def _check_clock(connection: apsw.Connection) -> Iterator[Finding]:
    yield from _compare(
        connection,
        "clock",
        "the store's clock is behind its memories",
        "SELECT count(*) FROM chunks_default, store_clock WHERE chunks_default.seq > store_clock.seq"
        " OR chunks_default.hlc > store_clock.hlc",
    )


def _check_spending(connection: apsw.Connection) -> Iterator[Finding]:
    if select_row(connection, "SELECT 1 FROM sqlite_schema WHERE name = 'ledger_days'") is None:
        return  # a store of the release before
    yield from _compare(
        connection,
        "spending",
        "sums of days, which caps are held against, differ from the calls in the ledger",
        f"SELECT (SELECT count(*) FROM (SELECT * FROM ledger_days EXCEPT {SUMMED}))"
        f" + (SELECT count(*) FROM ({SUMMED} EXCEPT SELECT * FROM ledger_days))",
    )


_CHECKS = (
    _check_migrations,
    _check_facts,
    _check_owners,
    _check_texts,
    _check_terms,
    _check_vectors,
    _check_records,
    _check_facets,
    _check_tallies,
    _check_clock,
    _check_spending,
)

"""Writes the rows of one workspace inside a transaction, with everything that is derived from them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import apsw

from app.backends.sqlite.derived import DerivedRows
from app.backends.sqlite.moves import forget_moved
from app.backends.sqlite.rows import COLUMNS, INSERT, UPDATE, read_memory, write_row
from app.backends.sqlite.statements import Row, list_places, round_up, select_number, select_row, select_rows
from app.backends.sqlite.tallies import write_tally
from app.backends.stored import Stored, hash_memory, prefix_path
from app.backends.tallies import Tally
from app.domain.embedding import Vector
from app.domain.identifiers import make_uuid7, tick_hlc
from app.domain.memory import Memory, Scope, embedded_text

_SELECT = f"SELECT {COLUMNS} FROM chunks_default"
_STANDING = " AND deleted_at IS NULL AND superseded = 0"
_NOT_ENDED = " AND (valid_to IS NULL OR valid_to > ?)"


class RowWriter:
    """Collects new rows and writes them together; `finish` writes what is left, the tallies and the clock."""

    def __init__(self, connection: apsw.Connection, scope: Scope, workspace: int, *, now_ms: int) -> None:
        self.scope, self.workspace, self.now_ms = scope, workspace, now_ms
        self._connection = connection
        self._seq, self._hlc, self._node_id = select_rows(
            connection, "SELECT seq, hlc, (SELECT value FROM store_facts WHERE name = 'node_id') FROM store_clock"
        )[0]
        self._number = select_number(
            connection, "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'chunks_default'"
        )
        self._derived = DerivedRows(connection, workspace)
        self._tally = Tally()
        self._rows: list[Row] = []
        self._collected: set[str] = set()
        self._files: dict[tuple[str, str], tuple[str, int]] = {}

    def stamp(self) -> dict[str, Any]:
        """The fields of the next write: `seq`, `hlc`, `node_id` and `updated_ms`."""
        self._seq += 1
        self._hlc = tick_hlc(self._hlc, self.now_ms)
        return {"seq": self._seq, "hlc": self._hlc, "node_id": self._node_id, "updated_ms": self.now_ms}

    # -- reading what this transaction sees

    def _select(self, where: str, *values: object) -> list[Stored]:
        """The workspace's rows that meet a condition, collected ones included."""
        self.flush()
        rows = select_rows(self._connection, f"{_SELECT} WHERE workspace = ? AND {where}", (self.workspace, *values))
        return [Stored(number=row[0], memory=read_memory(row)) for row in rows]

    def find(self, memory_id: str) -> Stored | None:
        """The row of an id, tombstones included."""
        found = self._select("id = ?", memory_id)
        return found[0] if found else None

    def find_taken(self, memory_id: str) -> Stored | None:
        """The same for an id that is to be new."""
        return self._find_new("id", memory_id)

    def find_twin(self, digest: str) -> Stored | None:
        """A row that stands and has not ended with this hash of its text."""
        return self._find_new("hash", digest, f"{_STANDING}{_NOT_ENDED} LIMIT 1", self.now_ms)

    def find_other_twin(self, digest: str, memory_id: str) -> Stored | None:
        """The same of another memory than the one of this id."""
        where = f"hash = ? AND id <> ?{_STANDING}{_NOT_ENDED} LIMIT 1"
        return next(iter(self._select(where, digest, memory_id, self.now_ms)), None)

    def list_standing(self, slot: str, *, user_id: str, kind: str) -> list[Stored]:
        """The rows that stand and state a slot of a user."""
        return self._select(f"slot = ? AND slot <> '' AND user_id = ? AND kind = ?{_STANDING}", slot, user_id, kind)

    def _find_new(self, column: str, value: str, where: str = "", *values: object) -> Stored | None:
        """A row by its id or hash; what is collected is written first only if it may be among it."""
        if value in self._collected:
            self.flush()
        row = select_row(
            self._connection, f"{_SELECT} WHERE workspace = ? AND {column} = ?{where}", (self.workspace, value, *values)
        )
        return None if row is None else Stored(number=row[0], memory=read_memory(row))

    def find_graves(self, digests: Sequence[str]) -> dict[str, Memory]:
        """Deleted memories by these hashes of their texts; one that was purged has none."""
        found: dict[str, Memory] = {}
        for start in range(0, len(digests), 512):
            part = round_up(list(digests[start : start + 512]))
            where = f"workspace = ? AND deleted_at IS NOT NULL AND hash IN ({list_places(len(part))})"
            rows = select_rows(self._connection, f"{_SELECT} WHERE {where}", (self.workspace, *part))
            found |= {row[6]: read_memory(row) for row in rows}
        return found

    def list_family(self, found: Stored) -> list[Stored]:
        """A memory and its earlier revisions."""
        return [found, *self._select("revision_of = ? AND revision_of <> ''", found.memory.id)]

    # -- writing

    def insert(self, memory: Memory, digest: str, vector: Vector | None) -> int:
        """Add a row and return its number."""
        self._number += 1
        self._rows.append(write_row(self._number, self.workspace, digest, memory))
        self._collected |= {digest, memory.id}
        self._derived.add(self._number, memory, vector)
        self._tally.count(memory)
        if not memory.revision_of:
            self._count_source(memory, digest)
        return self._number

    def _count_source(self, memory: Memory, digest: str) -> None:
        key = (prefix_path(self.scope) + memory.origin.path, memory.origin.source)
        self._files[key] = (digest, self._files.get(key, ("", 0))[1] + len(memory.content.encode()))

    def replace(self, found: Stored, new: Memory) -> None:
        """Write a row anew whose searched text is the same."""
        self._update_row(found, new)
        if found.memory.tags != new.tags or found.memory.metadata != new.metadata:
            self._derived.change_facets(found.number, found.memory, new)
        self._derived.touch(found.number, new)

    def rewrite(self, found: Stored, new: Memory, vector: Vector | None) -> None:
        """Write a memory whose searched text differs: under a number of its own, since a number belongs to one text.

        The row with the earlier text stays findable as a revision with an id of its own, for `as_of`.
        Without a vector the new text has the earlier one's, if what is embedded is the same.
        """
        old = found.memory
        past = replace(
            old,
            id=make_uuid7(self.now_ms),
            superseded=True,
            valid_to_ms=new.valid_from_ms if old.valid_to_ms is None else min(old.valid_to_ms, new.valid_from_ms),
            revision_of=old.revision_of or old.id,
            **{**self.stamp(), "updated_ms": old.updated_ms},
        )
        self._update_row(found, past)
        self._derived.touch(found.number, past)
        self._connection.execute("UPDATE chunks_vec_default SET id = ? WHERE number = ?", (past.id, found.number))
        number = self.insert(new, hash_memory(new), vector)
        same = embedded_text(old.when_to_use, old.content) == embedded_text(new.when_to_use, new.content)
        if vector is None and same:
            self._keep_vector(found.number, number, new)

    def bury(self, family: list[Stored], graves: list[Memory]) -> None:
        """Turn rows into tombstones: out of every index, text and vector kept until they are purged."""
        self._derived.remove([(each.number, each.memory) for each in family])
        for each, grave in zip(family, graves, strict=True):
            self._update_row(each, grave)
            self._derived.touch(each.number, grave)
        forget_moved(self._connection, self.workspace, [each.number for each in family])

    def unearth(self, found: Stored, new: Memory, vector: Vector | None) -> None:
        """Turn a tombstone back into a memory, with the vector given or else with the one it kept."""
        self._update_row(found, new)
        self._derived.add(found.number, new, vector)
        if vector is None:
            self._keep_vector(found.number, found.number, new)

    def _update_row(self, found: Stored, new: Memory) -> None:
        row = write_row(found.number, self.workspace, hash_memory(new), new)
        self._connection.execute(UPDATE, (*row[1:], found.number))
        self._tally.count(found.memory, -1)
        self._tally.count(new)

    def _keep_vector(self, source: int, number: int, memory: Memory) -> None:
        row = select_row(self._connection, "SELECT embedding FROM chunks_vec_default WHERE number = ?", (source,))
        if row is not None:
            self._derived.add_stored_vector(number, memory, row[0])

    def flush(self) -> None:
        """Write what was collected."""
        if self._rows:
            self._connection.executemany(INSERT, self._rows)
            self._rows = []
            self._collected = set()
        self._derived.flush()

    def finish(self) -> None:
        """Write what is left, the sources, the tallies and the clock."""
        self.flush()
        write_tally(self._connection, self._tally, self.workspace)
        self._connection.executemany(
            "INSERT INTO files_default VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (path, source) DO UPDATE SET"
            " hash = excluded.hash, mtime = excluded.mtime, size = size + excluded.size",
            [
                (path, source, digest, self.now_ms / 1000, size, self.scope.tenant_id, self.scope.workspace_id)
                for (path, source), (digest, size) in self._files.items()
            ],
        )
        self._connection.execute("UPDATE store_clock SET seq = ?, hlc = ?", (self._seq, self._hlc))

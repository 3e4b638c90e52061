"""Writes the rows of one workspace inside a transaction that holds it, with everything that is derived from them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from app.backends.postgres.derived import DerivedRows
from app.backends.postgres.rows import INSERT, SELECT, UPDATE, read_memory, write_row
from app.backends.postgres.stamps import Stamps
from app.backends.postgres.statements import Connection, Row, select_rows
from app.backends.postgres.tallies import write_tally
from app.backends.stored import Stored, hash_draft, hash_memory, prefix_path
from app.backends.tallies import Tally
from app.domain.change import Add, Change
from app.domain.embedding import Vector
from app.domain.identifiers import make_uuid7
from app.domain.memory import Memory, Scope, embedded_text

_STANDING = "deleted_at IS NULL AND NOT superseded"
_NOT_ENDED = "(valid_to IS NULL OR valid_to > %s)"
_FILE = (
    "INSERT INTO files_default VALUES (%s, %s, %s, %s, %s, %s, %s, encode(sha256(convert_to(%s, 'UTF8')), 'hex'))"
    " ON CONFLICT (tenant_id, workspace_id, path_sha256, source) DO UPDATE SET"
    " hash = excluded.hash, mtime = excluded.mtime, size = files_default.size + excluded.size"
)


class RowWriter:
    """Collects new rows and writes them together; `finish` writes what is left and the tallies.

    Before the first of `changes` it asks which ids, texts and slots of additions are there, so that those that are not,
    which is nearly all, take no round trip each; and it reads the memories that the others change.
    """

    def __init__(
        self, connection: Connection, scope: Scope, workspace: int, *, now_ms: int, changes: Sequence[Change] = ()
    ) -> None:
        self.scope, self.workspace, self.now_ms = scope, workspace, now_ms
        self._connection = connection
        self._stamps = Stamps(connection, now_ms=now_ms, expected=len(changes))
        self._derived = DerivedRows(connection, workspace)
        self._tally = Tally()
        self._rows: list[Row] = []
        self._files: dict[tuple[str, str], tuple[str, int]] = {}
        self._absent: dict[str, set[str]] = {}
        adds = [change.draft for change in changes if isinstance(change, Add)]
        self._note_absent("id", (draft.id for draft in adds if draft.id))
        self._note_absent("hash", map(hash_draft, adds), f" AND {_STANDING}")
        self._note_absent("slot", (draft.slot for draft in adds if draft.slot), f" AND slot <> '' AND {_STANDING}")
        named = [change.memory_id for change in changes if not isinstance(change, Add)]
        found = self._select("id = ANY(%s)", named) if len(named) > 1 else []
        self._known = {each.memory.id: each for each in found}

    def _note_absent(self, column: str, values: Iterable[str], condition: str = "") -> None:
        """Note which values no row of the workspace has; one that a row gets later is taken from them again."""
        wanted = set(values)
        self._absent[column] = wanted
        if len(wanted) > 1:
            sql = f"SELECT DISTINCT {column} FROM chunks_default WHERE workspace = %s AND {column} = ANY(%s){condition}"
            wanted -= {row[0] for row in select_rows(self._connection, sql, (self.workspace, list(wanted)))}
        else:
            wanted.clear()

    def _appear(self, digest: str, memory: Memory) -> None:
        """Forget what was known of a memory that is written."""
        self._known.pop(memory.id, None)
        for column, value in (("id", memory.id), ("hash", digest), ("slot", memory.slot)):
            self._absent[column].discard(value)

    def stamp(self) -> dict[str, Any]:
        """The fields of the next write: `seq`, `hlc`, `node_id` and `updated_ms`."""
        seq, hlc = self._stamps.take()
        return {"seq": seq, "hlc": hlc, "node_id": self._stamps.node_id, "updated_ms": self.now_ms}

    # -- reading what this transaction sees

    def _select(self, where: str, *values: object) -> list[Stored]:
        """The workspace's rows that meet a condition, collected ones included."""
        self.flush()
        rows = select_rows(self._connection, f"{SELECT} WHERE workspace = %s AND {where}", (self.workspace, *values))
        return [Stored(number=row[0], memory=read_memory(row)) for row in rows]

    def find(self, memory_id: str) -> Stored | None:
        """The row of an id, tombstones included."""
        return self._known.get(memory_id) or next(iter(self._select("id = %s", memory_id)), None)

    def find_taken(self, memory_id: str) -> Stored | None:
        """The same for an id that is to be new."""
        return None if memory_id in self._absent["id"] else self.find(memory_id)

    def find_twin(self, digest: str) -> Stored | None:
        """A row that stands and has not ended with this hash of its text."""
        if digest in self._absent["hash"]:
            return None
        where = f"hash = %s AND {_STANDING} AND {_NOT_ENDED} LIMIT 1"
        return next(iter(self._select(where, digest, self.now_ms)), None)

    def find_other_twin(self, digest: str, memory_id: str) -> Stored | None:
        """The same of another memory than the one of this id."""
        where = f"hash = %s AND id <> %s AND {_STANDING} AND {_NOT_ENDED} LIMIT 1"
        return next(iter(self._select(where, digest, memory_id, self.now_ms)), None)

    def list_standing(self, slot: str, *, user_id: str, kind: str) -> list[Stored]:
        """The rows that stand and state a slot of a user."""
        if slot in self._absent["slot"]:
            return []
        where = f"slot = %s AND slot <> '' AND user_id = %s AND kind = %s AND {_STANDING} ORDER BY number"
        return self._select(where, slot, user_id, kind)

    def find_graves(self, digests: Sequence[str]) -> dict[str, Memory]:
        """Deleted memories by these hashes of their texts; one that was purged has none."""
        if not digests:
            return {}
        where = "workspace = %s AND deleted_at IS NOT NULL AND hash = ANY(%s)"
        rows = select_rows(self._connection, f"{SELECT} WHERE {where} ORDER BY number", (self.workspace, list(digests)))
        return {row[6]: read_memory(row) for row in rows}

    def list_family(self, found: Stored) -> list[Stored]:
        """A memory and its earlier revisions."""
        return [found, *self._select("revision_of = %s AND revision_of <> '' ORDER BY number", found.memory.id)]

    # -- writing

    def insert(self, memory: Memory, digest: str, vector: Vector | None) -> int:
        """Add a row and return its number."""
        number = self._stamps.take_number()
        self._rows.append(write_row(number, self.workspace, digest, memory))
        self._appear(digest, memory)
        self._derived.add(number, memory, vector)
        self._tally.count(memory)
        if not memory.revision_of:
            self._count_source(memory, digest)
        return number

    def _count_source(self, memory: Memory, digest: str) -> None:
        key = (prefix_path(self.scope) + memory.origin.path, memory.origin.source)
        self._files[key] = (digest, self._files.get(key, ("", 0))[1] + len(memory.content.encode()))

    def replace(self, found: Stored, new: Memory) -> None:
        """Write a row anew whose searched text is the same."""
        self._update_row(found, new)
        self._derived.touch(found.number, found.memory, new)

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
        self.replace(found, past)
        number = self.insert(new, hash_memory(new), vector)
        same = embedded_text(old.when_to_use, old.content) == embedded_text(new.when_to_use, new.content)
        if vector is None and same:
            self._derived.copy_vector(found.number, number)

    def bury(self, family: list[Stored], graves: list[Memory]) -> None:
        """Turn rows into tombstones: out of every index, text and vector kept until they are purged."""
        self._derived.remove([(each.number, each.memory) for each in family])
        for each, grave in zip(family, graves, strict=True):
            self._update_row(each, grave)

    def unearth(self, found: Stored, new: Memory, vector: Vector | None) -> None:
        """Turn a tombstone back into a memory, with the vector given or else with the one it kept."""
        self._update_row(found, new)
        self._derived.add(found.number, new, vector)

    def _update_row(self, found: Stored, new: Memory) -> None:
        digest = hash_memory(new)
        row = write_row(found.number, self.workspace, digest, new)
        self._connection.execute(UPDATE, (*row[1:], found.number))
        self._appear(digest, new)
        self._known.pop(found.memory.id, None)
        self._tally.count(found.memory, -1)
        self._tally.count(new)

    def flush(self) -> None:
        """Write what was collected."""
        if self._rows:
            with self._connection.cursor() as cursor:
                cursor.executemany(INSERT, self._rows)
            self._rows = []
        self._derived.flush()

    def finish(self) -> None:
        """Write what is left, the sources and the tallies."""
        self.flush()
        write_tally(self._connection, self._tally, self.workspace)
        owner = (self.scope.tenant_id, self.scope.workspace_id)
        with self._connection.cursor() as cursor:
            cursor.executemany(
                _FILE,
                [
                    (path, source, digest, self.now_ms / 1000, size, *owner, path)
                    for (path, source), (digest, size) in self._files.items()
                ],
            )

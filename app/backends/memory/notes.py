"""The in-RAM notes of what a vector index beside the store has not been told yet."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.backends.memory.state import Row, State, show
from app.domain.embedding import EmbeddingIdentity
from app.domain.indexing import IndexEntry
from app.domain.memory import Memory, Scope


@dataclass(frozen=True, kw_only=True, slots=True)
class _Note:
    """`claimed` is the claim that was given away and lasts until `leased_until_ms`."""

    claim: int
    scope: Scope
    claimed: int = 0
    leased_until_ms: int = 0


class Feed:
    """The `IndexFeed` of the in-RAM backend. It notes what differs from what it saw last, whenever it is asked."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._mark = ""
        self._identity: EmbeddingIdentity | None = None
        self._seen: dict[int, Row] = {}
        self._notes: dict[int, _Note] = {}
        self._claims = 0

    def attached(self) -> str:
        """The mark of the collection that the notes are for; empty where none is attached."""
        with self._state.lock:
            if self._mark and self._embedding() != self._identity:
                self.detach()
            return self._mark

    def attach(self, mark: str) -> int:
        """Note from now on, and note every memory that is not deleted."""
        with self._state.lock:
            if self.attached() == mark:
                return 0
            self.detach()
            self._mark, self._identity = mark, self._embedding()
            self._catch_up()
            return len(self._notes)

    def detach(self) -> None:
        """Stop, and forget the notes."""
        with self._state.lock:
            self._mark, self._identity = "", None
            self._seen, self._notes = {}, {}

    def claim(self, limit: int, *, lease_ms: int) -> Sequence[IndexEntry]:
        """Some that nobody has claimed, oldest note first."""
        with self._state.lock:
            self._catch_up()
            now_ms = self._state.clock.now_ms()
            free = [(number, note) for number, note in self._notes.items() if note.leased_until_ms <= now_ms]
            claimed = sorted(free, key=lambda each: each[1].claim)[:limit]
            for number, note in claimed:
                self._notes[number] = replace(note, claimed=note.claim, leased_until_ms=now_ms + lease_ms)
            return tuple(self._tell(number, note.claim) for number, note in claimed)

    def settle(self, entries: Sequence[IndexEntry]) -> None:
        """Forget the notes, but for those of memories that changed again since the claim."""
        with self._state.lock:
            self._catch_up()
            for entry in entries:
                note = self._notes.get(entry.number)
                if note is not None and note.claim == entry.claim:
                    del self._notes[entry.number]
            self.release(entries)

    def release(self, entries: Sequence[IndexEntry]) -> None:
        """Let others claim them."""
        with self._state.lock:
            for entry in entries:
                note = self._notes.get(entry.number)
                if note is not None and note.claimed == entry.claim:
                    self._notes[entry.number] = replace(note, leased_until_ms=0)

    def waiting(self, scope: Scope | None = None, *, limit: int) -> Sequence[int]:
        """Numbers that the index has not been told."""
        with self._state.lock:
            self._catch_up()
            return [number for number, note in self._notes.items() if scope in (None, note.scope)][:limit]

    def _embedding(self) -> EmbeddingIdentity:
        return self._state.stamped or self._state.configured

    def _catch_up(self) -> None:
        """Note what changed since this was called last: in the order of the changes, and last what went."""
        if not self.attached():
            return
        rows = {row.number: row for _, row in self._state.rows() if row.live}
        changed = [row for row in rows.values() if _differs(self._seen.get(row.number), row)]
        for row in sorted(changed, key=lambda row: row.memory.seq):
            self._note(row)
        for number in self._seen.keys() - rows.keys():
            self._note(self._seen[number])
        self._seen = rows

    def _note(self, row: Row) -> None:
        self._claims += 1
        before = self._notes.pop(row.number, _Note(claim=0, scope=row.memory.scope))
        self._notes[row.number] = replace(before, claim=self._claims)

    def _tell(self, number: int, claim: int) -> IndexEntry:
        row = self._seen.get(number)
        if row is None:
            return IndexEntry(number=number, claim=claim)
        vector = None if row.vector is None else row.vector.copy()
        return IndexEntry(number=number, claim=claim, memory=show(row.memory), vector=vector)


def _differs(before: Row | None, row: Row) -> bool:
    """Whether what an index is searched by changed; counts of use do not matter."""
    if before is row:
        return False
    if before is None or before.vector is not row.vector:
        return True
    return _found_by(before.memory) != _found_by(row.memory)


def _found_by(memory: Memory) -> Memory:
    """A memory without what no search looks at."""
    return replace(
        memory,
        frequency=0,
        utility=0.0,
        score=0.0,
        details={},
        source_ids=(),
        slot="",
        seq=0,
        version=0,
        hlc=0,
        updated_ms=0,
    )

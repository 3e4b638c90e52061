"""Applies the changes of a batch to a copy of a workspace's rows."""

from dataclasses import replace
from typing import Any

from app.backends.memory.rows import fresh_memory, has_ended, make_row, patched_memory
from app.backends.memory.state import Row, Shelf, State, keep_json, show
from app.domain.change import Add, Change, Changed, ChangeState, Delete, RecordUse, Restore, Update
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.identifiers import make_uuid7
from app.domain.memory import Memory, MemoryDraft, Scope, content_hash, embedded_text
from app.errors import AlreadyExists, EmbeddingMismatch, NotFound, VersionConflict


def check_dimensions(vector: Vector, identity: EmbeddingIdentity) -> None:
    """Raise `EmbeddingMismatch` for a vector that cannot be of an embedding."""
    if vector.shape != (identity.dimensions,):
        raise EmbeddingMismatch(
            f"a vector of shape {vector.shape} does not fit the store's embedding {identity}: "
            "use that embedding, or move the store with `reme reembed`"
        )


class Transaction:
    """One batch on a copy of its workspace. Whoever made it keeps `shelf` and `stamped` if every change went well."""

    def __init__(self, state: State, scope: Scope) -> None:
        self.shelf: Shelf = state.shelf(scope).copy()
        self.stamped = state.stamped
        self._state = state
        self._scope = scope
        self._now_ms = state.clock.now_ms()

    def apply(self, change: Change, *, skip_missing: bool) -> Changed:
        """Apply one change; raises `NotFound`, `VersionConflict`, `AlreadyExists` or `EmbeddingMismatch`."""
        if isinstance(change, Add):
            return self._add(change)
        row = self._find(change.memory_id, deleted=isinstance(change, Restore))
        if row is None:
            if skip_missing:
                return Changed(state=ChangeState.MISSING, memory_id=change.memory_id)
            what = "tombstone" if isinstance(change, Restore) else "memory"
            raise NotFound(f"no {what} {change.memory_id} is in workspace {self._scope.workspace_id}")
        match change:
            case Update():
                return self._update(row, change)
            case Delete():
                return self._delete(row, change)
            case Restore():
                return self._restore(row, change)
            case RecordUse():
                return self._record_use(row, change)

    def _add(self, change: Add) -> Changed:
        draft = change.draft
        twin = self._find_twin(draft)
        if twin is not None:
            return self._join(twin, draft)
        vector = self._check(change.vector)
        memory = fresh_memory(draft, self._scope, self._now_ms)
        memory, superseded_ids = self._settle_slot(memory, dated=_is_dated(draft))
        row = make_row(self._state.next_number(), self._state.written(memory), vector)
        self.shelf.put(row)
        return _changed(ChangeState.CREATED, row, superseded_ids)

    def _find_twin(self, draft: MemoryDraft) -> Row | None:
        """The row that a draft repeats: the one of its id, else the oldest current one with its text."""
        digest = content_hash(draft)
        same_id = self.shelf.rows.get(draft.id)
        if same_id is None and draft.revision_of:
            return None
        if same_id is None:
            rows = (self.shelf.rows[memory_id] for memory_id in sorted(self.shelf.hashes.get(digest, ())))
            return next((row for row in rows if row.current and not has_ended(row.memory, self._now_ms)), None)
        if not same_id.live:
            raise AlreadyExists(f"memory {draft.id} was deleted from {self._scope.workspace_id}: restore it instead")
        if same_id.text_hash != digest:
            raise AlreadyExists(f"memory {draft.id} is in workspace {self._scope.workspace_id} with another text")
        return same_id

    def _join(self, row: Row, draft: MemoryDraft) -> Changed:
        """Add a duplicate's tags and new metadata keys; what is there already stays as it is."""
        memory = row.memory
        tags = tuple(dict.fromkeys((*memory.tags, *draft.tags)))
        metadata = {**keep_json(draft.metadata), **memory.metadata}
        if (tags, metadata) != (memory.tags, memory.metadata):
            row = self._revise(row, tags=tags, metadata=metadata)
        return _changed(ChangeState.DUPLICATE, row)

    def _settle_slot(self, memory: Memory, *, dated: bool) -> tuple[Memory, tuple[str, ...]]:
        """Let the newest statement of a slot stand; returns the memory and the ids of those that it superseded.

        A statement is newer when it holds from a later moment on. One that names no moment (`dated` is false) is newer
        than all but those that are planned, whatever the wall clock says. One that is planned ends the present one
        only when its time comes.
        """
        if not memory.slot or memory.superseded:
            return memory, ()
        slot = (memory.user_id, memory.kind, memory.slot)
        rivals = [
            row
            for row in self.shelf.rows.values()
            if row.current and (row.memory.user_id, row.memory.kind, row.memory.slot) == slot
        ]
        planned = {id(row) for row in rivals if row.memory.valid_from_ms > max(self._now_ms, row.memory.created_ms)}
        if not dated:
            said = [row.memory.valid_from_ms for row in rivals if id(row) not in planned]
            memory = replace(memory, valid_from_ms=max([memory.valid_from_ms, *said]))
        superseded_ids = []
        for row in rivals:
            rival = row.memory
            if rival.valid_from_ms > memory.valid_from_ms if dated else id(row) in planned:
                end_ms = _earlier(memory.valid_to_ms, rival.valid_from_ms)
                memory = replace(memory, superseded=end_ms <= self._now_ms, valid_to_ms=end_ms)
                continue
            end_ms = _earlier(rival.valid_to_ms, max(memory.valid_from_ms, rival.valid_from_ms))
            over = end_ms <= max(self._now_ms, rival.valid_from_ms)
            self._revise(row, superseded=over, valid_to_ms=end_ms)
            superseded_ids += [rival.id] if over else []
        return memory, tuple(superseded_ids)

    def _update(self, row: Row, change: Update) -> Changed:
        memory = row.memory
        _check_version(memory, change.expected_version)
        vector = self._check(change.vector)
        new = patched_memory(memory, change.patch, self._now_ms)
        if (new.content, new.when_to_use) == (memory.content, memory.when_to_use):
            row = self._put(replace(row, vector=row.vector if vector is None else vector), new)
            return _changed(ChangeState.UPDATED, row)
        from_ms = max(self._now_ms, memory.valid_from_ms)
        self._keep_revision(row, from_ms)
        if vector is None and embedded_text(new.when_to_use, new.content) == _embedded(memory):
            vector = row.vector
        new = self._state.written(replace(new, valid_from_ms=from_ms))
        row = make_row(self._state.next_number(), new, vector)
        self.shelf.put(row)
        return _changed(ChangeState.UPDATED, row)

    def _keep_revision(self, row: Row, until_ms: int) -> None:
        """Give the earlier text, with its number and vectors, an id of its own."""
        memory = row.memory
        earlier = replace(
            memory,
            id=make_uuid7(self._now_ms),
            superseded=True,
            valid_to_ms=_earlier(memory.valid_to_ms, until_ms),
            revision_of=memory.revision_of or memory.id,
        )
        self.shelf.put(replace(row, memory=self._state.written(earlier)))

    def _delete(self, row: Row, change: Delete) -> Changed:
        memory = row.memory
        _check_version(memory, change.expected_version)
        for revision in self._revisions(memory.id):
            if revision.live:
                self._revise(revision, deleted_ms=self._now_ms)
        return _changed(ChangeState.DELETED, self._revise(row, deleted_ms=self._now_ms))

    def _restore(self, row: Row, change: Restore) -> Changed:
        vector = self._check(change.vector)
        deleted_ms = row.memory.deleted_ms
        for revision in self._revisions(row.memory.id):
            if revision.memory.deleted_ms == deleted_ms and not revision.purged:
                self._revise(revision, deleted_ms=None)
        memory, _ = self._settle_slot(row.memory, dated=True)
        row = self._revise(row, deleted_ms=None, superseded=memory.superseded, valid_to_ms=memory.valid_to_ms)
        if vector is not None:
            row = replace(row, vector=vector)
            self.shelf.put(row)
        return _changed(ChangeState.RESTORED, row)

    def _record_use(self, row: Row, change: RecordUse) -> Changed:
        memory = row.memory
        used = replace(memory, frequency=memory.frequency + 1, utility=memory.utility + change.utility)
        return _changed(ChangeState.UPDATED, self._put(row, used))

    def _find(self, memory_id: str, *, deleted: bool) -> Row | None:
        row = self.shelf.rows.get(memory_id)
        return None if row is None or row.purged or row.live is deleted else row

    def _revisions(self, memory_id: str) -> list[Row]:
        return [row for row in self.shelf.rows.values() if row.memory.revision_of == memory_id]

    def _revise(self, row: Row, **fields: Any) -> Row:
        """Keep a row with some fields changed, one version on."""
        memory = replace(row.memory, **fields, version=row.memory.version + 1, updated_ms=self._now_ms)
        return self._put(row, memory)

    def _put(self, row: Row, memory: Memory) -> Row:
        row = replace(row, memory=self._state.written(memory))
        self.shelf.put(row)
        return row

    def _check(self, vector: Vector | None) -> Vector | None:
        """A copy of a vector that fits the store's embedding, which is stamped with the first one."""
        if vector is None:
            return None
        identity = self.stamped or self._state.configured
        check_dimensions(vector, identity)
        self.stamped = identity
        return vector.astype("float32", copy=True)


def _is_dated(draft: MemoryDraft) -> bool:
    return draft.valid_from_ms is not None or draft.created_ms is not None


def _earlier(end_ms: int | None, other_ms: int) -> int:
    return other_ms if end_ms is None else min(end_ms, other_ms)


def _embedded(memory: Memory) -> str:
    return embedded_text(memory.when_to_use, memory.content)


def _check_version(memory: Memory, expected: int | None) -> None:
    if expected is not None and expected != memory.version:
        raise VersionConflict(
            f"memory {memory.id} is at version {memory.version}, not {expected}: read it again and repeat the change"
        )


def _changed(state: ChangeState, row: Row, superseded_ids: tuple[str, ...] = ()) -> Changed:
    memory = show(row.memory)
    return Changed(state=state, memory_id=memory.id, memory=memory, superseded_ids=superseded_ids)

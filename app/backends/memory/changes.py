"""Applies the changes of a batch to a copy of a workspace's rows."""

from dataclasses import replace
from typing import Any

from app.backends.memory.rows import SOURCES, fresh_memory, has_ended, make_row, patched_memory
from app.backends.memory.state import Row, Shelf, State, keep_json, show
from app.domain.change import Add, Change, Changed, ChangeState, Delete, RecordUse, Restore, Update
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.identifiers import make_uuid7
from app.domain.memory import Layer, Memory, MemoryDraft, Scope, content_hash, embedded_text
from app.errors import AlreadyExists, EmbeddingMismatch, InvalidRequest, NotFound, VersionConflict


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
        """Apply one change; raises `NotFound`, `VersionConflict`, `AlreadyExists` and what else a change may.

        With `skip_missing` an addition whose memory was deleted, or was given another text since, is `MISSING`.
        """
        if isinstance(change, Add):
            return self._add(change, skip_missing=skip_missing)
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

    def _add(self, change: Add, *, skip_missing: bool) -> Changed:
        draft = change.draft
        try:
            twin = self._find_twin(draft)
        except AlreadyExists:
            if skip_missing:
                return Changed(state=ChangeState.MISSING, memory_id=draft.id)
            raise
        if twin is not None:
            return self._join(twin, draft)
        grave = self._find_grave(draft) if skip_missing else None
        if grave is not None:
            return Changed(state=ChangeState.MISSING, memory_id=grave.revision_of or grave.id, memory=show(grave))
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

    def _find_grave(self, draft: MemoryDraft) -> Memory | None:
        """The deleted memory of a raw text at its place; one that was purged is not known again."""
        if draft.layer is not Layer.RAW:
            return None
        rows = (self.shelf.rows[memory_id] for memory_id in self.shelf.hashes.get(content_hash(draft), ()))
        return next((row.memory for row in rows if not row.live), None)

    def _join(self, row: Row, draft: MemoryDraft) -> Changed:
        """Add a duplicate's tags, new metadata keys and sources; what is there already stays as it is."""
        memory = row.memory
        joined = replace(
            memory,
            tags=tuple(dict.fromkeys((*memory.tags, *draft.tags))),
            metadata={**keep_json(draft.metadata), **memory.metadata},
            source_ids=tuple(dict.fromkeys((*memory.source_ids, *draft.source_ids)))[:SOURCES],
            slot=draft.slot if self._may_take_slot(row, draft.slot) else memory.slot,
        )
        if joined != memory:
            row = self._put(row, replace(joined, version=memory.version + 1, updated_ms=self._now_ms))
        return _changed(ChangeState.DUPLICATE, row)

    def _may_take_slot(self, row: Row, slot: str) -> bool:
        """Whether a memory without a slot stands, and no other that stands has this one."""
        if not slot or row.memory.slot or not row.current or has_ended(row.memory, self._now_ms):
            return False
        return not self._list_standing(replace(row.memory, slot=slot))

    def _list_standing(self, memory: Memory) -> list[Row]:
        """The rows that stand for a memory's slot."""
        slot = (memory.user_id, memory.kind, memory.slot)
        return [
            row
            for row in self.shelf.rows.values()
            if row.current and (row.memory.user_id, row.memory.kind, row.memory.slot) == slot
        ]

    def _settle_slot(self, memory: Memory, *, dated: bool) -> tuple[Memory, tuple[str, ...]]:
        """Let the newest statement of a slot stand; returns the memory and the ids of those that it superseded.

        A statement is newer when it holds from a later moment on. One that names no moment (`dated` is false) is newer
        than all but those that are planned, whatever the wall clock says. One that is planned ends the present one
        only when its time comes.
        """
        if not memory.slot or memory.superseded:
            return memory, ()
        rivals = self._list_standing(memory)
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
        rewritten = (new.content, new.when_to_use) != (memory.content, memory.when_to_use)
        if rewritten:
            new = replace(new, valid_from_ms=max(self._now_ms, memory.valid_from_ms))
        if change.patch.valid_to_ms is not None and change.patch.valid_to_ms <= new.valid_from_ms:
            raise InvalidRequest(
                f"valid_to_ms {change.patch.valid_to_ms} is not after valid_from_ms {new.valid_from_ms}: "
                "a statement ends after it begins"
            )
        superseded_ids: tuple[str, ...] = ()
        if _is_reopened(memory, new, self._now_ms):
            new, superseded_ids = self._settle_slot(replace(new, superseded=False), dated=True)
            self._refuse_twin(make_row(row.number, new, None))
        if not rewritten:
            row = self._put(replace(row, vector=row.vector if vector is None else vector), new)
            return _changed(ChangeState.UPDATED, row, superseded_ids)
        fresh = make_row(self._state.next_number(), new, vector)
        self._refuse_twin(fresh)
        self._keep_revision(row, new.valid_from_ms)
        if vector is None and embedded_text(new.when_to_use, new.content) == _embedded(memory):
            fresh = replace(fresh, vector=row.vector)
        return _changed(ChangeState.UPDATED, self._put(fresh, new), superseded_ids)

    def _refuse_twin(self, row: Row) -> None:
        """Raise `AlreadyExists` where a memory would stand that says what another one says."""
        if row.memory.superseded:
            return
        for memory_id in self.shelf.hashes.get(row.text_hash, ()):
            twin = self.shelf.rows[memory_id]
            if twin.current and memory_id != row.memory.id and not has_ended(twin.memory, self._now_ms):
                raise AlreadyExists(
                    f"memory {memory_id} says the same as memory {row.memory.id} would: change or delete one of the two"
                )

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
        memory = row.memory
        whole = self.shelf.rows.get(memory.revision_of)
        if whole is not None and not whole.live:
            raise InvalidRequest(
                f"memory {memory.id} keeps what memory {whole.memory.id} once said, which is deleted: restore that one"
            )
        if not has_ended(memory, self._now_ms):
            self._refuse_twin(row)
        back, _ = self._settle_slot(memory, dated=True)
        superseded = back.superseded or has_ended(back, self._now_ms)
        for revision in self._revisions(memory.id):
            if revision.memory.deleted_ms == memory.deleted_ms and not revision.purged:
                self._revise(revision, deleted_ms=None)
        row = self._revise(row, deleted_ms=None, superseded=superseded, valid_to_ms=back.valid_to_ms)
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


def _is_reopened(memory: Memory, new: Memory, now_ms: int) -> bool:
    """Whether a statement that had ended is given another end, or none; an earlier revision stays one."""
    if not memory.superseded or memory.revision_of or new.valid_to_ms == memory.valid_to_ms:
        return False
    return not has_ended(new, now_ms)


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

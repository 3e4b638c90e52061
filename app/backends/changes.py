"""What each change of a batch means for the rows of a workspace, in every store that keeps rows."""

from collections.abc import Iterable
from dataclasses import replace

from app.backends.rows import Rows
from app.backends.stored import SOURCES, Stored, check_version, hash_draft, hash_memory, patch_memory
from app.backends.vectors import check_vector
from app.domain.change import Add, Change, Changed, ChangeState, Delete, RecordUse, Restore, Update
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.identifiers import make_uuid7
from app.domain.memory import Layer, Memory, MemoryDraft, Scope
from app.errors import AlreadyExists, InvalidRequest, NotFound


class ChangeWriter:
    """Decides what each change means for the rows of one workspace; `finish` writes what was collected."""

    def __init__(self, rows: Rows, scope: Scope, *, identity: EmbeddingIdentity, now_ms: int) -> None:
        self._rows = rows
        self._scope, self._identity, self._now_ms = scope, identity, now_ms
        self._graves: dict[str, Memory] = {}
        self.wrote_vector = False

    def remember_graves(self, changes: Iterable[Change]) -> None:
        """Read which raw texts among the additions were deleted from their places, so that `apply` skips them."""
        drafts = (change.draft for change in changes if isinstance(change, Add))
        self._graves = self._rows.find_graves([hash_draft(draft) for draft in drafts if draft.layer is Layer.RAW])

    def apply(self, change: Change, *, skip_missing: bool) -> Changed:
        """Apply one change; any error leaves the transaction to be rolled back."""
        if isinstance(change, Add):
            return self._add(change, skip_missing=skip_missing)
        found = self._rows.find(change.memory_id)
        wants_tombstone = isinstance(change, Restore)
        if found is None or (found.memory.deleted_ms is not None) is not wants_tombstone:
            if skip_missing:
                return Changed(state=ChangeState.MISSING, memory_id=change.memory_id)
            raise NotFound(f"memory {change.memory_id} is not in workspace {self._scope.workspace_id}")
        if isinstance(change, Update | Delete):
            check_version(found.memory, change.expected_version)
        match change:
            case Update():
                return self._update(found, change)
            case Delete():
                return self._delete(found)
            case Restore():
                return self._restore(found, change)
            case RecordUse():
                return self._record_use(found, change)

    def finish(self) -> None:
        """Write what was collected."""
        self._rows.finish()

    def _accept(self, vector: Vector | None) -> Vector | None:
        if vector is not None:
            check_vector(vector, self._identity)
            self.wrote_vector = True
        return vector

    # -- adding

    def _add(self, change: Add, *, skip_missing: bool) -> Changed:
        draft, digest, vector = change.draft, hash_draft(change.draft), self._accept(change.vector)
        try:
            twin = self._find_twin(draft, digest)
        except AlreadyExists:
            if skip_missing:
                return Changed(state=ChangeState.MISSING, memory_id=draft.id)
            raise
        if twin is not None:
            return self._join(twin, draft)
        if digest in self._graves:
            grave = self._graves[digest]
            return Changed(state=ChangeState.MISSING, memory_id=grave.revision_of or grave.id, memory=grave)
        from_ms = draft.created_ms if draft.valid_from_ms is None else draft.valid_from_ms
        ended_ids, later_ms = ((), None) if draft.revision_of else self._settle_slot(draft, from_ms)
        memory = self._make(draft, later_ms)
        self._rows.insert(memory, digest, vector)
        return Changed(state=ChangeState.CREATED, memory_id=memory.id, memory=memory, superseded_ids=ended_ids)

    def _find_twin(self, draft: MemoryDraft, digest: str) -> Stored | None:
        """The row that a draft repeats: the one of its id, else a current one with its text."""
        taken = self._rows.find_taken(draft.id) if draft.id else None
        if taken is not None:
            if taken.memory.deleted_ms is None and hash_memory(taken.memory) == digest:
                return taken
            raise AlreadyExists(
                f"memory {draft.id} is in workspace {self._scope.workspace_id}, deleted or with another text:"
                " give another id"
            )
        if draft.revision_of:
            return None
        return self._rows.find_twin(digest)

    def _join(self, twin: Stored, draft: MemoryDraft) -> Changed:
        """An exact duplicate adds what is new in tags, metadata and sources, and takes nothing away."""
        old = twin.memory
        new = replace(
            old,
            tags=tuple(dict.fromkeys((*old.tags, *draft.tags))),
            metadata={**draft.metadata, **old.metadata},
            source_ids=tuple(dict.fromkeys((*old.source_ids, *draft.source_ids)))[:SOURCES],
            slot=draft.slot if self._may_take_slot(old, draft.slot) else old.slot,
        )
        if new != old:
            new = replace(new, version=old.version + 1, **self._rows.stamp())
            self._rows.replace(twin, new)
        return Changed(state=ChangeState.DUPLICATE, memory_id=old.id, memory=new)

    def _may_take_slot(self, memory: Memory, slot: str) -> bool:
        """Whether a memory without a slot stands, and no other that stands has this one."""
        if not slot or memory.slot or memory.superseded or _has_ended(memory, self._now_ms):
            return False
        return not self._list_standing(memory, slot)

    def _list_standing(self, of: MemoryDraft | Memory, slot: str) -> list[Stored]:
        return self._rows.list_standing(slot, user_id=of.user_id, kind=of.kind.value)

    def _settle_slot(self, of: MemoryDraft | Memory, from_ms: int | None) -> tuple[tuple[str, ...], int | None]:
        """The ids that a statement of a slot ends, and from when on a later statement stands in its place.

        A statement that names no moment is newer than all but those that are planned, and one that is
        planned ends the present one only when its time comes.
        """
        if not of.slot or _has_ended(of, self._now_ms):
            return (), None
        start_ms = self._now_ms if from_ms is None else from_ms
        ended: list[str] = []
        later: list[int] = []
        for each in self._list_standing(of, of.slot):
            old = each.memory
            if old.valid_from_ms > (max(self._now_ms, old.created_ms) if from_ms is None else start_ms):
                later.append(old.valid_from_ms)
                continue
            end_ms = _earlier(old.valid_to_ms, max(start_ms, old.valid_from_ms))
            over = end_ms <= max(self._now_ms, old.valid_from_ms)
            new = replace(old, superseded=over, valid_to_ms=end_ms, version=old.version + 1, **self._rows.stamp())
            self._rows.replace(each, new)
            ended += [old.id] if over else []
        return tuple(ended), min(later, default=None)

    def _make(self, draft: MemoryDraft, later_ms: int | None) -> Memory:
        valid_to_ms = draft.valid_to_ms if later_ms is None else _earlier(draft.valid_to_ms, later_ms)
        created_ms = self._now_ms if draft.created_ms is None else draft.created_ms
        stamp = self._rows.stamp()
        if draft.updated_ms is not None:
            stamp["updated_ms"] = draft.updated_ms
        return Memory(
            id=draft.id or make_uuid7(self._now_ms),
            scope=self._scope,
            kind=draft.kind,
            layer=draft.layer,
            content=draft.content,
            when_to_use=draft.when_to_use,
            user_id=draft.user_id,
            author=draft.author,
            tags=tuple(dict.fromkeys(draft.tags)),
            metadata=draft.metadata,
            details=draft.details,
            score=draft.score,
            frequency=draft.frequency,
            utility=draft.utility,
            origin=draft.origin,
            source_ids=draft.source_ids,
            slot=draft.slot,
            created_ms=created_ms,
            valid_from_ms=created_ms if draft.valid_from_ms is None else draft.valid_from_ms,
            valid_to_ms=valid_to_ms,
            deleted_ms=None,
            superseded=bool(draft.revision_of) or (valid_to_ms is not None and valid_to_ms <= self._now_ms),
            revision_of=draft.revision_of,
            version=draft.version,
            **stamp,
        )

    # -- changing

    def _update(self, found: Stored, change: Update) -> Changed:
        old = found.memory
        new = replace(patch_memory(old, change), version=old.version + 1, **self._rows.stamp())
        if change.patch.clears_valid_to:
            new = replace(new, valid_to_ms=None)
        rewritten = (new.content, new.when_to_use) != (old.content, old.when_to_use)
        if rewritten:
            new = replace(new, valid_from_ms=max(self._now_ms, old.valid_from_ms))
        if change.patch.valid_to_ms is not None and change.patch.valid_to_ms <= new.valid_from_ms:
            raise InvalidRequest(
                f"valid_to_ms {change.patch.valid_to_ms} is not after valid_from_ms {new.valid_from_ms}: "
                "a statement ends after it begins"
            )
        ended_ids: tuple[str, ...] = ()
        if _has_ended(new, self._now_ms):
            new = replace(new, superseded=True)
        elif old.superseded and not old.revision_of and new.valid_to_ms != old.valid_to_ms:
            new, ended_ids = self._reopen(new)
        if rewritten:
            self._refuse_twin(new)
            self._rows.rewrite(found, new, self._accept(change.vector))
        else:
            self._rows.replace(found, new)
        return Changed(state=ChangeState.UPDATED, memory_id=old.id, memory=new, superseded_ids=ended_ids)

    def _reopen(self, memory: Memory) -> tuple[Memory, tuple[str, ...]]:
        """Let a statement that had ended stand again, unless a later one of its slot stands."""
        ended_ids, later_ms = self._settle_slot(memory, memory.valid_from_ms)
        end_ms = memory.valid_to_ms if later_ms is None else _earlier(memory.valid_to_ms, later_ms)
        memory = replace(memory, valid_to_ms=end_ms, superseded=end_ms is not None and end_ms <= self._now_ms)
        self._refuse_twin(memory)
        return memory, ended_ids

    def _refuse_twin(self, memory: Memory) -> None:
        """Raise `AlreadyExists` where a memory would stand that says what another one says."""
        if memory.superseded:
            return
        twin = self._rows.find_other_twin(hash_memory(memory), memory.id)
        if twin is not None:
            raise AlreadyExists(
                f"memory {twin.memory.id} says the same as memory {memory.id} would: change or delete one of the two"
            )

    def _record_use(self, found: Stored, change: RecordUse) -> Changed:
        old = found.memory
        used = {"frequency": old.frequency + 1, "utility": old.utility + change.utility}
        new = replace(old, **{**self._rows.stamp(), **used})
        self._rows.replace(found, new)
        return Changed(state=ChangeState.UPDATED, memory_id=old.id, memory=new)

    def _delete(self, found: Stored) -> Changed:
        family = [each for each in self._rows.list_family(found) if each.memory.deleted_ms is None]
        graves = [
            replace(each.memory, deleted_ms=self._now_ms, version=each.memory.version + 1, **self._rows.stamp())
            for each in family
        ]
        self._rows.bury(family, graves)
        return Changed(state=ChangeState.DELETED, memory_id=found.memory.id, memory=graves[0])

    def _restore(self, found: Stored, change: Restore) -> Changed:
        """The memory comes back with the earlier revisions that were deleted with it, not with those deleted before."""
        if not found.memory.content:
            raise NotFound(f"memory {found.memory.id} was purged: its text is gone for good")
        whole = self._rows.find(found.memory.revision_of) if found.memory.revision_of else None
        if whole is not None and whole.memory.deleted_ms is not None:
            raise InvalidRequest(
                f"memory {found.memory.id} keeps what memory {whole.memory.id} once said, which is deleted: "
                "restore that one"
            )
        if not _has_ended(found.memory, self._now_ms):
            self._refuse_twin(found.memory)
        later_ms = None if found.memory.superseded else self._settle_slot(found.memory, found.memory.valid_from_ms)[1]
        end_ms = found.memory.valid_to_ms if later_ms is None else _earlier(found.memory.valid_to_ms, later_ms)
        back = replace(
            found.memory,
            deleted_ms=None,
            valid_to_ms=end_ms,
            superseded=found.memory.superseded or (end_ms is not None and end_ms <= self._now_ms),
            version=found.memory.version + 1,
            **self._rows.stamp(),
        )
        revisions = [
            each
            for each in self._rows.list_family(found)[1:]
            if each.memory.deleted_ms == found.memory.deleted_ms and each.memory.content
        ]
        self._rows.unearth(found, back, self._accept(change.vector))
        for each in revisions:
            past = replace(each.memory, deleted_ms=None, version=each.memory.version + 1, **self._rows.stamp())
            self._rows.unearth(each, past, None)
        return Changed(state=ChangeState.RESTORED, memory_id=found.memory.id, memory=back)


def _has_ended(of: MemoryDraft | Memory, now_ms: int) -> bool:
    return of.valid_to_ms is not None and of.valid_to_ms <= now_ms


def _earlier(end_ms: int | None, other_ms: int) -> int:
    return other_ms if end_ms is None else min(end_ms, other_ms)

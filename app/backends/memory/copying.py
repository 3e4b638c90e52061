"""Rows as they stand, for a move to or from another store, in RAM."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import local

from app.backends.memory.changes import check_dimensions
from app.backends.memory.rows import make_row
from app.backends.memory.state import KeptJob, KeptReceipt, Row, Shelf, State, keep_json, show
from app.backends.receipts import list_outcomes
from app.domain.change import Changed, ChangeState
from app.domain.copying import CopiedMemory, CopiedReceipt, CopyBatch, CopyStand, MoveMark, is_purged, let_go
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.job import Job
from app.domain.memory import JsonObject, Memory, Scope
from app.domain.usage import UsageRecord
from app.domain.workspace import User, Workspace
from app.errors import EmbeddingMismatch, NotFound, StoreBusy
from app.ports import Clock

_BATCH = 500


class MarkedState(State):
    """A state that refuses writes of memories, users and offloads of what is marked."""

    def __init__(self, *, identity: EmbeddingIdentity, clock: Clock) -> None:
        super().__init__(identity=identity, clock=clock)
        self.marks: dict[Scope | None, MoveMark] = {}
        self.stands: dict[tuple[str, Scope], CopyStand] = {}
        self.passes = local()

    def written(self, memory: Memory) -> Memory:
        """The memory with the sequence number and the logical time of a new write."""
        self.check(memory.scope)
        return super().written(memory)

    def ensure_workspace(self, scope: Scope, *, name: str = "", metadata: JsonObject | None = None) -> Workspace:
        """The workspace, made now if it is missing."""
        self.check(scope)
        return super().ensure_workspace(scope, name=name, metadata=metadata)

    def check(self, scope: Scope) -> None:
        """Raise `StoreBusy` where a mark stands on a workspace."""
        for mark in self.list_marks():
            if mark.scope in (None, scope) and not getattr(self.passes, "on", False):
                raise StoreBusy(mark.message)

    def list_marks(self) -> list[MoveMark]:
        """The marks that stand."""
        now_ms = self.clock.now_ms()
        return [mark for mark in self.marks.values() if mark.until_ms is None or mark.until_ms > now_ms]

    def advance(self, hlc: int) -> int:
        """The sequence number of a copied row; later writes get a later clock."""
        self._seq += 1
        self._hlc = max(self._hlc, hlc)
        return self._seq


class Copying:
    """The `Copying` of the in-RAM backend. Receipts of jobs are left out, and jobs are not kept from a marked store."""

    def __init__(self, state: MarkedState) -> None:
        self._state = state

    def node_id(self) -> str:
        """The store's own id."""
        return self._state.node_id

    def list_scopes(self) -> tuple[Scope, ...]:
        """Every workspace that there is, or of which uses were counted."""
        with self._state.lock:
            used = {Scope(tenant_id=each.tenant_id, workspace_id=each.workspace_id) for each in self._usage()}
            return tuple(sorted({*self._state.workspaces, *used}, key=lambda one: (one.tenant_id, one.workspace_id)))

    def _usage(self) -> Sequence[UsageRecord]:
        return tuple(self._state.usage.values())

    # -- reading

    def read_memories(self, scope: Scope, *, after: int) -> Iterator[CopyBatch]:
        """The rows that were written after a `seq`, in the order of their last writes."""
        with self._state.lock:
            rows = [row for row in self._state.shelf(scope).rows.values() if row.memory.seq > after]
        rows.sort(key=lambda row: row.memory.seq)
        for start in range(0, len(rows), _BATCH):
            part = rows[start : start + _BATCH]
            yield CopyBatch(seq=part[-1].memory.seq, memories=tuple(map(_copy, part)))

    def find_memories(self, scope: Scope, memory_ids: Sequence[str]) -> tuple[CopiedMemory, ...]:
        """The rows of these ids."""
        with self._state.lock:
            rows = self._state.shelf(scope).rows
            return tuple(_copy(rows[memory_id]) for memory_id in memory_ids if memory_id in rows)

    def read_receipts(self, scope: Scope, *, since_ms: int) -> tuple[CopiedReceipt, ...]:
        """The receipts of batches that were given at a moment or later."""
        with self._state.lock:
            return tuple(
                CopiedReceipt(
                    key=key,
                    request_sha256=kept.request_sha256,
                    outcomes=list_outcomes(kept.outcomes),
                    created_ms=kept.committed_ms,
                )
                for (place, key), kept in self._state.receipts.items()
                if place == scope and kept.committed_ms >= since_ms
            )

    def read_jobs(self, scope: Scope) -> tuple[Job, ...]:
        """The jobs in the order in which they came."""
        with self._state.lock:
            kept = sorted(self._state.jobs.values(), key=lambda kept: kept.place)
            return tuple(let_go(each.job) for each in kept if each.job.scope == scope)

    # -- writing

    def put_workspace(self, workspace: Workspace) -> None:
        """Keep a workspace as it is given."""
        with self._state.lock:
            self._state.workspaces[workspace.scope] = replace(workspace, metadata=keep_json(workspace.metadata))

    def put_users(self, users: Sequence[User]) -> None:
        """Keep users as they are given."""
        with self._state.lock:
            for user in users:
                kept = replace(user, metadata=keep_json(user.metadata))
                self._state.users.setdefault(user.scope, {})[user.user_id] = kept

    def put_memories(self, scope: Scope, memories: Sequence[CopiedMemory], *, stand: CopyStand) -> int:
        """Keep rows as they are given, and the stand."""
        state = self._state
        with state.lock:
            if scope not in state.workspaces:
                raise NotFound(f"there is no workspace {scope.workspace_id}")
            self._check_vectors([each.vector for each in memories if each.vector is not None])
            shelf = state.shelf(scope).copy()
            changed = sum(self._put(shelf, each) for each in memories)
            state.shelves[scope] = shelf
            self.put_stand(stand)
            return changed

    def _check_vectors(self, vectors: Sequence[Vector]) -> None:
        state = self._state
        if state.stamped not in (None, state.configured):
            raise EmbeddingMismatch(f"the store was built with {state.stamped}, not with {state.configured}")
        for vector in vectors:
            check_dimensions(vector, state.configured)
        if vectors:
            state.stamped = state.configured

    def _put(self, shelf: Shelf, copied: CopiedMemory) -> bool:
        memory, found = show(copied.memory), shelf.rows.get(copied.memory.id)
        if found is not None:
            standing, given = (found.memory.version, found.memory.hlc), (memory.version, memory.hlc)
            if standing > given or (standing == given and (found.vector is not None or copied.vector is None)):
                return False
        same = found is not None and (
            copied.is_purged or (found.memory.content, found.memory.when_to_use) == (memory.content, memory.when_to_use)
        )
        number = found.number if found is not None and same else self._state.next_number()
        if found is not None and not same:
            shelf.ids.pop(found.number, None)
        vector = copied.vector
        if vector is None and found is not None and same and not copied.is_purged:
            vector = found.vector
        shelf.put(_make_row(number, replace(memory, seq=self._state.advance(memory.hlc)), vector))
        return True

    def put_receipts(self, scope: Scope, receipts: Sequence[CopiedReceipt]) -> None:
        """Keep receipts of batches whose keys are not there."""
        with self._state.lock:
            for each in receipts:
                if not each.key.startswith("job "):
                    kept = KeptReceipt(
                        request_sha256=each.request_sha256,
                        outcomes=tuple(_read_outcome(*outcome) for outcome in each.outcomes),  # type: ignore
                        committed_ms=each.created_ms,
                    )
                    self._state.receipts.setdefault((scope, each.key), kept)

    def put_jobs(self, jobs: Sequence[Job]) -> None:
        """Keep jobs that are not there, and those that changed later than what is there."""
        with self._state.lock:
            for job in jobs:
                kept = self._state.jobs.get(job.id)
                if kept is None:
                    self._state.jobs[job.id] = KeptJob(job=job, place=len(self._state.jobs) + 1)
                elif job.updated_ms > kept.job.updated_ms:
                    self._state.jobs[job.id] = replace(kept, job=job)

    def put_usage(self, records: Sequence[UsageRecord]) -> None:
        """Let counts of use be at least these."""
        with self._state.lock:
            for each in records:
                key = (each.tenant_id, each.day, each.workspace_id, each.operation, each.model)
                kept = self._state.usage.get(key, each)
                self._state.usage[key] = replace(
                    kept,
                    calls=max(kept.calls, each.calls),
                    items=max(kept.items, each.items),
                    input_tokens=max(kept.input_tokens, each.input_tokens),
                    output_tokens=max(kept.output_tokens, each.output_tokens),
                )

    # -- how far the copy is

    def list_stands(self, source: str) -> tuple[CopyStand, ...]:
        """How far the copies from another store are."""
        with self._state.lock:
            return tuple(stand for stand in self._state.stands.values() if stand.source == source)

    def put_stand(self, stand: CopyStand) -> None:
        """Keep how far a copy is."""
        self._state.stands[stand.source, stand.scope] = stand

    def drop_stand(self, stand: CopyStand) -> None:
        """Forget how far a copy is."""
        self._state.stands.pop((stand.source, stand.scope), None)

    # -- the mark on what is moved

    def hold(self, mark: MoveMark, *, lease_ms: int) -> None:
        """Keep writers out for `lease_ms` from now."""
        with self._state.lock:
            standing = self._find_mark(mark.scope)
            if standing is not None and standing.target_id != mark.target_id:
                raise StoreBusy(standing.message)
            self._state.marks[mark.scope] = replace(mark, until_ms=self._state.clock.now_ms() + lease_ms)

    def renew(self, mark: MoveMark, *, lease_ms: int) -> bool:
        """Keep them out for longer."""
        return self._prolong(mark, lease_ms)

    def settle(self, mark: MoveMark) -> bool:
        """Keep them out for good."""
        return self._prolong(mark, None)

    def reopen(self, scope: Scope | None) -> bool:
        """Let writers in again."""
        with self._state.lock:
            return self._state.marks.pop(scope, None) is not None

    def list_marks(self) -> tuple[MoveMark, ...]:
        """The marks that stand."""
        with self._state.lock:
            return tuple(self._state.list_marks())

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Let this thread write to what is marked."""
        self._state.passes.on = True
        try:
            yield
        finally:
            self._state.passes.on = False

    def _find_mark(self, scope: Scope | None) -> MoveMark | None:
        return next((mark for mark in self._state.list_marks() if mark.scope == scope), None)

    def _prolong(self, mark: MoveMark, lease_ms: int | None) -> bool:
        with self._state.lock:
            standing = self._find_mark(mark.scope)
            if standing is None or standing.target_id != mark.target_id:
                return False
            until_ms = None if lease_ms is None else self._state.clock.now_ms() + lease_ms
            self._state.marks[mark.scope] = replace(mark, until_ms=until_ms)
            return True


def _copy(row: Row) -> CopiedMemory:
    return CopiedMemory(memory=show(row.memory), vector=None if row.vector is None else row.vector.copy())


def _make_row(number: int, memory: Memory, vector: Vector | None) -> Row:
    row = make_row(number, memory, vector)
    return replace(row, text_hash="", purged=True) if is_purged(memory) else row


def _read_outcome(state: str, memory_id: str, superseded_ids: Sequence[str]) -> Changed:
    return Changed(state=ChangeState(state), memory_id=memory_id, superseded_ids=tuple(superseded_ids))

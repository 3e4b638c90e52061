"""Moving workspaces between stores: rows as they stand, how far the copy is, and the mark on what is moved."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from app.domain.copying import CopiedMemory, CopiedReceipt, CopyBatch, CopyStand, MoveMark
from app.domain.job import Job
from app.domain.memory import Scope
from app.domain.usage import UsageRecord
from app.domain.workspace import User, Workspace


class Copying(Protocol):
    """Reads what a store holds as it stands, and writes what another store held.

    Every writing may be repeated. While a mark stands, the store's other writes of what it names raise `StoreBusy`,
    in every process; counts of use, the ledger and the notes for an index go on.
    """

    def node_id(self) -> str:
        """The store's own id, by which it is known from others."""
        ...

    def list_scopes(self) -> tuple[Scope, ...]:
        """Every workspace that something is kept of, also the money and the counts of deleted ones, in order."""
        ...

    # -- reading

    def read_memories(self, scope: Scope, *, after: int) -> Iterator[CopyBatch]:
        """The rows that were written after a `seq`, in the order of their last writes; 0 for all.

        A row that is written meanwhile comes in its new state, and again to whoever asks for what follows.
        """
        ...

    def find_memories(self, scope: Scope, memory_ids: Sequence[str]) -> tuple[CopiedMemory, ...]:
        """The rows of these ids, in any order."""
        ...

    def read_receipts(self, scope: Scope, *, since_ms: int) -> tuple[CopiedReceipt, ...]:
        """The receipts that were given at a moment or later."""
        ...

    def read_jobs(self, scope: Scope) -> tuple[Job, ...]:
        """The jobs, finished ones too, in the order in which they came; what is claimed is let go."""
        ...

    # -- writing

    def put_workspace(self, workspace: Workspace) -> None:
        """Keep a workspace as it is given, in place of one of its name."""
        ...

    def put_users(self, users: Sequence[User]) -> None:
        """Keep users as they are given, of workspaces that are there."""
        ...

    def put_memories(self, scope: Scope, memories: Sequence[CopiedMemory], *, stand: CopyStand) -> int:
        """Keep rows as they are given, and the stand, in one step; returns how many rows changed.

        Of two states of a row the one with the newer version and `hlc` stays; a vector that is missing is added. The
        store counts `seq` for itself. Raises `NotFound` without the workspace, `EmbeddingMismatch` for vectors of
        another embedding than the store's.
        """
        ...

    def put_receipts(self, scope: Scope, receipts: Sequence[CopiedReceipt]) -> None:
        """Keep receipts whose keys are not there."""
        ...

    def put_jobs(self, jobs: Sequence[Job]) -> None:
        """Keep jobs that are not there, and those that changed later than what is there."""
        ...

    def put_usage(self, records: Sequence[UsageRecord]) -> None:
        """Let counts of use be at least these."""
        ...

    # -- how far the copy is

    def list_stands(self, source: str) -> tuple[CopyStand, ...]:
        """How far the copies from another store are."""
        ...

    def put_stand(self, stand: CopyStand) -> None:
        """Keep how far a copy is."""
        ...

    def drop_stand(self, stand: CopyStand) -> None:
        """Forget how far a copy is."""
        ...

    # -- the mark on what is moved

    def hold(self, mark: MoveMark, *, lease_ms: int) -> None:
        """Keep writers out for `lease_ms` from now, which waits for those under way; the mark's end is not looked at.

        Raises `StoreBusy` where another mark stands on it.
        """
        ...

    def renew(self, mark: MoveMark, *, lease_ms: int) -> bool:
        """Keep them out for longer; False where the mark has lapsed or is gone, so that some may have written."""
        ...

    def settle(self, mark: MoveMark) -> bool:
        """Keep them out for good; False where the mark has lapsed or is gone."""
        ...

    def reopen(self, scope: Scope | None) -> bool:
        """Let writers in again; returns whether a mark was there."""
        ...

    def list_marks(self) -> tuple[MoveMark, ...]:
        """The marks that stand, without those that have lapsed."""
        ...

    def passing(self) -> AbstractContextManager[None]:
        """Let this thread write to what is marked."""
        ...

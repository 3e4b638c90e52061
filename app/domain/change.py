"""Changes to memories that are committed together or not at all, and what became of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from app.domain.embedding import Vector
from app.domain.memory import Memory, MemoryDraft, MemoryPatch, Scope


@dataclass(frozen=True, kw_only=True, slots=True)
class Add:
    """Add a memory. An exact duplicate joins its tags, sources and new metadata keys to the one that is there.

    It takes a free slot over too.
    """

    draft: MemoryDraft
    vector: Vector | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Update:
    """Change a memory. With `expected_version` another's change in between is a `VersionConflict`."""

    memory_id: str
    patch: MemoryPatch
    vector: Vector | None = None
    expected_version: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Delete:
    """Leave a tombstone: the memory is never found again, and can be restored until it is purged."""

    memory_id: str
    expected_version: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Restore:
    """Take a tombstone back, if its text was not purged."""

    memory_id: str
    vector: Vector | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordUse:
    """Count a use: `frequency` by one and `utility` by what it was worth. Not a new revision."""

    memory_id: str
    utility: float = 0.0


Change: TypeAlias = Add | Update | Delete | Restore | RecordUse


class ChangeState(StrEnum):
    """What became of a change. A missing memory fails the whole batch unless it says otherwise."""

    CREATED = "created"
    DUPLICATE = "duplicate"
    UPDATED = "updated"
    DELETED = "deleted"
    RESTORED = "restored"
    MISSING = "missing"


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """Makes a batch idempotent: the same key with the same request returns the first outcome again.

    The key is the caller's `Idempotency-Key`, scoped to tenant and workspace; the same key with another request is an
    `IdempotencyConflict`. Receipts live 24 hours.
    """

    key: str
    request_sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeBatch:
    """Changes in one workspace, committed together. `skip_missing` turns a missing memory into a state."""

    scope: Scope
    changes: tuple[Change, ...]
    receipt: Receipt | None = None
    skip_missing: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed:
    """One change's outcome: the memory as it now is, and the ids of the memories that it superseded."""

    state: ChangeState
    memory_id: str
    memory: Memory | None = None
    superseded_ids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Committed:
    """A durable batch. `replayed` says that a receipt answered and nothing was written."""

    outcomes: tuple[Changed, ...]
    replayed: bool = False

    @property
    def states(self) -> Mapping[ChangeState, int]:
        """How many changes ended in each state."""
        return {
            state: sum(outcome.state is state for outcome in self.outcomes)
            for state in ChangeState
            if any(outcome.state is state for outcome in self.outcomes)
        }

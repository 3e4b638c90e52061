"""What is moved from one store to another as it stands, and how two stores are compared."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256

from app.domain.embedding import Vector
from app.domain.job import Job, JobState
from app.domain.memory import Json, Memory, Scope

_SUM_BITS = 128


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CopiedMemory:
    """A row as a store has it, tombstones and earlier revisions too, with its vector (dimensions,) if it has one."""

    memory: Memory
    vector: Vector | None = None

    @property
    def is_purged(self) -> bool:
        """Whether it is a tombstone whose text was erased for good."""
        return is_purged(self.memory)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CopyBatch:
    """Rows in the order of their last writes. Whoever has kept them has all of the workspace up to `seq`."""

    seq: int
    memories: tuple[CopiedMemory, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CopiedReceipt:
    """A receipt: the key with the SHA-256 of its request, what it ended in (ids and states), and when."""

    key: str
    request_sha256: str
    outcomes: Json
    created_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CopyStand:
    """How far a workspace was copied, kept by the store that it is copied into.

    `source` is the node id of the other store and `seq` that store's; `data_key_id` tells a workspace from another one
    that was made under its name later. `is_done` says that the move is finished.
    """

    source: str
    scope: Scope
    data_key_id: str
    seq: int = 0
    is_done: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveMark:
    """Says that a workspace, or with no scope all, is being moved (until `until_ms`) or was moved (None) elsewhere.

    `target` names the other store without secrets, `target_id` is its node id. Moments are those of the store's clock.
    """

    scope: Scope | None
    target: str
    target_id: str
    until_ms: int | None = None

    @property
    def message(self) -> str:
        """What whoever writes is told."""
        what = "the store" if self.scope is None else f"workspace {self.scope.workspace_id}"
        if self.until_ms is not None:
            return f"{what} is being moved to {self.target}: repeat in a moment"
        return (
            f"{what} was moved to {self.target}: write there, or take the mark away with "
            "`reme migrate --back --from THIS-STORE`"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Digest:
    """How many rows a workspace has, and a sum of their fingerprints, which does not depend on their order."""

    rows: int
    checksum: str


def is_purged(memory: Memory) -> bool:
    """Whether a memory is a tombstone whose text was erased for good."""
    return memory.deleted_ms is not None and not memory.content


def fingerprint(copied: CopiedMemory) -> int:
    """128 bits of the SHA-256 of all that a row says, but for `seq`, which each store counts for itself.

    The vector counts in half precision, which is the least that a store keeps.
    """
    memory, vector = copied.memory, copied.vector
    document = [
        [memory.id, memory.scope.tenant_id, memory.scope.workspace_id, memory.kind.value, memory.layer.value],
        [memory.content, memory.when_to_use, memory.user_id, memory.author, list(memory.tags)],
        [memory.metadata, memory.details, float(memory.score), memory.frequency, float(memory.utility)],
        [memory.origin.path, memory.origin.source, memory.origin.start_line, memory.origin.end_line],
        [list(memory.source_ids), memory.slot, memory.created_ms, memory.updated_ms],
        [memory.valid_from_ms, memory.valid_to_ms, memory.deleted_ms, memory.superseded, memory.revision_of],
        [memory.version, memory.hlc, memory.node_id],
    ]
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    digest = sha256(text.encode())
    if vector is not None:
        digest.update(vector.astype("<f2").tobytes())
    return int.from_bytes(digest.digest()[: _SUM_BITS // 8])


def add_up(memories: Iterable[CopiedMemory]) -> Digest:
    """The digest of rows."""
    rows = total = 0
    for each in memories:
        rows, total = rows + 1, (total + fingerprint(each)) % 2**_SUM_BITS
    return Digest(rows=rows, checksum=f"{total:0{_SUM_BITS // 4}x}")


def let_go(job: Job) -> Job:
    """A job as another store gets it: one that a worker of this store is at waits there to be done again."""
    return replace(job, state=JobState.QUEUED, token="") if job.state is JobState.RUNNING else replace(job, token="")

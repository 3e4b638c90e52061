"""A memory with the number of its row, and what is derived from the two."""

from dataclasses import dataclass, replace

from app.domain.change import Update
from app.domain.memory import Memory, MemoryDraft, Origin, Scope, content_hash
from app.errors import VersionConflict

HASH_DIGITS = 32
"""Half of the SHA-256 is kept: among 10^12 texts two share it with odds of 1 in 10^14."""
SOURCES = 1_000
"""The most source ids that are kept of a memory: what a caller may give (`app.service.limits`) holds when they join."""
_PATCHED = ("content", "when_to_use", "author", "tags", "metadata", "details", "score", "valid_to_ms")


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A memory and the number of its row."""

    number: int
    memory: Memory


def hash_draft(draft: MemoryDraft) -> str:
    """The part of a draft's content hash that is stored."""
    return content_hash(draft)[:HASH_DIGITS]


def hash_memory(memory: Memory) -> str:
    """The part of a memory's content hash that is stored."""
    return hash_draft(
        MemoryDraft(
            kind=memory.kind,
            layer=memory.layer,
            content=memory.content,
            when_to_use=memory.when_to_use,
            user_id=memory.user_id,
            origin=memory.origin,
        )
    )


def prefix_path(scope: Scope) -> str:
    """What a stored path begins with, so that (path, source) is unique over all workspaces."""
    return f"{scope.tenant_id}/{scope.workspace_id}/"


def check_version(memory: Memory, expected: int | None) -> None:
    """Raise `VersionConflict` where another change came first."""
    if expected is not None and memory.version != expected:
        raise VersionConflict(
            f"memory {memory.id} is at version {memory.version}, you expected {expected}: "
            "read it again and repeat the change"
        )


def patch_memory(memory: Memory, change: Update) -> Memory:
    """A memory with the fields that an update gives."""
    given = {name: value for name in _PATCHED if (value := getattr(change.patch, name)) is not None}
    return replace(memory, **given)


def blank_memory(memory: Memory, *, seq: int, hlc: int, now_ms: int) -> Memory:
    """The tombstone of a memory without its content, and without what may tell of it."""
    return Memory(
        id=memory.id,
        scope=memory.scope,
        kind=memory.kind,
        layer=memory.layer,
        content="",
        when_to_use="",
        user_id="",
        author="",
        tags=(),
        metadata={},
        details={},
        score=0.0,
        frequency=0,
        utility=0.0,
        origin=Origin(),
        source_ids=(),
        slot="",
        created_ms=memory.created_ms,
        updated_ms=now_ms,
        valid_from_ms=memory.valid_from_ms,
        valid_to_ms=memory.valid_to_ms,
        deleted_ms=now_ms if memory.deleted_ms is None else memory.deleted_ms,
        superseded=memory.superseded,
        revision_of=memory.revision_of,
        seq=seq,
        version=memory.version + 1,
        hlc=hlc,
        node_id=memory.node_id,
    )

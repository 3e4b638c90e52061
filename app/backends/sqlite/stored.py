"""A memory with the number of its row, and what is derived from the two."""

from dataclasses import dataclass, replace

from app.domain.change import Update
from app.domain.memory import Memory, MemoryDraft, content_hash
from app.errors import VersionConflict

HASH_DIGITS = 32
"""Half of the SHA-256 is kept: among 10^12 texts two share it with odds of 1 in 10^14."""
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

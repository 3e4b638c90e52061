"""Makes memories of drafts and patches, and rows of memories."""

from collections import Counter
from dataclasses import replace
from typing import Any

from app.backends.memory.state import Row, keep_json
from app.backends.memory.words import split_words
from app.domain.embedding import Vector
from app.domain.identifiers import make_uuid7
from app.domain.memory import Memory, MemoryDraft, MemoryPatch, Origin, Scope, content_hash

SOURCES = 1_000
"""The most source ids that are kept of a memory: what a caller may give (`app.service.limits`) holds when they join."""


def fresh_memory(draft: MemoryDraft, scope: Scope, now_ms: int) -> Memory:
    """The first version of a memory, before it is written.

    What the draft does not say is assigned: the id, and the times, of which `valid_from_ms` is that of its creation.
    A statement that has ended already counts as superseded.
    """
    created_ms = now_ms if draft.created_ms is None else draft.created_ms
    return Memory(
        id=draft.id or make_uuid7(now_ms),
        scope=scope,
        kind=draft.kind,
        layer=draft.layer,
        content=draft.content,
        when_to_use=draft.when_to_use,
        user_id=draft.user_id,
        author=draft.author,
        tags=tuple(dict.fromkeys(draft.tags)),
        metadata=keep_json(draft.metadata),
        details=keep_json(draft.details),
        score=draft.score,
        frequency=draft.frequency,
        utility=draft.utility,
        origin=draft.origin,
        source_ids=draft.source_ids,
        slot=draft.slot,
        created_ms=created_ms,
        updated_ms=now_ms if draft.updated_ms is None else draft.updated_ms,
        valid_from_ms=created_ms if draft.valid_from_ms is None else draft.valid_from_ms,
        valid_to_ms=draft.valid_to_ms,
        deleted_ms=None,
        superseded=bool(draft.revision_of) or _is_past(draft.valid_to_ms, now_ms),
        revision_of=draft.revision_of,
        seq=0,
        version=draft.version,
        hlc=0,
        node_id="",
    )


def patched_memory(memory: Memory, patch: MemoryPatch, now_ms: int) -> Memory:
    """The next version of a memory, before it is written. Metadata and details are replaced, not joined."""
    given: dict[str, Any] = {
        name: value
        for name in ("content", "when_to_use", "author", "score", "valid_to_ms")
        if (value := getattr(patch, name)) is not None
    }
    if patch.tags is not None:
        given["tags"] = tuple(dict.fromkeys(patch.tags))
    if patch.metadata is not None:
        given["metadata"] = keep_json(patch.metadata)
    if patch.details is not None:
        given["details"] = keep_json(patch.details)
    if patch.clears_valid_to:
        given["valid_to_ms"] = None
    superseded = memory.superseded or _is_past(given.get("valid_to_ms", memory.valid_to_ms), now_ms)
    return replace(memory, **given, superseded=superseded, version=memory.version + 1, updated_ms=now_ms)


def has_ended(memory: Memory, now_ms: int) -> bool:
    """Whether what a memory states no longer holds."""
    return _is_past(memory.valid_to_ms, now_ms)


def _is_past(valid_to_ms: int | None, now_ms: int) -> bool:
    return valid_to_ms is not None and valid_to_ms <= now_ms


def make_row(number: int, memory: Memory, vector: Vector | None) -> Row:
    """A row with what is derived from a memory's text."""
    draft = MemoryDraft(
        kind=memory.kind,
        layer=memory.layer,
        content=memory.content,
        when_to_use=memory.when_to_use,
        user_id=memory.user_id,
        origin=memory.origin,
    )
    return Row(
        number=number,
        memory=memory,
        text_hash=content_hash(draft),
        words=Counter(split_words(f"{memory.when_to_use}\n{memory.content}")),
        vector=vector,
    )


def erased_row(row: Row, now_ms: int) -> Row:
    """The tombstone that stays when a memory's content is erased for good."""
    memory = replace(
        row.memory,
        content="",
        when_to_use="",
        author="",
        tags=(),
        metadata={},
        details={},
        origin=Origin(),
        source_ids=(),
        slot="",
        deleted_ms=now_ms if row.memory.deleted_ms is None else row.memory.deleted_ms,
    )
    return replace(row, memory=memory, text_hash="", words=Counter(), vector=None, moved=None, purged=True)

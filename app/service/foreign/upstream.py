"""ReMe 0.3: lines and lists of its memory nodes. (A dump of 0.2 is read as it is, see `app.service.items`.)"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.domain.memory import Layer, MemoryKind
from app.service.foreign.entries import (
    Entry,
    list_entries,
    make_id,
    make_item,
    read_metadata,
    read_name,
    read_tags,
    read_text,
    read_time,
)

KINDS: Mapping[str, tuple[MemoryKind, Layer]] = {
    "identity": (MemoryKind.PERSONAL, Layer.DISTILLED),
    "personal": (MemoryKind.PERSONAL, Layer.DISTILLED),
    "summary": (MemoryKind.PERSONAL, Layer.DISTILLED),
    "history": (MemoryKind.PERSONAL, Layer.RAW),
    "procedural": (MemoryKind.TASK, Layer.DISTILLED),
    "task": (MemoryKind.TASK, Layer.DISTILLED),
    "tool": (MemoryKind.TOOL, Layer.DISTILLED),
}
"""What 0.3 calls its kinds, and what they are here."""
COUNTERS = ("freq", "utility")


def is_reme_03(entry: Entry) -> bool:
    """Whether an object is a memory node of 0.3: its kinds and its target are named so nowhere else."""
    return "memory_target" in entry or ("ref_memory_id" in entry and "memory_type" in entry)


def read_reme_03(values: Sequence[Any], left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    """A memory of each node; vectors are made anew."""
    for entry in list_entries(values, "memory_list", "memories"):
        kind, layer = KINDS.get(read_text(entry, "memory_type").lower(), (None, Layer.DISTILLED))
        content = read_text(entry, "content")
        if kind is None or not content:
            left_out["without a text, or of another kind"] += 1
            continue
        nested = entry.get("metadata")
        metadata = dict(nested) if isinstance(nested, dict) else {}
        counted = {name: metadata[name] for name in COUNTERS if isinstance(metadata.get(name), int | float)}
        target = read_name(entry, "memory_target")
        item = make_item(
            content,
            kind=kind,
            layer=layer,
            identity=make_id("reme-0.3", read_name(entry, "memory_id")),
            user_id=target if kind is MemoryKind.PERSONAL else "",
            author=read_name(entry, "author"),
            when_to_use=read_text(entry, "when_to_use"),
            tags=read_tags(target) if kind is not MemoryKind.PERSONAL else (),
            metadata={**read_metadata(metadata, *COUNTERS), **counted},
            score=float(entry["score"]) if isinstance(entry.get("score"), int | float) else 0.0,
            created_ms=read_time(entry, "message_time", "time_created"),
            updated_ms=read_time(entry, "time_modified"),
            source_ids=[make_id("reme-0.3", read_name(entry, "ref_memory_id"))],
            path="reme-0.3" if layer is Layer.RAW else "",
        )
        yield item

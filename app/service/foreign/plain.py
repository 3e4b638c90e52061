"""Plain lines: texts, or objects with a text and whatever else."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from app.service.foreign.entries import (
    make_id,
    make_item,
    read_metadata,
    read_name,
    read_tags,
    read_text,
    read_time,
)

TEXTS = ("content", "text", "memory", "fact", "value")
_OWN = (
    *TEXTS,
    "id",
    "user_id",
    "user",
    "author",
    "tags",
    "metadata",
    "created_at",
    "timestamp",
    "updated_at",
    "when_to_use",
)


def read_plain(values: Sequence[Any], left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    """A memory of each text or object; fields of other names become metadata."""
    for value in values:
        for each in value if isinstance(value, list) else [value]:
            entry = {"content": each} if isinstance(each, str) else each
            content = read_text(entry, *TEXTS) if isinstance(entry, dict) else ""
            if not content:
                left_out["without a text"] += 1
                continue
            nested = entry.get("metadata")
            yield make_item(
                content,
                identity=make_id("plain", read_name(entry, "id")),
                user_id=read_name(entry, "user_id", "user"),
                author=read_name(entry, "author"),
                when_to_use=read_text(entry, "when_to_use"),
                tags=read_tags(entry.get("tags")),
                metadata={**read_metadata(entry, *_OWN), **(read_metadata(nested) if isinstance(nested, dict) else {})},
                created_ms=read_time(entry, "created_at", "timestamp"),
                updated_ms=read_time(entry, "updated_at"),
            )

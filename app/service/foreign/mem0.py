"""mem0: what `get_all` returns, an export of the platform, or the payloads of its vector store (mem0 1.x and 2.x)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

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

_OWN = (
    "id",
    "memory",
    "data",
    "text",
    "hash",
    "user_id",
    "agent_id",
    "run_id",
    "app_id",
    "actor_id",
    "role",
    "metadata",
    "categories",
    "created_at",
    "updated_at",
    "expiration_date",
    "score",
    "payload",
    "text_lemmatized",
    "attributed_to",
)


def is_mem0(entry: Entry) -> bool:
    """Whether an object looks like a memory of mem0, alone or as a point of its vector store."""
    payload = entry.get("payload")
    if isinstance(payload, dict):
        return "data" in payload
    return isinstance(entry.get("memory"), str) and "id" in entry and "memory_type" not in entry


def read_mem0(values: Sequence[Any], left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    """A memory of each; agents' ids become authors, categories tags, an expiration the end of its validity."""
    for given in list_entries(values, "results", "memories", "points"):
        payload = given.get("payload")
        entry = {**payload, "id": given.get("id")} if isinstance(payload, dict) else given
        content = read_text(entry, "memory", "data", "text")
        if not content:
            left_out["without a text"] += 1
            continue
        nested = entry.get("metadata")
        metadata = {
            **read_metadata(entry, *_OWN),
            **(read_metadata(nested) if isinstance(nested, dict) else {}),
            **({"run_id": run} if (run := read_name(entry, "run_id")) else {}),
        }
        yield make_item(
            content,
            identity=make_id("mem0", read_name(entry, "id")),
            user_id=read_name(entry, "user_id"),
            author=read_name(entry, "agent_id", "actor_id", "app_id"),
            tags=read_tags(entry.get("categories")),
            metadata=metadata,
            created_ms=read_time(entry, "created_at"),
            updated_ms=read_time(entry, "updated_at"),
            valid_to_ms=read_time(entry, "expiration_date"),
        )

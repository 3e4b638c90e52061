"""Zep and graphiti: facts with the time that they hold, summaries of entities, and episodes word for word."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.domain.memory import Layer
from app.service.foreign.entries import (
    Entry,
    make_id,
    make_item,
    read_metadata,
    read_name,
    read_tags,
    read_text,
    read_time,
)
from app.service.limits import SOURCES

_PARTS = ("edges", "facts", "nodes", "entities", "episodes", "messages")


def is_graphiti(entry: Entry) -> bool:
    """Whether an object is a graph of Zep or graphiti, or one of its facts, entities or episodes."""
    if any(isinstance(entry.get(part), list) for part in ("edges", "facts", "episodes")):
        return True
    return "uuid" in entry and ("fact" in entry or "summary" in entry or "content" in entry)


def read_graphiti(values: Sequence[Any], left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    """Facts and summaries as distilled memories, episodes and messages as raw ones; embeddings are made anew.

    A group is the user whom the graph is about. A fact that was invalidated keeps the time in which it held.
    """
    names: dict[str, str] = {}
    entries = list(_walk(values))
    for entry in entries:
        if "fact" not in entry and read_text(entry, "name"):
            names[read_name(entry, "uuid")] = read_text(entry, "name")
    for line, entry in enumerate(entries, start=1):
        if read_text(entry, "fact"):
            yield _make_fact(entry, names)
        elif read_text(entry, "content"):
            yield _make_episode(entry, line)
        elif read_text(entry, "summary"):
            yield _make_summary(entry)
        else:
            left_out["without a fact, summary or content"] += 1


def _walk(values: Sequence[Any]) -> Iterator[Entry]:
    for value in values:
        if isinstance(value, list):
            yield from _walk(value)
        elif isinstance(value, Mapping):
            parts = [part for part in _PARTS if isinstance(value.get(part), list) and "fact" not in value]
            if parts and "content" not in value:
                group = read_name(value, "group_id", "user_id", "session_id")
                for part in parts:
                    for each in value[part]:
                        if isinstance(each, Mapping):
                            yield {"group_id": group, **each} if group else each
            else:
                yield value


def _user(entry: Entry) -> str:
    return read_name(entry, "user_id", "group_id", "session_id")


def _make_fact(entry: Entry, names: Mapping[str, str]) -> dict[str, Any]:
    ends = {
        role: names.get(read_name(entry, key), "")
        for role, key in (("subject", "source_node_uuid"), ("object", "target_node_uuid"))
    }
    created_ms = read_time(entry, "created_at")
    episodes = entry.get("episodes")
    attributes = entry.get("attributes")
    return make_item(
        read_text(entry, "fact"),
        identity=make_id("graphiti", read_name(entry, "uuid")),
        user_id=_user(entry),
        tags=read_tags(entry.get("name")),
        metadata={
            **(read_metadata(attributes, "fact_embedding") if isinstance(attributes, dict) else {}),
            **{role: name for role, name in ends.items() if name},
        },
        created_ms=created_ms,
        valid_from_ms=read_time(entry, "valid_at", "created_at"),
        valid_to_ms=read_time(entry, "invalid_at", "expired_at"),
        source_ids=[make_id("graphiti", str(each)) for each in episodes[:SOURCES]]
        if isinstance(episodes, list)
        else (),
    )


def _make_episode(entry: Entry, line: int) -> dict[str, Any]:
    role = read_text(entry, "role_type", "role", "source")
    return make_item(
        read_text(entry, "content"),
        layer=Layer.RAW,
        identity=make_id("graphiti", read_name(entry, "uuid")),
        user_id=_user(entry),
        author=role,
        metadata={"source": description} if (description := read_text(entry, "source_description")) else {},
        created_ms=read_time(entry, "valid_at", "created_at"),
        path=read_name(entry, "session_id", "group_id", "name"),
        line=line,
    )


def _make_summary(entry: Entry) -> dict[str, Any]:
    labels, attributes = entry.get("labels"), entry.get("attributes")
    name = read_text(entry, "name")
    return make_item(
        read_text(entry, "summary"),
        identity=make_id("graphiti", read_name(entry, "uuid")),
        user_id=_user(entry),
        when_to_use=name,
        tags=read_tags(labels),
        metadata=read_metadata(attributes, "name_embedding") if isinstance(attributes, dict) else {},
        created_ms=read_time(entry, "created_at"),
    )

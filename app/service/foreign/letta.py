"""Letta: agent files (`.af`), of the present form with `agents` and of the former one with `core_memory`."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.domain.memory import Layer
from app.service.foreign.entries import (
    Entry,
    make_id,
    make_item,
    read_name,
    read_objects,
    read_tags,
    read_text,
    read_time,
)

SPOKEN = ("user", "assistant")
"""Roles whose messages are kept; instructions to the agent, and what tools answered, are not memories of anyone."""
_PARTS = ("tools", "sources", "files", "mcp_servers", "groups", "skills")


def is_letta(entry: Entry) -> bool:
    """Whether an object is an agent file."""
    return (isinstance(entry.get("agents"), list) and "blocks" in entry) or isinstance(entry.get("core_memory"), list)


def read_letta(values: Sequence[Any], left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    """Blocks of core memory as distilled memories, what was said as raw ones.

    Agent files do not hold an agent's archive; tools, files and settings of agents are left out and counted.
    """
    for document in values:
        if not isinstance(document, Mapping):
            left_out["no agent file"] += 1
            continue
        for part in _PARTS:
            left_out[part] += len(read_objects(document, part))
        blocks = {read_name(block, "id"): block for block in read_objects(document, "blocks")}
        for agent in read_objects(document, "agents") or [document]:
            listed = agent.get("block_ids")
            own = [blocks[str(key)] for key in (listed if isinstance(listed, list) else ()) if str(key) in blocks]
            written = [*own, *read_objects(agent, "core_memory"), *read_objects(agent, "memory_blocks")]
            name = read_text(agent, "name") or "agent"
            yield from _read_blocks(written, name, left_out)
            yield from _read_messages(agent, name, left_out)


def _read_blocks(blocks: Sequence[Entry], agent: str, left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    for block in blocks:
        value = read_text(block, "value")
        if not value:
            left_out["empty blocks"] += 1
            continue
        label = read_text(block, "label") or "block"
        description = read_text(block, "description")
        yield make_item(
            value,
            identity=make_id("letta", f"{agent}/{label}"),
            author=agent,
            when_to_use=description,
            tags=read_tags("letta", label),
            created_ms=read_time(block, "created_at"),
            updated_ms=read_time(block, "updated_at"),
            path=f"letta/{agent}/{label}",
        )


def _read_messages(agent: Entry, name: str, left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    for line, message in enumerate(read_objects(agent, "messages"), start=1):
        role = message.get("role")
        text = _read_content(message.get("content", message.get("text"))) if role in SPOKEN else ""
        if not text:
            left_out["messages of tools and instructions"] += 1
            continue
        yield make_item(
            text,
            layer=Layer.RAW,
            identity=make_id("letta", f"{name}/{line}/{read_name(message, 'id')}"),
            author=str(role),
            tags=read_tags("letta"),
            created_ms=read_time(message, "created_at"),
            path=f"letta/{name}",
            line=line,
        )


def _read_content(content: object) -> str:
    if isinstance(content, str):
        return content.strip()
    if not isinstance(content, list):
        return ""
    parts = [part["text"] for part in content if isinstance(part, Mapping) and isinstance(part.get("text"), str)]
    return "\n".join(parts).strip()

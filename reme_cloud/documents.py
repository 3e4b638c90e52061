"""Between the records of this package and the JSON documents of the service's /v1 API."""

import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, TypeAlias

from reme_cloud.errors import InvalidRequest
from reme_cloud.records import (
    Added,
    Hit,
    ImportReport,
    MemoryRecord,
    Message,
    NewMemory,
    Origin,
    Outcome,
    Remembered,
    SearchResult,
    ToolCall,
    ToolCallsRecorded,
    ToolGuideline,
    Usage,
    UsageLine,
    Workspace,
)

Document: TypeAlias = Mapping[str, Any]

PORTION = 100
"""Lines of an import that are asked for at once."""


def write_json(document: Document | Sequence[Any]) -> str:
    """A document as JSON, or `InvalidRequest` for what JSON does not know."""
    try:
        return json.dumps(document, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"the request cannot be written as JSON: {error}") from None


def write_moment(moment: datetime | None) -> str | None:
    """RFC 3339; a time without a zone is UTC."""
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def make_new(memory: str | NewMemory, **given: Any) -> NewMemory:
    """A memory to keep: of a text and the fields given, or one that brings its own. Raises `InvalidRequest`."""
    if isinstance(memory, str):
        return NewMemory(
            content=memory,
            **{**given, "tags": tuple(given["tags"]), "metadata": given["metadata"] or {}},
        )
    if any(value and (name, value) != ("type", "personal") for name, value in given.items()):
        raise InvalidRequest("a NewMemory brings its own fields: set them there, or give a text")
    return memory


def write_new(memory: NewMemory) -> dict[str, Any]:
    """A `MemoryIn`."""
    return {
        **_fields(memory),
        "metadata": dict(memory.metadata),
        "details": dict(memory.details),
        "origin": _fields(memory.origin),
        "valid_from": write_moment(memory.valid_from),
        "valid_to": write_moment(memory.valid_to),
    }


def write_filter(
    *,
    types: Sequence[str],
    users: Sequence[str],
    tags: Sequence[str],
    since: datetime | None,
    until: datetime | None,
) -> dict[str, Any]:
    """A `FilterIn` but for the metadata."""
    return {
        "types": list(types),
        "users": list(users),
        "tags": list(tags),
        "since": write_moment(since),
        "until": write_moment(until),
    }


def write_message(message: Message | Document) -> dict[str, Any]:
    """A `MessageIn`; a mapping is taken as it is."""
    if not isinstance(message, Message):
        return dict(message)
    return {**_fields(message), "created_at": write_moment(message.created_at)}


def write_conversation(
    messages: Sequence[Message | Document],
    *,
    kind: str,
    user_id: str,
    score: float | None,
    task_id: str,
    metadata: Document | None,
) -> dict[str, Any]:
    """A `ConversationIn`."""
    return {
        "kind": kind,
        "messages": [write_message(message) for message in messages],
        "user_id": user_id,
        "score": score,
        "task_id": task_id,
        "metadata": dict(metadata or {}),
    }


def write_call(call: ToolCall) -> dict[str, Any]:
    """A call of a tool as the 0.2 API has it."""
    document = _fields(call)
    return {
        **document,
        "time_cost": document.pop("time_cost_s"),
        "create_time": write_moment(document.pop("created_at")) or "",
    }


async def write_lines(lines: Iterable[str | Document] | AsyncIterable[str | Document]) -> AsyncIterator[str]:
    """The lines of an import, each a JSON text or an object."""
    if isinstance(lines, AsyncIterable):
        async for line in lines:
            yield _write_line(line)
        return
    import anyio.to_thread  # noqa: PLC0415 - so that importing this package is quick

    # In a thread, since what yields the lines may wait: for a file, or for this very event loop.
    remaining = iter(lines)
    while portion := await anyio.to_thread.run_sync(lambda: list(islice(remaining, PORTION))):
        for line in portion:
            yield _write_line(line)


def _write_line(line: str | Document) -> str:
    if not isinstance(line, str):
        return write_json(line)
    try:
        line.encode()
    except UnicodeEncodeError:
        raise InvalidRequest("a line of the import has half of a surrogate pair: send valid UTF-8") from None
    return line.rstrip("\r\n")


def check_tool_names(tool_names: Sequence[str]) -> Sequence[str]:
    """Return names of tools, or raise `InvalidRequest` for one with a comma, which the 0.2 API separates them by."""
    for name in tool_names:
        if "," in name:
            raise InvalidRequest(f"the tool name {name[:80]!r} has a comma: tools with one cannot be asked for by name")
    return tool_names


def read_memory(document: Document) -> MemoryRecord:
    """Read a `MemoryOut`."""
    known = {name: document[name] for name in MemoryRecord.__slots__}
    return MemoryRecord(
        **{
            **known,
            "tags": tuple(document["tags"]),
            "source_ids": tuple(document["source_ids"]),
            "origin": Origin(**document["origin"]),
            "created_at": _read_moment(document["created_at"]),
            "updated_at": _read_moment(document["updated_at"]),
            "valid_from": _read_moment(document["valid_from"]),
            "valid_to": None if document["valid_to"] is None else _read_moment(document["valid_to"]),
        }
    )


def read_memories(documents: Sequence[Document]) -> tuple[MemoryRecord, ...]:
    """Read several `MemoryOut`."""
    return tuple(read_memory(document) for document in documents)


def read_added(document: Document) -> Added:
    """Read an `AddedOut`."""
    return Added(
        state=document["state"],
        memory=read_memory(document["memory"]),
        superseded_ids=tuple(document["superseded_ids"]),
        replayed=document["replayed"],
    )


def read_outcomes(document: Document) -> tuple[Outcome, ...]:
    """Read a `BatchOut`."""
    return tuple(
        Outcome(state=outcome["state"], id=outcome["id"], superseded_ids=tuple(outcome["superseded_ids"]))
        for outcome in document["outcomes"]
    )


def read_search(document: Document) -> SearchResult:
    """Read a `SearchOut`."""
    return SearchResult(
        hits=tuple(
            Hit(memory=read_memory(hit["memory"]), score=hit["score"], similarity=hit["similarity"])
            for hit in document["hits"]
        ),
        took_ms=document["took_ms"],
        degraded=document.get("degraded", ""),
    )


def read_remembered(document: Document) -> Remembered:
    """Read a `RememberedOut`."""
    return Remembered(
        memories=read_memories(document["memories"]),
        raw_ids=tuple(document["raw_ids"]),
        inserted=document["inserted"],
        superseded_ids=tuple(document["superseded_ids"]),
        extractor=document["extractor"],
        skipped=document["skipped"],
    )


def read_calls(envelope: Document) -> ToolCallsRecorded:
    """Read the 0.2 API's answer to recorded calls."""
    validation, deduplication = (
        envelope["metadata"]["validation_stats"],
        envelope["metadata"]["deduplication_stats"],
    )
    return ToolCallsRecorded(
        received=validation["total_input"],
        filtered=validation["filtered"],
        deduplicated=deduplication["deduplicated"],
        added=deduplication["added"],
    )


def read_guidelines(items: Sequence[Document]) -> tuple[ToolGuideline, ...]:
    """Read the 0.2 API's items of tools."""
    return tuple(ToolGuideline(tool_name=item["when_to_use"], text=item["content"]) for item in items)


def read_workspace(document: Document) -> Workspace:
    """Read a `WorkspaceOut`."""
    return Workspace(
        id=document["id"],
        name=document["name"],
        metadata=document["metadata"],
        created_at=_read_moment(document["created_at"]),
        updated_at=_read_moment(document["updated_at"]),
        version=document["version"],
    )


def read_usage(document: Document) -> Usage:
    """Read a `UsageOut`."""
    return Usage(
        from_day=document["from_day"],
        to_day=document["to_day"],
        cost_usd=_read_usd(document["cost_usd"]),
        lines=tuple(
            UsageLine(
                operation=line["operation"],
                model=line["model"],
                calls=line["calls"],
                items=line["items"],
                input_tokens=line["input_tokens"],
                output_tokens=line["output_tokens"],
                cost_usd=_read_usd(line["cost_usd"]),
            )
            for line in document["lines"]
        ),
    )


def read_import(document: Document) -> ImportReport:
    """Read an `ImportOut`."""
    return ImportReport(
        read=document["read"],
        created=document["created"],
        duplicates=document["duplicates"],
        rejected=tuple((line["line"], line["reason"]) for line in document["rejected"]),
    )


def _fields(record: NewMemory | Origin | Message | ToolCall) -> dict[str, Any]:
    """The fields of a record by name, as they are."""
    return {each.name: getattr(record, each.name) for each in fields(record)}


def _read_moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _read_usd(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value))

"""The memory item of the 0.2 API and the line of its dump, to and from our memories.

An item is what clients of the 0.2 API send and get; a line is an item with our own fields under the key "reme",
which other readers skip. Times are written "YYYY-MM-DD HH:MM:SS" in UTC and, under "reme", in milliseconds.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from app.domain.identifiers import MEMORY_ID
from app.domain.memory import Json, JsonObject, Layer, Memory, MemoryDraft, MemoryKind, Origin
from app.errors import InvalidRequest
from app.service.limits import LARGEST_VERSION

KIND_FIELDS: Mapping[MemoryKind, Mapping[str, Json]] = {
    MemoryKind.PERSONAL: {"target": "", "reflection_subject": ""},
    MemoryKind.TOOL: {"tool_call_results": []},
}
"""What an item of a kind has beside the common fields, and its empty value; kept in a memory's details."""
COUNTERS = ("freq", "utility")
"""Counted by the service; an item shows them among its metadata."""


def write_item(memory: Memory, *, score: float | None = None) -> dict[str, Json]:
    """The item of a memory; `score` stands in for the stored one where a search found it."""
    item: dict[str, Json] = {
        "workspace_id": memory.scope.workspace_id,
        "memory_id": memory.id,
        "memory_type": memory.kind.value,
        "when_to_use": memory.when_to_use,
        "content": memory.content,
        "score": memory.score if score is None else score,
        "time_created": _write_time(memory.created_ms),
        "time_modified": _write_time(memory.updated_ms),
        "author": memory.author,
        "metadata": {**memory.metadata, "freq": memory.frequency, "utility": memory.utility},
    }
    for name, empty in KIND_FIELDS.get(memory.kind, {}).items():
        item[name] = memory.details.get(name, empty)
    return item


def write_line(memory: Memory) -> dict[str, Json]:
    """The line of a memory: its item, and under "reme" what an item cannot say."""
    shown = KIND_FIELDS.get(memory.kind, {})
    own: dict[str, Json] = {
        "layer": memory.layer.value,
        "user_id": memory.user_id,
        "tags": list(memory.tags),
        "details": {name: value for name, value in memory.details.items() if name not in shown},
        "origin": {
            "path": memory.origin.path,
            "source": memory.origin.source,
            "start_line": memory.origin.start_line,
            "end_line": memory.origin.end_line,
        },
        "source_ids": list(memory.source_ids),
        "slot": memory.slot,
        "created_ms": memory.created_ms,
        "updated_ms": memory.updated_ms,
        "valid_from_ms": memory.valid_from_ms,
        "valid_to_ms": memory.valid_to_ms,
        "superseded": memory.superseded,
        "revision_of": memory.revision_of,
        "version": memory.version,
    }
    hidden = {name: value for name, value in memory.metadata.items() if name in COUNTERS}
    if hidden:
        own["metadata"] = hidden
    return {**write_item(memory), "reme": own}


def read_line(line: str) -> MemoryDraft:
    """The draft of a dump's line, ours or of the 0.2 API; raises `InvalidRequest` with the reason."""
    try:
        item = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the line is no JSON: {error}") from None
    if not isinstance(item, dict):
        raise InvalidRequest(f"the line holds a {type(item).__name__}: a memory is a JSON object")
    return read_item(item)


def read_item(item: JsonObject) -> MemoryDraft:
    """The draft of an item; unknown fields are left out. Raises `InvalidRequest` naming the field.

    An id that is not 32 hexadecimal digits (with or without hyphens) is left to the store to assign.
    """
    try:
        read = _Item.model_validate(item)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the item"
        raise InvalidRequest(f"{field}: {first['msg']}") from None
    own = read.reme
    metadata = {name: value for name, value in read.metadata.items() if name not in COUNTERS}
    details = {name: item[name] for name in KIND_FIELDS.get(read.memory_type, {}) if item.get(name)}
    valid_to_ms = own.valid_to_ms
    if own.superseded and valid_to_ms is None:
        valid_to_ms = own.updated_ms or read.time_modified
    identity = read.memory_id.replace("-", "").lower()
    return MemoryDraft(
        kind=read.memory_type,
        content=read.content,
        layer=own.layer,
        when_to_use=read.when_to_use,
        user_id=own.user_id or read.user_id,
        author=read.author,
        tags=tuple(own.tags),
        metadata={**metadata, **own.metadata},
        details={**own.details, **details},
        score=read.score,
        frequency=_read_count(read.metadata.get("freq")),
        utility=_read_number(read.metadata.get("utility")),
        origin=Origin(
            path=own.origin.path,
            source=own.origin.source,
            start_line=own.origin.start_line,
            end_line=own.origin.end_line,
        ),
        source_ids=tuple(own.source_ids),
        slot=own.slot,
        id=identity if MEMORY_ID.fullmatch(identity) else "",
        created_ms=read.time_created if own.created_ms is None else own.created_ms,
        updated_ms=read.time_modified if own.updated_ms is None else own.updated_ms,
        valid_from_ms=own.valid_from_ms,
        valid_to_ms=valid_to_ms,
        revision_of=own.revision_of if MEMORY_ID.fullmatch(own.revision_of) else "",
        version=own.version,
    )


def _write_time(moment_ms: int) -> str:
    moment = datetime.fromtimestamp(moment_ms // 1000, UTC).replace(tzinfo=None)
    return moment.isoformat(sep=" ", timespec="seconds")


def _read_time(value: object) -> int | None:
    """Milliseconds of "YYYY-MM-DD HH:MM:SS" (UTC), or of any ISO 8601 time; None for an empty text."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError('give a time as "YYYY-MM-DD HH:MM:SS"')
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f'{value[:40]!r} is no time: write "YYYY-MM-DD HH:MM:SS"') from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return round(moment.timestamp() * 1000)


def _read_object(value: object) -> object:
    """A JSON object; some 0.2 stores dump it as a text of JSON."""
    if isinstance(value, str):
        return json.loads(value, parse_constant=_refuse_constant) if value else {}
    return {} if value is None else value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _read_number(value: object) -> float:
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidRequest(f"metadata.utility is {str(value)[:40]!r}: give a number")
    return float(value)


def _read_count(value: object) -> int:
    if value is None:
        return 0
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or not isinstance(value, (int, float)) or value < 0:
        raise InvalidRequest(f"metadata.freq is {str(value)[:40]!r}: give a whole number of 0 or more")
    return int(value)


_Time = Annotated[int | None, BeforeValidator(_read_time)]
_Object = Annotated[dict[str, Any], BeforeValidator(_read_object)]
_Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]


class _Origin(BaseModel):
    path: str = ""
    source: str = "memory"
    start_line: int = 0
    end_line: int = 0


class _Own(BaseModel):
    """What a line says under "reme"."""

    model_config = ConfigDict(strict=True)

    layer: Annotated[Layer, Field(strict=False)] = Layer.DISTILLED
    user_id: str = ""
    tags: list[str] = []
    metadata: dict[str, Any] = {}
    details: dict[str, Any] = {}
    origin: _Origin = _Origin()
    source_ids: list[str] = []
    slot: str = ""
    created_ms: int | None = None
    updated_ms: int | None = None
    valid_from_ms: int | None = None
    valid_to_ms: int | None = None
    superseded: bool = False
    revision_of: str = ""
    version: Annotated[int, Field(ge=1, le=LARGEST_VERSION)] = 1


class _Item(BaseModel):
    """An item as untrusted text; unknown fields are ignored, as the 0.2 API does."""

    memory_id: _Text = ""
    memory_type: MemoryKind
    when_to_use: _Text = ""
    content: str
    score: Annotated[float, BeforeValidator(lambda value: 0.0 if value is None else value)] = 0.0
    time_created: _Time = None
    time_modified: _Time = None
    author: _Text = ""
    user_id: _Text = ""
    metadata: _Object = {}
    reme: _Own = _Own()

"""Entries of a foreign file, and the parts that most formats share."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from app.domain.memory import Layer, MemoryKind
from app.errors import InvalidRequest
from app.service.limits import METADATA_KEY_CHARACTERS, NAME_CHARACTERS, TAG_CHARACTERS, TAGS

Entry = Mapping[str, Any]
"""A JSON object of a foreign file."""


def read_entries(text: str) -> tuple[list[Any], bool]:
    """The values of a file: one JSON document (True), or a line each. Raises `InvalidRequest` where it is neither."""
    try:
        return [json.loads(text)], True
    except RecursionError:
        raise InvalidRequest("the file is nested too deep to be read") from None
    except ValueError:
        pass
    values = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                values.append(json.loads(line))
            except (ValueError, RecursionError):
                raise InvalidRequest(f"line {number} is no JSON, and neither is the file as a whole") from None
    if not values:
        raise InvalidRequest("the file holds nothing")
    return values, False


def list_entries(values: Sequence[Any], *keys: str) -> Iterator[Entry]:
    """The objects of a file: lines, the elements of an array, or those below the first of these keys."""
    for value in values:
        if isinstance(value, Mapping):
            inner = next((value[key] for key in keys if isinstance(value.get(key), list)), None)
            yield from (value,) if inner is None else (each for each in inner if isinstance(each, Mapping))
        elif isinstance(value, list):
            yield from (each for each in value if isinstance(each, Mapping))


def read_text(entry: Entry, *keys: str) -> str:
    """The first text that stands under one of these keys; empty where none does."""
    return next((value.strip() for key in keys if isinstance(value := entry.get(key), str) and value.strip()), "")


def read_name(entry: Entry, *keys: str) -> str:
    """A name or id, as long as names may be."""
    return next(
        (str(entry[key])[:NAME_CHARACTERS] for key in keys if isinstance(entry.get(key), str | int) and entry[key]), ""
    )


def read_time(entry: Entry, *keys: str) -> int | None:
    """Milliseconds since 1970 of the first time under one of these keys: ISO 8601, or seconds or milliseconds."""
    for key in keys:
        value = entry.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return round(value if value > 1e11 else value * 1000)
        if isinstance(value, str) and value:
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                continue
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
            return round(moment.timestamp() * 1000)
    return None


def read_objects(entry: Entry, key: str) -> list[Entry]:
    """The objects of a list under a key; none where there is no list."""
    value = entry.get(key)
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def read_tags(*values: object) -> list[str]:
    """Texts, and lists of texts, as tags."""
    found: dict[str, None] = {}
    for value in values:
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str) and each.strip():
                found[each.strip()[:TAG_CHARACTERS]] = None
    return list(found)[:TAGS]


def read_metadata(entry: Entry, *left_out: str) -> dict[str, Any]:
    """What a memory may keep of an object as metadata: its values that are not null, but for some keys."""
    return {
        str(key)[:METADATA_KEY_CHARACTERS]: value
        for key, value in entry.items()
        if key not in left_out and value is not None and value not in ("", [], {})
    }


def make_id(form: str, foreign_id: str) -> str:
    """The id of a foreign memory here: its own where it is a UUID, else one that follows from it; empty for none."""
    plain = foreign_id.replace("-", "").lower()
    if len(plain) == 32 and all(digit in "0123456789abcdef" for digit in plain):
        return plain
    return sha256(f"{form}\x1f{foreign_id}".encode()).hexdigest()[:32] if foreign_id else ""


def make_item(
    content: str,
    *,
    kind: MemoryKind = MemoryKind.PERSONAL,
    layer: Layer = Layer.DISTILLED,
    identity: str = "",
    user_id: str = "",
    author: str = "",
    when_to_use: str = "",
    tags: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
    score: float = 0.0,
    created_ms: int | None = None,
    updated_ms: int | None = None,
    valid_from_ms: int | None = None,
    valid_to_ms: int | None = None,
    source_ids: Sequence[str] = (),
    path: str = "",
    line: int = 0,
) -> dict[str, Any]:
    """An item as `app.service.items.read_item` takes it."""
    return {
        "memory_type": kind.value,
        "memory_id": identity,
        "content": content,
        "when_to_use": when_to_use,
        "score": score,
        "author": author,
        "metadata": dict(metadata or {}),
        "reme": {
            "layer": layer.value,
            "user_id": user_id,
            "tags": list(tags),
            "origin": {"path": path, "source": "import", "start_line": line, "end_line": line},
            "source_ids": [each for each in source_ids if each],
            "created_ms": created_ms,
            "updated_ms": updated_ms or created_ms,
            "valid_from_ms": valid_from_ms,
            "valid_to_ms": valid_to_ms,
        },
    }

"""Calls of a tool as its memory keeps them: the 0.2 API's record, bounded, each outcome once."""

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import TypeAlias

from app.domain.conversation import ToolCall
from app.domain.memory import Json, JsonObject
from app.errors import InvalidRequest
from app.service.limits import DETAILS_BYTES, check_details

CALLS = "tool_call_results"
"""The key in a tool memory's details; the 0.2 API shows it as a field of the item."""
KEPT_CALLS = 100
"""The newest are kept; what a tool did long ago says little about it, and every update writes them all."""
KEPT_BYTES = DETAILS_BYTES * 3 // 4
"""Of JSON, at most, for a tool's calls; the rest of the details' limit is left for its statistics."""
TEXT_CHARACTERS = 2_000
"""Of an output, and of an input that is a text or too large to keep as an object."""
NAME_CHARACTERS = 256
ERROR_CHARACTERS = 160
OBJECT_DEPTH = 8

Call: TypeAlias = dict[str, Json]


def is_valid(call: ToolCall) -> bool:
    """Whether a call names its tool: 1 to 256 printable characters."""
    name = call.tool_name.strip()
    return 1 <= len(name) <= NAME_CHARACTERS and name.isprintable()


def record(call: ToolCall) -> Call:
    """The record of a call, in the shape of the 0.2 API. No model judges: `score` is 1 for a success, else 0."""
    output = _clean(call.output)
    return {
        "create_time": _cut(_clean(call.create_time), 64),
        "tool_name": call.tool_name.strip(),
        "input": _keep_object(call.input) if isinstance(call.input, Mapping) else _cut(_clean(call.input)),
        "output": _cut(output),
        "token_cost": call.token_cost,
        "success": call.success,
        "time_cost": call.time_cost_s,
        "summary": "" if call.success else read_error(output),
        "evaluation": "",
        "score": 1.0 if call.success else 0.0,
        "is_summarized": False,
        "call_hash": _hash(call),
        "metadata": _keep_object(call.metadata),
    }


def read_calls(details: JsonObject) -> list[Call]:
    """The records in a memory's details; what is no record, as an import may bring, is left out."""
    calls = details.get(CALLS)
    if not isinstance(calls, Sequence) or isinstance(calls, str):
        return []
    return [dict(call) for call in calls if isinstance(call, Mapping)]


def merge(kept: Sequence[Call], new: Iterable[Call]) -> tuple[list[Call], int]:
    """The kept calls and the new ones whose hash is not among them, the newest last; and how many were new."""
    known = {call.get("call_hash") for call in kept}
    merged = list(kept)
    for call in new:
        if call["call_hash"] not in known:
            known.add(call["call_hash"])
            merged.append(call)
    added = len(merged) - len(kept)
    merged = merged[-KEPT_CALLS:]
    room = KEPT_BYTES
    for index in range(len(merged) - 1, -1, -1):
        room -= len(_write(merged[index]).encode())
        if room < 0:
            return merged[index + 1 :], added
    return merged, added


def read_error(output: str) -> str:
    """The line of a failed call's output that tells most: the last of a traceback, else the first."""
    lines = [line.strip() for line in output[: 10 * TEXT_CHARACTERS].splitlines() if line.strip()]
    if not lines:
        return "no output"
    line = lines[-1] if lines[0].startswith("Traceback") else lines[0]
    return _cut(" ".join(line.split()), ERROR_CHARACTERS)


def write_input(value: Json) -> str:
    """An input in one line."""
    return value if isinstance(value, str) else _write(value)


def _hash(call: ToolCall) -> str:
    """Of what was asked and what came back; when it was and how long it took make no other call."""
    parts = [call.tool_name.strip(), write_input(call.input), call.output, str(call.success)]
    return sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()


def _keep_object(value: JsonObject) -> Json:
    """The object as it is, or as text where the store could not keep it (NaN, deep nesting) or it is large."""
    text = _write(value)
    if len(text) <= TEXT_CHARACTERS and _depth(value) <= OBJECT_DEPTH:
        try:
            return check_details(value)
        except InvalidRequest:
            pass
    return _cut(_clean(text))


def _depth(value: object, limit: int = OBJECT_DEPTH + 1) -> int:
    if limit == 0 or not isinstance(value, Mapping | list | tuple):
        return 0
    inner = value.values() if isinstance(value, Mapping) else value
    return 1 + max((_depth(each, limit - 1) for each in inner), default=0)


def _write(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=_plain)


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)


def _clean(text: str) -> str:
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _cut(text: str, limit: int = TEXT_CHARACTERS) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"

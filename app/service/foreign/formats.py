"""Which format a file has, and the lines that an import reads of it."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.errors import InvalidRequest
from app.service.foreign.entries import Entry, read_entries
from app.service.foreign.graphiti import is_graphiti, read_graphiti
from app.service.foreign.letta import is_letta, read_letta
from app.service.foreign.mem0 import is_mem0, read_mem0
from app.service.foreign.plain import TEXTS, read_plain
from app.service.foreign.upstream import is_reme_03, read_reme_03

REME = "reme"
"""Our own lines and dumps of ReMe 0.2, which an import reads as they are."""
AUTO = "auto"
MOST_BYTES = 1_073_741_824
"""The largest file of another make: it is read whole, and takes some four times its size in RAM."""

_Reader = Callable[[Sequence[Any], Counter[str]], Iterator[dict[str, Any]]]
_READERS: Mapping[str, _Reader] = {
    "reme-0.3": read_reme_03,
    "mem0": read_mem0,
    "graphiti": read_graphiti,
    "zep": read_graphiti,
    "letta": read_letta,
    "plain": read_plain,
}
_SIGNS: Mapping[str, Callable[[Entry], bool]] = {
    "letta": is_letta,
    "reme-0.3": is_reme_03,
    "mem0": is_mem0,
    "graphiti": is_graphiti,
}
_NOT_OURS = ('"memory_target"', '"ref_memory_id"', '"agents"', '"results"')
FORMATS = (AUTO, REME, *_READERS)
"""What a file may be said to be; `auto` looks at its first entry."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Converted:
    """A file's format, its lines for an import, and what is left out of it, counted as the lines are read."""

    form: str
    lines: Iterator[str]
    left_out: Counter[str] = field(default_factory=Counter)


def looks_like_ours(beginning: str) -> bool:
    """Whether a file that begins so can be read line by line as it is: our lines, a dump of 0.2, or no JSON at all."""
    start = beginning.lstrip("\ufeff \t\r\n")
    if not start.startswith(("{", "[", '"')):
        return True
    return start.startswith("{") and '"memory_type"' in start and not any(key in start for key in _NOT_OURS)


def convert(text: str, form: str = AUTO, *, user_id: str = "") -> Converted:
    """The lines of a file; memories that name no user are about `user_id`.

    Raises `InvalidRequest` for a file that is no JSON, or whose format nobody knows.
    """
    if form == REME:
        return Converted(form=form, lines=iter(text.splitlines()))
    values, is_document = read_entries(text)
    if form == AUTO:
        form = recognise(values)
        if form == REME:
            lines = (json.dumps(item) for item in values[0]) if is_document and isinstance(values[0], list) else None
            return Converted(form=form, lines=iter(text.splitlines()) if lines is None else lines)
    left_out: Counter[str] = Counter()
    items = (_fill_user(item, user_id) for item in _READERS[form](values, left_out))
    return Converted(form=form, lines=(json.dumps(item, ensure_ascii=False) for item in items), left_out=left_out)


def _fill_user(item: dict[str, Any], user_id: str) -> dict[str, Any]:
    own = item["reme"]
    return item if own["user_id"] or not user_id else {**item, "reme": {**own, "user_id": user_id}}


def recognise(values: Sequence[Any]) -> str:
    """The format of a file by its first entry. Raises `InvalidRequest` where it looks like none."""
    first = values[0]
    while isinstance(first, list) and first:
        first = first[0]
    if isinstance(first, str):
        return "plain"
    if isinstance(first, dict):
        for form, fits in _SIGNS.items():
            if fits(first):
                return form
        if "memory_type" in first:
            return REME
        for key in ("results", "memories", "memory_list", "points"):
            if isinstance(first.get(key), list) and first[key]:
                return recognise(first[key])
        if any(isinstance(first.get(key), str) for key in TEXTS):
            return "plain"
    raise InvalidRequest(f"the format of the file is not known: say it with --format ({', '.join(FORMATS[1:])})")

"""What a model answered, checked again: nothing too long, too much, or about lines that it was not shown."""

import re
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite

from app.backends.extractors.prompts import LESSONS, THING, known_slots
from app.backends.extractors.rule import SLOT_CHARACTERS
from app.backends.extractors.windows import Line
from app.domain.fencing import read_day
from app.domain.memory import Layer, MemoryDraft, MemoryKind, Origin, normalise_text
from app.errors import MalformedAnswer

MEMORIES = 40
"""The most memories of a window; a person states fewer in 6,000 tokens."""
FACT_CHARACTERS = 600
LESSON_CHARACTERS = 2_000
SITUATION_CHARACTERS = 300
TAGS, WORD_CHARACTERS = 3, 40

_BLANKS = re.compile(r"\s+")
_SYNONYMS = {
    "city": "home",
    "residence": "home",
    "location": "home",
    "occupation": "job",
    "profession": "job",
    "company": "employer",
    "like": "taste",
    "preference": "taste",
    "favorite": "favourite",
}
"""Names that models give to slots of the rules."""

Entry = Mapping[str, object]


def read_personal(value: object, window: Sequence[Line], *, user_id: str, extractor: str) -> list[MemoryDraft]:
    """The drafts of an answer about a person; raises `MalformedAnswer` where it has memories and none can be used.

    A memory counts that a line of the user backs which the model was shown.
    """
    said = {line.number: line.said_ms for line in window if line.role == "user"}
    drafts: dict[str, MemoryDraft] = {}
    entries = _entries(value, "memories")
    for entry in entries[:MEMORIES]:
        content = _text(entry.get("content"), FACT_CHARACTERS)
        lines = _lines(entry.get("lines"), said)
        if not content or not lines:
            continue
        valid_from_ms, valid_to_ms = _period(entry, said[lines[-1]])
        subject = _text(entry.get("subject"), WORD_CHARACTERS)
        drafts.setdefault(
            normalise_text(content),
            MemoryDraft(
                kind=MemoryKind.PERSONAL,
                layer=Layer.DISTILLED,
                content=content,
                user_id=user_id,
                author="user",
                tags=_tags(entry.get("tags")),
                metadata={"extractor": extractor},
                details={"target": user_id or "user", "reflection_subject": subject},
                score=_confidence(entry),
                origin=Origin(source="conversation", start_line=lines[0], end_line=lines[-1]),
                slot=read_slot(_text(entry.get("slot"), SLOT_CHARACTERS)),
                valid_from_ms=valid_from_ms,
                valid_to_ms=valid_to_ms,
            ),
        )
    return _used(entries, drafts.values())


def read_tasks(value: object, shown: Iterable[Line], *, task_id: str, extractor: str) -> list[MemoryDraft]:
    """The drafts of an answer about runs; raises `MalformedAnswer` where it has lessons and none can be used."""
    said = {line.number: line.said_ms for line in shown}
    drafts: dict[str, MemoryDraft] = {}
    entries = _entries(value, "lessons")
    for entry in entries[:LESSONS]:
        content = _text(entry.get("content"), LESSON_CHARACTERS, inline=False)
        when_to_use = _text(entry.get("when_to_use"), SITUATION_CHARACTERS)
        lines, outcome = _lines(entry.get("lines"), said), str(entry.get("outcome"))
        if not content or not when_to_use or not lines:
            continue
        drafts.setdefault(
            normalise_text(f"{when_to_use}\n{content}"),
            MemoryDraft(
                kind=MemoryKind.TASK,
                layer=Layer.DISTILLED,
                content=content,
                when_to_use=when_to_use,
                author=extractor,
                tags=tuple(dict.fromkeys(("task", outcome, *_tags(entry.get("tags"))))),
                metadata={"extractor": extractor, "outcome": outcome},
                details={"task_id": task_id},
                score=_confidence(entry),
                origin=Origin(source="conversation", start_line=lines[0], end_line=lines[-1]),
            ),
        )
    return _used(entries, drafts.values())


def read_slot(text: str) -> str:
    """A slot in the form in which the rules write it; empty for one that they do not know."""
    name, _, thing = text.casefold().partition(":")
    name = _SYNONYMS.get(name.strip().replace(" ", "_"), name.strip().replace(" ", "_"))
    thing = thing.strip(" .…\"'")
    if thing:
        exact = f"{name}:{thing}"
        return exact if exact in known_slots() or f"{name}:{THING}" in known_slots() else ""
    return name if name in known_slots() else ""


def _entries(value: object, name: str) -> list[Entry]:
    listed = value.get(name) if isinstance(value, Mapping) else None
    if not isinstance(listed, list):
        raise MalformedAnswer(f"the answer has no list of {name}")
    return [entry for entry in listed if isinstance(entry, Mapping)]


def _used(entries: Sequence[Entry], drafts: Iterable[MemoryDraft]) -> list[MemoryDraft]:
    used = list(drafts)
    if entries and not used:
        raise MalformedAnswer("the answer names no line that was shown, or has no texts of an allowed length")
    return used


def _text(value: object, most: int, *, inline: bool = True) -> str:
    """A text without characters that a store refuses; empty where it is none, or longer than allowed."""
    if not isinstance(value, str):
        return ""
    text = value.replace("\x00", "").encode("utf-8", "replace").decode().strip()
    text = _BLANKS.sub(" ", text) if inline else text
    return text if len(text) <= most else ""


def _lines(value: object, shown: Mapping[int, int | None]) -> list[int]:
    given = value if isinstance(value, list) else []
    return sorted({line for line in given if isinstance(line, int) and not isinstance(line, bool) and line in shown})


def _tags(value: object) -> tuple[str, ...]:
    given = value if isinstance(value, list) else []
    return tuple(dict.fromkeys(tag for each in given if (tag := _text(each, WORD_CHARACTERS).casefold())))[:TAGS]


def _confidence(entry: Entry) -> float:
    value = entry.get("confidence")
    number = float(value) if isinstance(value, int | float) else 0.0
    return min(1.0, max(0.0, number)) if isfinite(number) else 0.0


def _period(entry: Entry, said_ms: int | None) -> tuple[int | None, int | None]:
    """From when to when a fact holds. An end that leaves nothing of it is dropped: then the text tells the past."""
    start, end = (read_day(_text(entry.get(name), WORD_CHARACTERS)) for name in ("valid_from", "valid_to"))
    begun = said_ms if start is None else start
    return start, end if end is not None and begun is not None and end > begun else None

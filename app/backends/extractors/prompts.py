"""What a model is asked: the texts of prompts/*.md with the schemas of their answers."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from app.backends.extractors.rules import statement_rules
from app.backends.extractors.windows import Line
from app.domain.fencing import fence
from app.domain.language import ModelTask, Prompt
from app.domain.memory import Json, JsonObject

PROMPTS = Path(__file__).parent / "prompts"
THING = "{thing}"
LESSONS = 6
"""The most lessons of a run; a longer list repeats itself."""


def _object(**properties: JsonObject) -> JsonObject:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


def _list(items: JsonObject) -> JsonObject:
    return {"type": "array", "items": items}


_TEXT: JsonObject = {"type": "string"}
_NUMBER: JsonObject = {"type": "number"}
_LINES = _list({"type": "integer"})

PERSONAL_SCHEMA = _object(
    memories=_list(
        _object(
            content=_TEXT,
            lines=_LINES,
            slot=_TEXT,
            subject=_TEXT,
            tags=_list(_TEXT),
            valid_from=_TEXT,
            valid_to=_TEXT,
            confidence=_NUMBER,
        )
    )
)
TASK_SCHEMA = _object(
    lessons=_list(
        _object(
            when_to_use=_TEXT,
            content=_TEXT,
            lines=_LINES,
            outcome={"type": "string", "enum": ["worked", "failed", "compared"]},
            tags=_list(_TEXT),
            confidence=_NUMBER,
        )
    )
)


def ask_personal(window: Sequence[Line]) -> Prompt:
    """The question what a window of a conversation tells about its user."""
    slots = ", ".join(f'"{slot.replace(THING, "…")}"' for slot in sorted(known_slots()))
    return Prompt(
        task=ModelTask.PERSONAL,
        system=_read("personal").format(slots=slots),
        user=fence("conversation", [line.show() for line in window]),
        schema=PERSONAL_SCHEMA,
    )


def ask_tasks(runs: Sequence[tuple[float | None, Sequence[Line]]]) -> Prompt:
    """The question what runs, each with its score, teach for the next such task."""
    shown: list[Json] = [{"score": score, "messages": [line.show() for line in lines]} for score, lines in runs]
    return Prompt(
        task=ModelTask.TASK,
        system=_read("task").format(most=LESSONS),
        user=fence("runs", shown),
        schema=TASK_SCHEMA,
    )


@cache
def known_slots() -> frozenset[str]:
    """The slots that the rules fill, such as "home" and "taste:{thing}": a model's statements supersede theirs."""
    return frozenset(rule.slot for rule in statement_rules() if rule.slot)


@cache
def _read(name: str) -> str:
    return (PROMPTS / f"{name}.md").read_text(encoding="utf-8").strip()

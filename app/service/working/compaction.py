"""Compaction: a tool's long output gives way to a note that says what it was, how it begins and where it is."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.memory import JsonObject, Scope
from app.domain.working import OffloadKind, WorkingLimits
from app.service.working.drafts import Draft, draft_text
from app.service.working.messages import Output, find_outputs, is_system, replace_output
from app.service.working.tokens import count_message, count_text, write_text

PREVIEW_LINES = 5
PREVIEW_CHARACTERS = 400
PREVIEW_SHARE = 4
"""A preview takes at most a fourth of the tokens that an output may have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Compaction:
    """Messages with notes in the places of long outputs, and these."""

    messages: tuple[JsonObject, ...]
    drafts: tuple[Draft, ...]


def compact(scope: Scope, messages: Sequence[JsonObject], limits: WorkingLimits) -> Compaction:
    """Put notes in the places of tools' outputs above `max_tool_message_tokens`, but for the latest messages.

    Every other field and block of such a message stays. An output that is shorter than its note stays.
    """
    conversation = [position for position, message in enumerate(messages) if not is_system(message)]
    recent = set(conversation[max(0, len(conversation) - limits.keep_recent_count) :])
    outputs = find_outputs(messages)
    kept: list[JsonObject] = []
    drafts: list[Draft] = []
    for position, message in enumerate(messages):
        left = message
        for output in () if position in recent else outputs.get(position, ()):
            shortened = _shorten(scope, left, output, limits.max_tool_message_tokens)
            if shortened is not None:
                left, draft = shortened
                drafts.append(draft)
        kept.append(left)
    return Compaction(messages=tuple(kept), drafts=tuple(drafts))


def _shorten(scope: Scope, message: JsonObject, output: Output, most_tokens: int) -> tuple[JsonObject, Draft] | None:
    tokens = count_message(message)
    if not output.value:
        return None
    text = write_text(output.value)
    if (tokens if output.place is None else count_text(text)) <= most_tokens:
        return None
    draft = draft_text(scope, OffloadKind.TOOL_OUTPUT, output.tool, text)
    shortened = replace_output(message, output, write_note(draft, most_tokens))
    return (shortened, draft) if count_message(shortened) < tokens else None


def write_note(draft: Draft, most_tokens: int) -> str:
    """What stands in the place of an output."""
    size = f"{len(draft.content):,} bytes, {draft.lines:,} lines, about {count_text(draft.text):,} tokens"
    preview = _preview(draft.text, most_tokens // PREVIEW_SHARE)
    return (
        f"[Offloaded] The output of {f'tool {draft.name}' if draft.name else 'a tool'}: {size}.\n"
        + (f"It begins:\n{preview}\n" if preview else "")
        + f'It is kept in full as file_path="{draft.file_path}": read lines of it with '
        "read_working_memory(file_path, offset, limit), search it with grep_working_memory(file_path, pattern)."
    )


def _preview(text: str, most_tokens: int) -> str:
    """The first lines that hold something, with "…" where more follows."""
    beginning = text.lstrip()[: PREVIEW_CHARACTERS * PREVIEW_LINES]
    lines = [line.rstrip() for line in beginning.splitlines() if line.strip()][:PREVIEW_LINES]
    preview = "\n".join(lines)[:PREVIEW_CHARACTERS]
    while preview and count_text(preview) > most_tokens:
        preview = preview[: len(preview) * 3 // 4]
    return f"{preview}…" if preview else ""

"""Compression: older messages, in groups, give way to summaries that say where the messages are."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from app.domain.memory import JsonObject, Scope
from app.domain.working import OffloadKind, WorkingLimits
from app.service.working.drafts import Draft, draft_text
from app.service.working.messages import find_units, has_open_calls, write_lines
from app.service.working.summaries import LEAST_TOKENS, allow_tokens
from app.service.working.tokens import count_message, count_messages, shorten

Summarise: TypeAlias = Callable[[Sequence[JsonObject], int], str]
"""Makes a summary of messages that has at most so many tokens."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """What is to be reached. `most_tokens` is insisted on; `wished_tokens` may be fewer and is aimed at in groups."""

    most_tokens: int
    wished_tokens: int
    most_messages: int

    def is_met(self, tokens: int, messages: int) -> bool:
        """Whether that many tokens and messages are few enough."""
        return tokens <= self.wished_tokens and messages <= self.most_messages


@dataclass(frozen=True, kw_only=True, slots=True)
class Compression:
    """Messages with summaries in the places of older ones, and these."""

    messages: tuple[JsonObject, ...]
    drafts: tuple[Draft, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """Older messages by their positions, what they become, and whether that takes fewer tokens than they do."""

    positions: tuple[int, ...]
    draft: Draft
    summary: str
    tokens: int

    @property
    def note(self) -> str:
        """What stands in their place."""
        summary = f"{self.summary}\n" if self.summary else ""
        return (
            f"[Compressed conversation history: {len(self.positions)} messages]\n{summary}"
            f'(They are kept in full as file_path="{self.draft.file_path}", one message a line: read them with '
            "read_working_memory, search them with grep_working_memory.)"
        )

    @property
    def message(self) -> JsonObject:
        """The note as a message, as ReMe 0.2 puts it."""
        return {"role": "assistant", "content": self.note}

    @property
    def saved_tokens(self) -> int:
        """How many tokens fewer it takes."""
        return self.tokens - count_message(self.message)


def compress(
    scope: Scope, messages: Sequence[JsonObject], limits: WorkingLimits, goal: Goal, summarise: Summarise
) -> Compression:
    """Put summaries in the places of the oldest messages, group by group, until the goal is met.

    Instructions and the latest messages stay, and calls of tools with their answers. A group whose summary would not
    be shorter stays, unless there are too many messages. Where all groups are not enough, they become one with as
    short a summary as it takes; where even that is not enough, the goal is missed.
    """
    older = _list_older(messages, limits.keep_recent_count)
    tokens, count = count_messages(messages), len(messages)
    parts: list[_Part] = []
    for positions in _group(messages, older, limits.group_token_threshold):
        if goal.is_met(tokens, count):
            break
        part = _make_part(scope, messages, positions, summarise)
        if part.saved_tokens > 0 or (count > goal.most_messages and len(positions) > 1):
            parts.append(part)
            tokens -= part.saved_tokens
            count -= len(positions) - 1
    if older and (tokens > goal.most_tokens or count > goal.most_messages):
        whole = _join(scope, messages, older, parts, goal, summarise)
        saved = count_messages(messages) - tokens
        if whole.saved_tokens > saved or (count > goal.most_messages and len(parts) > 1):
            parts = [whole]
    return Compression(messages=_place(messages, parts), drafts=tuple(part.draft for part in parts))


def _list_older(messages: Sequence[JsonObject], keep_recent: int) -> list[list[int]]:
    """The units before the latest messages; one that reaches into these, or waits for an answer, stays with them."""
    units = find_units(messages)
    if units and has_open_calls([messages[position] for position in units[-1]]):
        keep_recent = max(keep_recent, 1)
    while units and keep_recent > 0:
        keep_recent -= len(units.pop())
    return units


def _group(messages: Sequence[JsonObject], units: list[list[int]], most_tokens: int) -> Iterator[tuple[int, ...]]:
    """Units that follow one another, of at most so many tokens together; a longer unit is a group of its own."""
    group: list[int] = []
    tokens = 0
    for unit in units:
        added = count_messages(messages[position] for position in unit)
        if group and tokens + added > most_tokens:
            yield tuple(group)
            group, tokens = [], 0
        group += unit
        tokens += added
    if group:
        yield tuple(group)


def _make_part(scope: Scope, messages: Sequence[JsonObject], positions: tuple[int, ...], summarise: Summarise) -> _Part:
    chosen = [messages[position] for position in positions]
    tokens = count_messages(chosen)
    name = f"{len(chosen)} messages"
    return _Part(
        positions=positions,
        draft=draft_text(scope, OffloadKind.MESSAGES, name, write_lines(chosen)),
        summary=summarise(chosen, allow_tokens(tokens)),
        tokens=tokens,
    )


def _join(
    scope: Scope,
    messages: Sequence[JsonObject],
    older: list[list[int]],
    parts: list[_Part],
    goal: Goal,
    summarise: Summarise,
) -> _Part:
    """All older messages as one part; its summary is made of those of the groups and cut to what there is room for."""
    positions = tuple(position for unit in older for position in unit)
    blank = _make_part(scope, messages, positions, lambda _, __: "")
    kept = count_messages(messages) - blank.tokens
    room = goal.most_tokens - kept - count_message(blank.message)
    if room < 0:  # what stays is too long by itself, so that a few words more do not matter
        room = LEAST_TOKENS
    summary = "\n".join(part.summary for part in parts)
    if not summary and room:
        summary = summarise([messages[position] for position in positions], min(room, allow_tokens(blank.tokens)))
    # One token is for the end of the line between the summary and what stands around it.
    return replace(blank, summary=shorten(summary, max(0, room - 1)))


def _place(messages: Sequence[JsonObject], parts: Sequence[_Part]) -> tuple[JsonObject, ...]:
    """The messages with each part's note where its first message was; notes that follow one another are one message."""
    first = {part.positions[0]: part for part in parts}
    gone = {position for part in parts for position in part.positions}
    placed: list[JsonObject] = []
    notes: list[str] = []

    def put_notes() -> None:
        if notes:
            placed.append({"role": "assistant", "content": "\n\n".join(notes)})
            notes.clear()

    for position, message in enumerate(messages):
        if position in first:
            notes.append(first[position].note)
        elif position not in gone:
            put_notes()
            placed.append(message)
    put_notes()
    return tuple(placed)

"""What distilled memories are made of: the turns that an extractor is shown, and drafts with their place in them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from app.domain.conversation import Trajectory, Trust
from app.domain.memory import MemoryDraft, MemoryKind, Origin, Scope, content_hash
from app.service.limits import SOURCES
from app.service.quarantine import NOT_THE_USERS_WORDS, TRUST, find_reason, isolate


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A turn that was kept: its line as an extractor counts it, its number in its conversation, its raw memories.

    `created_ms` is when it was said, if that is known, `said_ms` that or when it was kept. `asked` says that the
    extractor was shown it, `passage` of which of the passages that it was shown together the turn is.
    """

    line: int
    number: int
    path: str
    memory_ids: tuple[str, ...]
    created_ms: int | None
    said_ms: int
    trust: Trust
    asked: bool = True
    passage: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """A part of a conversation as an extractor is shown it, and the turns in it."""

    trajectory: Trajectory
    sources: tuple[Source, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Attached:
    """A draft with its sources, its place and its id; `said_ms` is when the last of its sources was said."""

    draft: MemoryDraft
    said_ms: int
    hidden: bool


def join_sources(passages: Sequence[Passage]) -> list[Source]:
    """The sources of passages that an extractor is shown together, with their lines as it counts them."""
    joined: list[Source] = []
    before = 0
    for place, passage in enumerate(passages):
        joined += [replace(source, line=before + source.line, passage=place) for source in passage.sources]
        before += len(passage.trajectory.messages)
    return joined


def attach(draft: MemoryDraft, scope: Scope, sources: Sequence[Source]) -> Attached:
    """A draft with where it comes from: of all where it names no line, of the last where none is there that it names.

    It is quarantined where it reads like an order to the agent, or tells of a person what the person did not say.
    """
    asked = [source for source in sources if source.asked] or list(sources)
    first, last = draft.origin.start_line or 1, draft.origin.end_line
    own = [source for source in asked if not draft.origin.start_line or first <= source.line <= last] or asked[-1:]
    start = own[0]
    placed = replace(
        draft,
        origin=Origin(
            path=start.path,
            source="conversation",
            start_line=start.number,
            end_line=max(source.number for source in own if source.passage == start.passage),
        ),
        source_ids=tuple(memory_id for source in own for memory_id in source.memory_ids)[:SOURCES],
        valid_from_ms=start.created_ms if draft.valid_from_ms is None else draft.valid_from_ms,
    )
    trust, reason = _judge(placed, own)
    placed = (
        isolate(placed, trust, reason) if reason else replace(placed, details={**placed.details, TRUST: trust.value})
    )
    return Attached(
        draft=replace(placed, id=_identify(placed, scope)),
        said_ms=max(source.said_ms for source in own),
        hidden=bool(reason),
    )


def _judge(draft: MemoryDraft, own: Sequence[Source]) -> tuple[Trust, str]:
    """Whose words a draft is made of, and why it is to be quarantined.

    A person's statement is worth as much as the best of its sources, a lesson as little as the worst.
    """
    trusts = sorted((source.trust for source in own), key=lambda trust: trust.rank)
    personal = draft.kind is MemoryKind.PERSONAL
    trust = trusts[0] if personal else trusts[-1]
    if personal and trust is not Trust.USER:
        return trust, NOT_THE_USERS_WORDS
    return trust, find_reason(f"{draft.when_to_use}\n{draft.content}", trust)


def _identify(draft: MemoryDraft, scope: Scope) -> str:
    """The id of a distilled memory: a UUID of version 7 with its first source's time, and a hash for chance."""
    source = draft.source_ids[0]
    parts = (scope.tenant_id, scope.workspace_id, source, draft.slot, content_hash(draft))
    digest = sha256("\x1f".join(parts).encode()).hexdigest()
    return f"{source[:12]}7{digest[:3]}{8 + int(digest[3], 16) % 4:x}{digest[4:19]}"

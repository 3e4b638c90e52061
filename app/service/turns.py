"""The turns of a conversation as raw memories: word for word, in pieces, each with its place."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from app.domain.conversation import Message, Trajectory
from app.domain.memory import Layer, MemoryDraft, MemoryKind, Origin

PIECE_CHARACTERS = 2_000
"""A longer turn is kept in several memories: what is found should be the passage, not the whole document."""
SESSION_KEYS = ("session_id", "conversation_id")
"""Keys of a trajectory's metadata under which a client may name its conversation."""
SESSION_CHARACTERS = 256
"""A longer name is replaced by its hash."""
NAME_CHARACTERS = 128
"""Of an author; the store keeps no longer one."""
SYSTEM_ROLES = frozenset({"system", "developer"})
TOOL_ROLES = frozenset({"tool", "function"})

_END = re.compile(r"\n+|[。！？；…]+[”』」）]*|[.!?;]+[\"')\]]*(?=\s)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """A message that is kept, its number in the trajectory from 1, and the path of the conversation it stands in."""

    number: int
    path: str
    message: Message


def read_turns(trajectory: Trajectory, *, with_tools: bool) -> tuple[Turn, ...]:
    """The messages that are kept, in their order; those without text, and instructions of the application, are not.

    The path names the conversation by the session that the metadata names. Without one it is the hash of all
    that was said up to the turn, so that a conversation that is sent again with more turns keeps its earlier ones and
    two that begin alike stay apart where they differ.
    """
    session = _read_session(trajectory)
    digest = sha256()
    turns = []
    for number, message in enumerate(trajectory.messages, start=1):
        if message.role in SYSTEM_ROLES or (message.role in TOOL_ROLES and not with_tools):
            continue
        said = json.dumps([message.role, message.name, message.content])
        digest.update(said.encode())
        if message.content.strip():
            path = f"conversations/{session or digest.hexdigest()[:32]}"
            turns.append(Turn(number=number, path=path, message=message))
    return tuple(turns)


def is_named(trajectory: Trajectory) -> bool:
    """Whether the client names the conversation, so that a turn's path does not vouch for the turns before it."""
    return bool(_read_session(trajectory))


def draft_pieces(turn: Turn, *, kind: MemoryKind, user_id: str) -> tuple[MemoryDraft, ...]:
    """The raw memories of a turn, of at most 2,000 characters each; all have the turn's number as their lines.

    Where there are several, the metadata's "piece" numbers them from 1.
    """
    message = turn.message
    pieces = cut(message.content)
    return tuple(
        MemoryDraft(
            kind=kind,
            layer=Layer.RAW,
            content=piece,
            user_id=user_id,
            author=(message.name or message.role).strip()[:NAME_CHARACTERS],
            metadata={"role": message.role[:NAME_CHARACTERS]} | ({"piece": number} if len(pieces) > 1 else {}),
            origin=Origin(path=turn.path, source="conversation", start_line=turn.number, end_line=turn.number),
            valid_from_ms=message.created_ms,
        )
        for number, piece in enumerate(pieces, start=1)
    )


def cut(text: str, limit: int = PIECE_CHARACTERS) -> list[str]:
    """The text in pieces of at most `limit` characters, cut after a sentence, else at a space, else anywhere."""
    pieces = []
    rest = text.strip()
    while len(rest) > limit:
        at = _last(_END, rest, limit) or rest.rfind(" ", limit // 2, limit + 1)
        at = at if at > 0 else limit
        pieces.append(rest[:at].rstrip())
        rest = rest[at:].lstrip()
    return [*pieces, rest] if rest else pieces


def _last(end: re.Pattern[str], text: str, limit: int) -> int:
    """Where the last sentence ends that fits; 0 if it would leave less than half of what fits."""
    ends: Sequence[int] = [found.end() for found in end.finditer(text, limit // 2, limit + 1) if found.end() <= limit]
    return ends[-1] if ends else 0


def _read_session(trajectory: Trajectory) -> str:
    for key in SESSION_KEYS:
        value = trajectory.metadata.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            name = str(value).strip()
            return name if len(name) <= SESSION_CHARACTERS and name.isprintable() else _hash(name)
    return ""


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:32]

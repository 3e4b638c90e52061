"""What a store must hold after a row of changes: a plain dict of memories, kept by the rules of the contract."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from app.domain.memory import JsonObject, Memory, Scope


@dataclass(kw_only=True)
class Entry:
    """One memory. `spans` are its texts with the moments from and to which each held."""

    id: str
    scope: Scope
    content: str
    user_id: str
    slot: str
    tags: frozenset[str]
    metadata: JsonObject
    version: int = 1
    frequency: int = 0
    deleted: bool = False
    superseded: bool = False
    spans: list[tuple[str, int, int | None]] = field(default_factory=list)

    @property
    def current(self) -> bool:
        """Whether the default listing shows it."""
        return not self.deleted and not self.superseded

    def held(self, moment_ms: int) -> Iterator[str]:
        """The texts that held at a moment."""
        for text, from_ms, to_ms in self.spans:
            if from_ms <= moment_ms and (to_ms is None or moment_ms < to_ms):
                yield text


class Ledger:
    """Every memory that was ever added, by scope and id."""

    def __init__(self) -> None:
        self.entries: dict[tuple[Scope, str], Entry] = {}

    def of(self, scope: Scope) -> list[Entry]:
        """The memories of a workspace."""
        return [entry for entry in self.entries.values() if entry.scope == scope]

    def twins(self, scope: Scope, content: str, user_id: str) -> list[Entry]:
        """The memories that an adding of this text would repeat; at most one."""
        return [
            entry for entry in self.of(scope) if entry.current and (entry.content, entry.user_id) == (content, user_id)
        ]

    def rivals(self, scope: Scope, user_id: str, slot: str) -> list[Entry]:
        """The statements that a new one of this slot supersedes."""
        return [
            entry
            for entry in self.of(scope)
            if slot and entry.current and (entry.user_id, entry.slot) == (user_id, slot)
        ]

    def add(self, entry: Entry, now_ms: int) -> set[str]:
        """Note a new memory and return the ids of those that it superseded."""
        rivals = self.rivals(entry.scope, entry.user_id, entry.slot)
        for rival in rivals:
            rival.superseded = True
            rival.version += 1
            text, from_ms, _ = rival.spans[-1]
            rival.spans[-1] = (text, from_ms, now_ms)
        entry.spans = [(entry.content, now_ms, None)]
        self.entries[entry.scope, entry.id] = entry
        return {rival.id for rival in rivals}

    def join(self, entry: Entry, slot: str, tags: frozenset[str], metadata: JsonObject) -> None:
        """Note a duplicate."""
        taken = entry.slot or self.rivals(entry.scope, entry.user_id, slot)
        joined = (entry.slot if taken else slot, entry.tags | tags, {**metadata, **entry.metadata})
        entry.version += joined != (entry.slot, entry.tags, entry.metadata)
        entry.slot, entry.tags, entry.metadata = joined

    def restore(self, entry: Entry) -> None:
        """Note that a deletion was taken back: of two statements of a slot the one that holds from later on stands."""
        rivals = [] if entry.superseded else self.rivals(entry.scope, entry.user_id, entry.slot)
        entry.deleted = False
        entry.version += 1
        for rival in rivals:
            older, newer = sorted((entry, rival), key=lambda each: each.spans[-1][1])
            older.superseded = True
            older.version += older is rival
            text, from_ms, _ = older.spans[-1]
            older.spans[-1] = (text, from_ms, newer.spans[-1][1])

    @staticmethod
    def rewrite(entry: Entry, content: str, now_ms: int) -> None:
        """Note an update of the text."""
        entry.version += 1
        if content != entry.content:
            text, from_ms, to_ms = entry.spans[-1]
            entry.spans[-1] = (text, from_ms, now_ms if to_ms is None else to_ms)
            entry.spans.append((content, now_ms, to_ms))
            entry.content = content


def project(entry: Entry | Memory) -> tuple[object, ...]:
    """What is compared of a memory."""
    metadata = tuple(sorted(entry.metadata.items(), key=lambda item: item[0]))
    fields = (entry.content, entry.user_id, entry.slot, frozenset(entry.tags), metadata)
    return (entry.id, *fields, entry.version, entry.frequency, entry.superseded)

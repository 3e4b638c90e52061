"""Counts by kind and layer, kept in step with every change so that nobody has to count."""

from collections import Counter
from collections.abc import Iterable

from app.domain.memory import Memory
from app.domain.workspace import Contents

EMPTY = Contents(memories=0, by_kind={}, by_layer={}, text_bytes=0, users=0, tombstones=0)


def count_bytes(memory: Memory) -> int:
    """The bytes of a memory's text."""
    return len(memory.content.encode()) + len(memory.when_to_use.encode())


class Tally:
    """Collects what a transaction adds and takes away; earlier revisions do not count."""

    def __init__(self) -> None:
        self._live: Counter[tuple[str, str]] = Counter()
        self._dead: Counter[tuple[str, str]] = Counter()
        self._bytes: Counter[tuple[str, str]] = Counter()

    def count(self, memory: Memory, sign: int = 1) -> None:
        """Count a memory in (1) or out (-1) in the state that it is in."""
        if memory.revision_of:
            return
        key = (memory.kind.value, memory.layer.value)
        if memory.deleted_ms is not None:
            self._dead[key] += sign
        else:
            self._live[key] += sign
            self._bytes[key] += sign * count_bytes(memory)

    def list_rows(self, workspace: int) -> list[tuple[int, str, str, int, int, int]]:
        """What was collected: workspace, kind, layer, memories, tombstones and bytes of text to be added."""
        keys = self._live.keys() | self._dead.keys()
        return [(workspace, *key, self._live[key], self._dead[key], self._bytes[key]) for key in sorted(keys)]


def sum_contents(rows: Iterable[tuple[str, str, int, int, int]], users: int) -> Contents:
    """What a workspace holds, by rows of kind, layer, memories, tombstones and bytes of text."""
    by_kind: Counter[str] = Counter()
    by_layer: Counter[str] = Counter()
    tombstones = text_bytes = 0
    for kind, layer, memories, dead, size in rows:
        by_kind[kind] += memories
        by_layer[layer] += memories
        tombstones += dead
        text_bytes += size
    return Contents(
        memories=by_kind.total(),
        by_kind={kind: count for kind, count in by_kind.items() if count},
        by_layer={layer: count for layer, count in by_layer.items() if count},
        text_bytes=text_bytes,
        users=users,
        tombstones=tombstones,
    )

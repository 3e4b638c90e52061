"""What a vector index beside the store is told: which memories it is to hold, and what it can do."""

from dataclasses import dataclass

from app.domain.embedding import Vector
from app.domain.memory import Memory


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexEntry:
    """A memory as the store now has it, by its number; without a memory or a vector the number is taken out.

    A number belongs to one text for good: an update of the text gives the memory another number. `claim` is the
    store's note of this state; a later change of the memory has a larger one.
    """

    number: int
    claim: int
    memory: Memory | None = None
    vector: Vector | None = None

    @property
    def is_held(self) -> bool:
        """Whether the index is to hold the memory, or to take it out."""
        return self.memory is not None and self.memory.deleted_ms is None and self.vector is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexAbilities:
    """What an index can do by itself; the store does the rest.

    `exact` compares every vector when asked to. `keywords` ranks by words. `dimensions` is the most that it takes.
    `lacks` tells in a sentence each what of the settings it cannot do, to be said at a start.
    """

    exact: bool
    keywords: bool
    dimensions: int
    lacks: tuple[str, ...] = ()

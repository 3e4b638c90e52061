"""What is remembered and what is asked: a collection is the workspace of one person or conversation."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.domain.memory import MemoryDraft
from app.domain.query import MemoryFilter

KEY = "evidence"
"""The key in a memory's metadata under which the name of the evidence is kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A memory to store under a name. `made_of` names the raw items of a distilled one.

    `deleted` ones are stored first and deleted before the first question. `repeats` names the item that this one says
    again; `twin` says whether a store ought to know it for the same text.
    """

    key: str
    draft: MemoryDraft
    made_of: tuple[str, ...] = ()
    deleted: bool = False
    repeats: str = ""
    twin: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A question and what answers it.

    Each element of `evidence` is a set of keys of which any one will do; all elements are needed for a full answer.
    Without evidence the right answer is that nothing is known. `stale` are keys that held once, `poison` keys that
    want to be found.
    """

    text: str
    kind: str
    language: str = "en"
    evidence: tuple[frozenset[str], ...] = ()
    stale: frozenset[str] = frozenset()
    poison: frozenset[str] = frozenset()
    as_of_ms: int | None = None
    filter: MemoryFilter = field(default_factory=MemoryFilter)


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection:
    """One workspace. Intervals are clustered by collection."""

    name: str
    language: str
    items: tuple[Item, ...]
    questions: tuple[Question, ...]
    asked_ms: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class QuestionSet:
    """Collections of one origin, and what to tell about them."""

    name: str
    collections: tuple[Collection, ...]
    facts: Mapping[str, str | int | float] = field(default_factory=dict)

    def count(self) -> tuple[int, int, int]:
        """How many collections, memories and questions there are."""
        return (
            len(self.collections),
            sum(len(one.items) for one in self.collections),
            sum(len(one.questions) for one in self.collections),
        )

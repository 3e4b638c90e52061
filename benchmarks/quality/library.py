"""A question set in a store of its own: ingested without a model, as the service would keep it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from app.backends.clock import SteppingClock
from app.backends.sqlite import SqliteStore, open_store
from app.domain.access import Principal, Role
from app.domain.change import ChangeState
from app.domain.memory import Layer, Memory, Scope, embedded_text
from app.domain.query import Candidate
from app.service.memories import Memories
from app.service.searches import KEYWORD_LIMIT, VECTOR_LIMIT
from benchmarks.quality.embeddings import KeptEmbedder
from benchmarks.quality.question_sets import Collection, Item, Question, QuestionSet

TENANTS = ("quality-a", "quality-b")
"""Collections are dealt out to two tenants, so that a hit of another tenant would show."""
_BATCH = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Legs:
    """What the two legs of a search found for a question, each asked once."""

    vector: tuple[Candidate, ...]
    keyword: tuple[Candidate, ...]


@dataclass(kw_only=True)
class Library:
    """The store, and what is needed to ask it. `repeated` pairs what a store should know again with what it did."""

    store: SqliteStore
    embedder: KeptEmbedder
    clock: SteppingClock
    repeated: list[tuple[bool, bool]] = field(default_factory=list)
    _seen: dict[tuple[Scope, int], Memory] = field(default_factory=dict)

    def ask_legs(self, scope: Scope, question: Question) -> Legs:
        """Both legs, as `Retrieval` asks them."""
        index, vector = self.store.index, self.embedder.embed_query(question.text)
        wanted, moment = question.filter, question.as_of_ms
        return Legs(
            vector=tuple(index.nearest(scope, vector, wanted, limit=VECTOR_LIMIT, as_of_ms=moment)),
            keyword=tuple(index.matching(scope, question.text, wanted, limit=KEYWORD_LIMIT, as_of_ms=moment)),
        )

    def read(self, scope: Scope, numbers: list[int]) -> Mapping[int, Memory]:
        """Memories by number; read once, since nothing changes while questions are asked."""
        missing = [number for number in numbers if (scope, number) not in self._seen]
        if missing:
            found = self.store.index.fetch(scope, missing)
            self._seen.update({(scope, number): memory for number, memory in found.items()})
        return {number: self._seen[scope, number] for number in numbers if (scope, number) in self._seen}

    def close(self) -> None:
        """Close the store."""
        self.store.close()


def scope_of(number: int, collection: Collection) -> Scope:
    """The workspace of a collection."""
    return Scope(tenant_id=TENANTS[number % len(TENANTS)], workspace_id=collection.name)


def principal_of(scope: Scope) -> Principal:
    """Who may do everything in a tenant."""
    return Principal(key_id="quality", name="quality", tenant_id=scope.tenant_id, role=Role.ADMIN, workspaces=("*",))


def build_library(questions: QuestionSet, folder: Path, embedder: KeptEmbedder) -> Library:
    """Store every collection in a workspace of its own; texts to delete are deleted when all are stored."""
    clock = SteppingClock()
    store = open_store(folder / "quality.db", identity=embedder.identity, clock=clock, synchronous="NORMAL")
    library = Library(store=store, embedder=embedder, clock=clock)
    memories = Memories(store=store.memories, embedder=embedder, clock=clock, meter=store.meter)
    embedder.prepare(
        embedded_text(item.draft.when_to_use, item.draft.content).strip()
        for collection in questions.collections
        for item in collection.items
    )
    embedder.prepare(one.text.strip() for collection in questions.collections for one in collection.questions)
    for number, collection in enumerate(questions.collections):
        if collection.asked_ms is not None:
            clock.set(collection.asked_ms)
        _store(library, memories, scope_of(number, collection), collection.items)
    return library


def _store(library: Library, memories: Memories, scope: Scope, items: tuple[Item, ...]) -> None:
    principal, ids = principal_of(scope), dict[str, str]()
    raw = [item for item in items if item.draft.layer is Layer.RAW]
    first = [item for item in items if item.draft.layer is not Layer.RAW and not item.repeats]
    for group in (raw, first, [item for item in items if item.repeats]):
        for start in range(0, len(group), _BATCH):
            part = group[start : start + _BATCH]
            drafts = [replace(item.draft, source_ids=tuple(ids[key] for key in item.made_of)) for item in part]
            outcomes = memories.add(principal, scope.workspace_id, drafts).outcomes
            for item, outcome in zip(part, outcomes, strict=True):
                ids[item.key] = outcome.memory_id
                if item.repeats:
                    library.repeated.append((item.twin, outcome.state is ChangeState.DUPLICATE))
    deleted = [ids[item.key] for item in items if item.deleted]
    if deleted:
        memories.delete(principal, scope.workspace_id, deleted)

"""Reads back through the ports what a worker's memories are, and tells which moments of its ledger that fits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from app.backends.sqlite import SqliteStore
from app.domain.embedding import Vector
from app.domain.memory import Memory, Scope
from app.domain.query import Comparison, Condition, MemoryFilter
from tests.durability.workload import (
    IDENTITY,
    Known,
    Operation,
    State,
    apply_operation,
    number_of,
    scope_of,
    unique_word,
    vector_of,
)

EVERYTHING = MemoryFilter()


@dataclass(kw_only=True)
class Ledger:
    """What a worker began and what was acknowledged: its state so far, and what is in flight after it."""

    worker: str
    state: State = field(default_factory=dict)
    in_flight: Operation | None = None

    def begin(self, operation: Operation) -> None:
        """Note an operation before it is handed to the store."""
        assert self.in_flight is None, f"{self.worker} began two operations at once"
        self.in_flight = operation

    def acknowledge(self) -> None:
        """Note that the store returned from it."""
        assert self.in_flight is not None
        self.state, self.in_flight = apply_operation(self.state, self.in_flight), None

    def moments(self) -> list[State]:
        """The states that a store may show: all that was acknowledged, and that with what was in flight, whole."""
        if self.in_flight is None:
            return [self.state]
        return [self.state, apply_operation(self.state, self.in_flight)]


def scan_worker(store: SqliteStore, worker: str) -> list[Memory]:
    """Every live row of a worker, earlier texts too, page by page."""
    found: list[Memory] = []
    cursor = ""
    while True:
        page = store.memories.scan(
            scope_of(worker), MemoryFilter(authors=(worker,)), limit=500, cursor=cursor, superseded=True
        )
        found += page.items
        if not (cursor := page.next_cursor):
            return found


def read_state(store: SqliteStore, worker: str, ids: Iterable[str]) -> State:
    """The state of a worker's memories in the store; `ids` are those that may be there, deleted ones too."""
    scanned = scan_worker(store, worker)
    past: dict[str, list[Memory]] = {}
    for memory in scanned:
        if memory.revision_of:
            past.setdefault(memory.revision_of, []).append(memory)
    live = {memory.id: memory for memory in scanned if not memory.revision_of}
    wanted = sorted({*ids, *live})
    scope = scope_of(worker)
    assert {memory.id: memory for memory in store.memories.get(scope, wanted)} == live, "get and scan disagree"
    kept = store.memories.get(scope, wanted, deleted=True)
    assert {memory.id for memory in kept if memory.deleted_ms is None} == live.keys()
    return {memory.id: _know(memory, past.get(memory.id, [])) for memory in kept}


def _know(memory: Memory, past: Sequence[Memory]) -> Known:
    return Known(
        text=memory.content,
        user_id=memory.user_id,
        slot=memory.slot,
        tags=memory.tags,
        frequency=memory.frequency,
        version=memory.version,
        deleted=memory.deleted_ms is not None,
        superseded=memory.superseded,
        past=frozenset(each.content for each in past),
    )


def show(state: State) -> State:
    """A state as far as it can be read: the earlier texts of a deleted memory cannot."""
    return {key: replace(known, past=frozenset()) if known.deleted else known for key, known in state.items()}


def describe_difference(actual: State, expected: State) -> str:
    """The first memories by which two states differ."""
    keys = [key for key in {**actual, **expected} if actual.get(key) != expected.get(key)]
    lines = [f"{key}: is {actual.get(key)}, must be {expected.get(key)}" for key in sorted(keys)[:3]]
    return f"{len(keys)} memories differ\n" + "\n".join(lines)


def settle(store: SqliteStore, ledger: Ledger) -> State:
    """The moment of a ledger that the store shows; it must be one of them."""
    moments = ledger.moments()
    actual = read_state(store, ledger.worker, {key for moment in moments for key in moment})
    fitting = [moment for moment in moments if show(moment) == actual]
    assert fitting, f"{ledger.worker}: {describe_difference(actual, show(moments[0]))}"
    return fitting[0]


def check_searches(
    store: SqliteStore,
    worker: str,
    state: State,
    *,
    random: Random,
    sample: int = 12,
    dimensions: int = IDENTITY.dimensions,
) -> None:
    """What stands is found by vector and by word; what was deleted, ended or changed by neither. A sample of it."""
    scope = scope_of(worker)
    keys = sorted(state)
    for key in random.sample(keys, min(sample, len(keys))):
        known = state[key]
        stands = not known.deleted and not known.superseded
        for text in (known.text, *known.past):
            vector, exact = vector_of(text, dimensions), random.random() < 0.5
            near = [memory.content for memory in _find_near(store, scope, vector, exact=exact)]
            same_word = [memory.content for memory in _find_matching(store, scope, text)]
            if stands and text == known.text:
                assert near[:1] == [text], f"{key} is not what is nearest to its own vector"
                assert text in same_word, f"{key} is not found by its own word"
            else:
                assert text not in near, f"a text of {key} that does not stand is found by its vector"
                assert text not in same_word, f"a text of {key} that does not stand is found by its words"


def _find_near(store: SqliteStore, scope: Scope, vector: Vector, *, exact: bool = False) -> list[Memory]:
    found = store.index.nearest(scope, vector, EVERYTHING, limit=10, exact=exact)
    memories = store.index.fetch(scope, [each.number for each in found])
    return [memories[each.number] for each in found if each.number in memories]


def _find_matching(store: SqliteStore, scope: Scope, text: str) -> list[Memory]:
    found = store.index.matching(scope, unique_word(text), EVERYTHING, limit=50)
    memories = store.index.fetch(scope, [each.number for each in found])
    return [memories[each.number] for each in found if each.number in memories]


def find_everywhere(store: SqliteStore, worker: str, memory_id: str, text: str) -> set[str]:
    """By which ways a memory with this text is found: its id, the listing, its vector, its word."""
    scope = scope_of(worker)
    number = Condition(key="number", comparison=Comparison.EQ, values=(number_of(memory_id),))
    ways = {
        "get": store.memories.get(scope, [memory_id]),
        "scan": store.memories.scan(scope, MemoryFilter(conditions=(number,)), limit=10).items,
        "nearest": _find_near(store, scope, vector_of(text))[:1],
        "matching": _find_matching(store, scope, text),
    }
    return {way for way, found in ways.items() if text in [memory.content for memory in found]}


def search_everything(store: SqliteStore, worker: str, state: State) -> list[object]:
    """What both legs find for many texts and filters, with scores."""
    filters = (
        EVERYTHING,
        MemoryFilter(tags=("red",)),
        MemoryFilter(conditions=(Condition(key="number", comparison=Comparison.GT, values=(10,)),)),
    )
    answers: list[object] = [store.memories.contents(scope_of(worker))]
    for key in sorted(state)[::5]:
        text = state[key].text
        for wanted in filters:
            near = store.index.nearest(scope_of(worker), vector_of(text), wanted, limit=20)
            same = store.index.matching(scope_of(worker), text, wanted, limit=20)
            answers.append([(each.number, round(each.score, 9)) for each in (*near, *same)])
    return answers

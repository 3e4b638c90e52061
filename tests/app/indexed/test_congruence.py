"""Every store, alone and with every index beside it, answers as the in-RAM one does after the same operations."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from app.backends.clock import SteppingClock
from app.backends.memory import open_store
from app.domain.change import Add, Delete, Restore, Update
from app.domain.memory import MemoryPatch, Scope
from app.domain.query import MemoryFilter
from app.errors import MemoryServiceError
from tests.app.contract.backends import INDEXED, Backend
from tests.app.contract.samples import (
    COSINE_ERROR,
    FOREIGN,
    HERE,
    IDENTITY,
    adding,
    commit,
    scan_all,
    vector_of,
)
from tests.app.contract.test_agreement import FILTERS, METADATA, START_MS, TAGS
from tests.app.indexed.conftest import OpenStore

pytestmark = pytest.mark.slow

QUICK = {"memory", "sqlite", *INDEXED}
"""Stores that take less than a tenth of a second for an example."""
SCOPES = st.sampled_from([HERE, HERE, HERE, FOREIGN])
WORDS = st.sampled_from(["green tea", "喜欢咖啡", "naïve café", "👩‍👩‍👧 tea", "hot milk", "東京へ行く", "سلام"])
PICKS = st.integers(0, 40)


@pytest.fixture
def many(request: pytest.FixtureRequest) -> int:
    """How many examples a test of many tries."""
    return 25 if request.node.callspec.params["open_one"] in QUICK else 5


class Congruence(RuleBasedStateMachine):
    """The same operations on a store and on the in-RAM one; then both are searched, filtered and listed."""

    def __init__(self, store: Backend, clock: SteppingClock) -> None:
        super().__init__()
        self.stores = [store, open_store(identity=IDENTITY, clock=clock)]
        self.clock = clock
        self.ids: list[list[str]] = [[], []]
        self.texts = 0

    def do(self, scope: Scope, make: Callable[[list[str]], Sequence[Add | Update | Delete | Restore]]) -> None:
        """Commit what `make` makes of a store's ids, to both."""
        self.clock.step()
        outcomes: list[object] = []
        for store, ids in zip(self.stores, self.ids, strict=True):
            try:
                done = commit(store, *make(ids), scope=scope).outcomes
            except MemoryServiceError as error:
                outcomes.append(type(error))
                continue
            ids += [one.memory_id for one in done if one.memory_id not in ids]
            outcomes.append([(one.state, ids.index(one.memory_id)) for one in done])
        assert outcomes[0] == outcomes[1]

    @initialize(words=st.lists(WORDS, min_size=6, max_size=12))
    def start(self, words: list[str]) -> None:
        for word in words:
            self.add(HERE, word, (), {}, False, None)

    @rule(scope=SCOPES, word=WORDS, tags=TAGS, metadata=METADATA, bare=st.booleans(), slot=st.none() | st.just("drink"))
    def add(
        self, scope: Scope, word: str, tags: tuple[str, ...], metadata: dict[str, object], bare: bool, slot: str | None
    ) -> None:
        self.texts += 1
        made = adding(f"{word} {self.texts}", tags=tags, metadata=metadata, slot=slot or "")
        self.do(scope, lambda ids: [Add(draft=made.draft, vector=None if bare else made.vector)])

    @rule(number=PICKS, word=WORDS)
    def rewrite(self, number: int, word: str) -> None:
        self.texts += 1
        text = f"{word} {self.texts}"
        patch = MemoryPatch(content=text)
        self.do(HERE, lambda ids: [Update(memory_id=ids[number % len(ids)], patch=patch, vector=vector_of(text))])

    @rule(number=PICKS, tags=TAGS, metadata=METADATA)
    def patch(self, number: int, tags: tuple[str, ...], metadata: dict[str, object]) -> None:
        patch = MemoryPatch(tags=tags, metadata=metadata)  # type: ignore[arg-type]
        self.do(HERE, lambda ids: [Update(memory_id=ids[number % len(ids)], patch=patch)])

    @rule(number=PICKS)
    def delete(self, number: int) -> None:
        self.do(HERE, lambda ids: [Delete(memory_id=ids[number % len(ids)])])

    @rule(number=PICKS)
    def restore(self, number: int) -> None:
        self.do(HERE, lambda ids: [Restore(memory_id=ids[number % len(ids)])])

    @rule()
    def delete_workspace(self) -> None:
        outcomes: list[object] = []
        for store in self.stores:
            try:
                outcomes.append(store.workspaces.delete_workspace(FOREIGN))
            except MemoryServiceError as error:
                outcomes.append(type(error))
        assert outcomes[0] == outcomes[1]

    @rule(wait_ms=st.integers(1, 30))
    def wait(self, wait_ms: int) -> None:
        self.clock.step(wait_ms)

    @rule(
        scope=SCOPES,
        word=WORDS,
        wanted=FILTERS,
        limit=st.integers(1, 60),
        exact=st.booleans(),
        moment=st.none() | st.integers(-1, 60),
    )
    def search(
        self, scope: Scope, word: str, wanted: MemoryFilter, limit: int, exact: bool, moment: int | None
    ) -> None:
        as_of_ms = None if moment is None else START_MS + moment
        expected = self.near(1, scope, word, wanted, 1000, True, as_of_ms)
        found = self.near(0, scope, word, wanted, limit, exact, as_of_ms)
        check_order(found, expected, limit)

    def near(
        self, place: int, scope: Scope, word: str, wanted: MemoryFilter, limit: int, exact: bool, as_of_ms: int | None
    ) -> dict[str, float]:
        """Texts with their scores, best first; a text is there once."""
        index = self.stores[place].index
        found = index.nearest(scope, vector_of(word), wanted, limit=limit, as_of_ms=as_of_ms, exact=exact)
        memories = index.fetch(scope, [one.number for one in found])
        assert len(memories) == len(found)
        return {memories[one.number].content: one.score for one in found}

    @rule(scope=SCOPES, word=WORDS, wanted=FILTERS)
    def match(self, scope: Scope, word: str, wanted: MemoryFilter) -> None:
        """The same memories share words with a text, whatever the scores."""
        found = []
        for store in self.stores:
            candidates = store.index.matching(scope, word, wanted, limit=1000)
            memories = store.index.fetch(scope, [one.number for one in candidates])
            found.append(sorted(memory.content for memory in memories.values()))
        assert found[0] == found[1]

    @rule(scope=SCOPES, wanted=FILTERS, size=st.integers(1, 7), superseded=st.booleans())
    def page(self, scope: Scope, wanted: MemoryFilter, size: int, superseded: bool) -> None:
        pages = [
            [memory.content for memory in scan_all(store, scope, limit=size, superseded=superseded, wanted=wanted)]
            for store in self.stores
        ]
        assert sorted(pages[0]) == sorted(pages[1])
        assert superseded or pages[0] == pages[1], "those that stand are listed in the order of their coming"

    @invariant()
    def hold_the_same(self) -> None:
        for scope in (HERE, FOREIGN):
            texts = [sorted(memory.content for memory in scan_all(store, scope)) for store in self.stores]
            assert texts[0] == texts[1]


def check_order(found: dict[str, float], expected: dict[str, float], limit: int) -> None:
    """What was found is the closest, but for what is as close as the precision of a stored vector."""
    assert len(found) == min(limit, len(expected))
    assert found.keys() <= expected.keys()
    for text, score in found.items():
        assert score == pytest.approx(expected[text], abs=COSINE_ERROR)
    left_out = [score for text, score in expected.items() if text not in found]
    scores = list(found.values())
    assert all(first >= second for first, second in pairwise(scores))
    assert not left_out or min(expected[text] for text in found) >= max(left_out) - COSINE_ERROR


def test_the_same_operations_leave_the_same(open_one: OpenStore, clock: SteppingClock, many: int) -> None:
    def begin() -> Congruence:
        clock.set(START_MS)
        return Congruence(open_one(IDENTITY), clock)

    run_state_machine_as_test(
        begin,  # type: ignore[arg-type]
        settings=settings(
            max_examples=many,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        ),
    )

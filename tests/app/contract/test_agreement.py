"""The same script leaves the same in two stores: the backend, and the in-RAM one."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.backends.clock import SteppingClock
from app.backends.memory import open_store
from app.domain.change import Change, Changed, Delete, RecordUse, Restore, Update
from app.domain.memory import Layer, Memory, MemoryKind, MemoryPatch, Scope
from app.domain.query import Comparison, Condition, MemoryFilter
from app.errors import MemoryServiceError
from tests.app.contract.backends import Backend, searched_often
from tests.app.contract.samples import (
    COSINE_ERROR,
    FOREIGN,
    HERE,
    IDENTITY,
    NO_ID,
    adding,
    commit,
    scan_all,
    vector_of,
)

pytestmark = searched_often

START_MS = 1_800_000_000_000
TEXTS = ("green tea", "black coffee", "tea and coffee", "喜欢咖啡", "hot milk", "coffee coffee coffee")

Step: TypeAlias = tuple[object, ...]

TAGS = st.lists(st.sampled_from(["a", "b", "茶"]), max_size=3, unique=True).map(tuple)
METADATA = st.dictionaries(
    st.sampled_from(["x", "y.z"]),
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.5, "1", "tea", ["tea", 1]]),
    max_size=2,
)
FILTERS = st.builds(
    MemoryFilter,
    kinds=st.lists(st.sampled_from(MemoryKind), max_size=2, unique=True).map(tuple),
    user_ids=st.sampled_from([(), (), ("ann",), ("", "bob")]),
    layers=st.sampled_from([(), (), (Layer.RAW,)]),
    tags=st.sampled_from([(), (), ("a",), ("a", "茶")]),
    created_from_ms=st.none() | st.integers(START_MS, START_MS + 60),
    conditions=st.lists(
        st.builds(
            Condition,
            key=st.sampled_from(["x", "y.z"]),
            comparison=st.sampled_from([one for one in Comparison if one is not Comparison.EXISTS]),
            values=st.sampled_from([True, False, 0, 1, -1.5, "1", "tea"]).map(lambda value: (value,)),
        )
        | st.builds(
            Condition,
            key=st.sampled_from(["x", "y.z"]),
            comparison=st.just(Comparison.EXISTS),
            values=st.booleans().map(lambda value: (value,)),
        ),
        max_size=2,
    ).map(tuple),
)
ADDITIONS = st.builds(
    adding,
    st.sampled_from(TEXTS),
    kind=st.sampled_from([MemoryKind.PERSONAL, MemoryKind.TASK]),
    layer=st.sampled_from(Layer),
    user_id=st.sampled_from(["", "ann"]),
    slot=st.sampled_from(["", "", "drink"]),
    tags=TAGS,
    metadata=METADATA,
    valid_from_ms=st.none() | st.none() | st.integers(START_MS - 5, START_MS),
    valid_to_ms=st.none() | st.none() | st.integers(START_MS, START_MS + 60),
)
PICKS = st.integers(0, 30)
STEPS = st.one_of(
    st.tuples(st.just("commit"), st.lists(ADDITIONS, min_size=1, max_size=4)),
    st.tuples(st.just("commit"), st.lists(ADDITIONS, min_size=1, max_size=4)),
    st.tuples(st.just("rewrite"), PICKS, st.sampled_from(["new text", "another"])),
    st.tuples(st.just("patch"), PICKS, TAGS, METADATA),
    st.tuples(st.just("delete"), PICKS),
    st.tuples(st.just("restore"), PICKS),
    st.tuples(st.just("wait"), st.integers(1, 20)),
    st.tuples(st.just("use"), PICKS),
    st.tuples(st.just("purge"), st.sampled_from(["ann", None]), st.none() | st.integers(0, 60)),
    st.tuples(st.just("search"), st.sampled_from(TEXTS), FILTERS, st.none() | st.integers(-1, 60)),
    st.tuples(st.just("search"), st.sampled_from(TEXTS), FILTERS, st.none() | st.integers(-1, 60)),
    st.tuples(st.just("scan"), FILTERS, st.booleans()),
)
SCRIPTS = st.lists(st.tuples(st.sampled_from([HERE, HERE, FOREIGN]), STEPS), min_size=4, max_size=25)


class Player:
    """Plays a script on one store and writes down what came of it, with ids numbered in the order of their coming."""

    def __init__(self, backend: Backend, clock: SteppingClock) -> None:
        self.backend = backend
        self.clock = clock
        self.ids: list[str] = []
        self.texts = 0
        self.trace: list[object] = []
        self.scores: list[float] = []

    def play(self, script: Sequence[tuple[Scope, Step]]) -> None:
        self.clock.set(START_MS)
        for scope, step in script:
            self.clock.step()
            self.trace.append((step[0], self.take(scope, step)))

    def take(self, scope: Scope, step: Step) -> object:
        match step:
            case ("commit", list(additions)):
                return self.commit(scope, *additions)
            case ("rewrite", int(number), str(text)):
                self.texts += 1
                content = f"{text} {self.texts}"
                patch = MemoryPatch(content=content)
                return self.commit(scope, Update(memory_id=self.pick(number), patch=patch, vector=vector_of(content)))
            case ("patch", int(number), tuple(tags), dict(metadata)):
                patch = MemoryPatch(tags=tags, metadata=metadata)
                return self.commit(scope, Update(memory_id=self.pick(number), patch=patch))
            case ("delete", int(number)):
                return self.commit(scope, Delete(memory_id=self.pick(number)))
            case ("restore", int(number)):
                return self.commit(scope, Restore(memory_id=self.pick(number), vector=vector_of("restored")))
            case ("wait", int(wait_ms)):
                return self.clock.step(wait_ms)
            case ("use", int(number)):
                return self.commit(scope, RecordUse(memory_id=self.pick(number), utility=0.5))
            case ("purge", user_id, before):
                assert user_id is None or isinstance(user_id, str)
                before_ms = START_MS + before if isinstance(before, int) else None
                if user_id is None and before_ms is None:
                    return None
                return self.backend.memories.purge(scope, user_id=user_id, deleted_before_ms=before_ms)
            case ("search", str(text), MemoryFilter() as wanted, moment):
                return self.search(scope, text, wanted, START_MS + moment if isinstance(moment, int) else None)
            case ("scan", MemoryFilter() as wanted, bool(superseded)):
                return self.listed(scan_all(self.backend, scope, limit=4, superseded=superseded, wanted=wanted))
        raise AssertionError(step)

    def pick(self, number: int) -> str:
        return self.ids[number % len(self.ids)] if self.ids else NO_ID

    def commit(self, scope: Scope, *changes: Change) -> object:
        try:
            outcomes = commit(self.backend, *changes, scope=scope).outcomes
        except MemoryServiceError as error:
            return type(error).__name__
        for outcome in outcomes:
            if outcome.memory_id not in self.ids:
                self.ids.append(outcome.memory_id)
        return [self.told(outcome) for outcome in outcomes]

    def told(self, outcome: Changed) -> object:
        superseded = sorted(self.ids.index(memory_id) for memory_id in outcome.superseded_ids)
        return (outcome.state, self.ids.index(outcome.memory_id), superseded)

    def search(self, scope: Scope, text: str, wanted: MemoryFilter, as_of_ms: int | None) -> object:
        index = self.backend.index
        words = index.matching(scope, text, wanted, limit=100, as_of_ms=as_of_ms)
        nearest = index.nearest(scope, vector_of(text), wanted, limit=100, as_of_ms=as_of_ms, exact=True)
        self.scores += [candidate.score for candidate in nearest]
        return [
            self.listed(index.fetch(scope, [candidate.number for candidate in found]).values())
            for found in (words, nearest)
        ]

    def listed(self, memories: object) -> list[str]:
        assert hasattr(memories, "__iter__")
        return sorted(repr(self.plain(memory)) for memory in memories)

    def plain(self, memory: Memory) -> object:
        """A memory without what every store makes for itself, tags and keys in one order."""
        same = replace(
            memory,
            id=str(self.ids.index(memory.id)) if memory.id in self.ids else "revision",
            revision_of=memory.revision_of and str(self.ids.index(memory.revision_of)),
            tags=tuple(sorted(memory.tags)),
            metadata=dict(sorted(memory.metadata.items())),
            seq=0,
            hlc=0,
            node_id="",
            updated_ms=0,
        )
        return [(field.name, getattr(same, field.name)) for field in fields(same)]


@pytest.mark.slow
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(script=SCRIPTS)
def test_a_backend_agrees_with_the_one_in_ram(
    open_next_backend: Callable[[], Backend], clock: SteppingClock, script: list[tuple[Scope, Step]]
) -> None:
    players = [Player(open_next_backend(), clock), Player(open_store(identity=IDENTITY, clock=clock), clock)]
    for player in players:
        player.play(script)
        for scope in (HERE, FOREIGN):
            player.trace.append(player.listed(scan_all(player.backend, scope, superseded=True)))
            contents = player.backend.memories.contents(scope)
            player.trace.append((contents.memories, contents.tombstones, contents.text_bytes))
    assert players[0].trace == players[1].trace
    for one, other in zip(players[0].scores, players[1].scores, strict=True):
        assert abs(one - other) <= COSINE_ERROR

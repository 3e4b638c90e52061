"""Any row of changes in two workspaces leaves what a plain ledger says."""

from collections.abc import Callable
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from app.backends.clock import SteppingClock
from app.domain.change import Change, ChangeState, Delete, RecordUse, Restore, Update
from app.domain.memory import JsonObject, MemoryPatch, Scope
from app.errors import AlreadyExists, NotFound, VersionConflict
from tests.app.contract.backends import Backend
from tests.app.contract.ledger import Entry, Ledger, project
from tests.app.contract.samples import (
    ALL,
    HERE,
    NO_ID,
    THERE,
    adding,
    change,
    commit,
    found_texts,
    scan_all,
    vector_of,
)

SCOPES = st.sampled_from([HERE, THERE])
WORDS = st.sampled_from(["tea", "coffee", "milk", "咖啡", "绿茶"])
USERS = st.sampled_from(["", "ann"])
SLOTS = st.sampled_from(["", "", "drink"])
TAGS = st.frozensets(st.sampled_from(["a", "b", "c"]))
METADATA = st.dictionaries(st.sampled_from(["x", "y"]), st.integers(0, 2))
ADDITIONS = st.tuples(SCOPES, WORDS, USERS, SLOTS, TAGS, METADATA)
PICKS = st.integers(0, 1000)

Addition: TypeAlias = tuple[Scope, str, str, str, frozenset[str], JsonObject]


class Interleavings(RuleBasedStateMachine):
    """Changes in two workspaces, and the ledger of what must be there. Every text has the word "note"."""

    def __init__(self, open_backend: Callable[[], Backend], clock: SteppingClock) -> None:
        super().__init__()
        self.backend = open_backend()
        self.clock = clock
        self.ledger = Ledger()
        self.moments: list[int] = []

    def pick(self, number: int, *, deleted: bool | None = None) -> Entry:
        """An entry, of those that are deleted or not if there are such."""
        entries = list(self.ledger.entries.values())
        wanted = [entry for entry in entries if entry.deleted is deleted] or entries
        return wanted[number % len(wanted)]

    def tick(self) -> int:
        self.moments.append(self.clock.now_ms())
        return self.clock.step(2)

    @initialize(additions=st.lists(ADDITIONS, min_size=4, max_size=10))
    def start(self, additions: list[Addition]) -> None:
        for addition in additions:
            self.note(*addition)

    @rule(addition=ADDITIONS)
    def add(self, addition: Addition) -> None:
        self.note(*addition)

    def note(
        self, scope: Scope, word: str, user_id: str, slot: str, tags: frozenset[str], metadata: JsonObject
    ) -> None:
        now_ms, content = self.tick(), f"note {word}"
        twins = self.ledger.twins(scope, content, user_id)
        adds = adding(content, user_id=user_id, slot=slot, tags=tuple(sorted(tags)), metadata=metadata)
        outcome = change(self.backend, adds, scope=scope)
        if twins:
            (twin,) = twins
            assert (outcome.state, outcome.memory_id) == (ChangeState.DUPLICATE, twin.id)
            assert outcome.superseded_ids == ()
            self.ledger.join(twin, slot, tags, metadata)
            return
        entry = Entry(
            id=outcome.memory_id,
            scope=scope,
            content=content,
            user_id=user_id,
            slot=slot,
            tags=tags,
            metadata=metadata,
        )
        assert outcome.state is ChangeState.CREATED
        assert set(outcome.superseded_ids) == self.ledger.add(entry, now_ms)

    @rule(number=PICKS, word=WORDS, guarded=st.booleans())
    def update_text(self, number: int, word: str, guarded: bool) -> None:
        entry, now_ms, content = self.pick(number), self.tick(), f"note {word}"
        update = Update(
            memory_id=entry.id,
            patch=MemoryPatch(content=content),
            vector=vector_of(content),
            expected_version=entry.version if guarded else None,
        )
        if entry.deleted:
            self.refuse(NotFound, update, entry.scope)
        elif content != entry.content and self.is_taken(entry, content):
            with pytest.raises(AlreadyExists):
                change(self.backend, update, scope=entry.scope)
        else:
            assert change(self.backend, update, scope=entry.scope).state is ChangeState.UPDATED
            self.ledger.rewrite(entry, content, now_ms)

    def is_taken(self, entry: Entry, content: str) -> bool:
        """Whether another memory stands where this one would, with this text."""
        twins = self.ledger.twins(entry.scope, content, entry.user_id)
        return not entry.superseded and any(twin is not entry for twin in twins)

    @rule(number=PICKS, tags=TAGS, metadata=METADATA)
    def update_fields(self, number: int, tags: frozenset[str], metadata: JsonObject) -> None:
        self.tick()
        entry = self.pick(number)
        update = Update(memory_id=entry.id, patch=MemoryPatch(tags=tuple(sorted(tags)), metadata=metadata))
        if entry.deleted:
            self.refuse(NotFound, update, entry.scope)
        else:
            assert change(self.backend, update, scope=entry.scope).state is ChangeState.UPDATED
            entry.tags, entry.metadata, entry.version = tags, metadata, entry.version + 1

    @rule(number=PICKS)
    def delete(self, number: int) -> None:
        self.tick()
        entry = self.pick(number, deleted=number % 8 == 0)
        if entry.deleted:
            self.refuse(NotFound, Delete(memory_id=entry.id), entry.scope)
        else:
            assert change(self.backend, Delete(memory_id=entry.id), scope=entry.scope).state is ChangeState.DELETED
            entry.deleted, entry.version = True, entry.version + 1

    @rule(number=PICKS)
    def restore(self, number: int) -> None:
        self.tick()
        entry = self.pick(number, deleted=number % 8 != 0)
        restore = Restore(memory_id=entry.id, vector=vector_of(entry.content))
        if entry.deleted and self.is_taken(entry, entry.content):
            with pytest.raises(AlreadyExists):
                change(self.backend, restore, scope=entry.scope)
        elif entry.deleted:
            assert change(self.backend, restore, scope=entry.scope).state is ChangeState.RESTORED
            self.ledger.restore(entry)
        else:
            self.refuse(NotFound, restore, entry.scope)

    @rule(number=PICKS)
    def use(self, number: int) -> None:
        entry = self.pick(number)
        use = RecordUse(memory_id=entry.id)
        expected = ChangeState.MISSING if entry.deleted else ChangeState.UPDATED
        (outcome,) = commit(self.backend, use, scope=entry.scope, skip_missing=True).outcomes
        assert outcome.state is expected
        entry.frequency += not entry.deleted

    @rule(number=PICKS, word=WORDS, behind=st.integers(1, 3))
    def fail(self, number: int, word: str, behind: int) -> None:
        """Batches that fail at their end: at a missing memory, at one of the other workspace, at an old version."""
        entry = self.pick(number)
        other = THERE if entry.scope == HERE else HERE
        self.refuse(NotFound, Delete(memory_id=NO_ID), entry.scope, word)
        if (other, entry.id) not in self.ledger.entries:
            self.refuse(NotFound, Delete(memory_id=entry.id), other, word)
        if not entry.deleted:
            late = Delete(memory_id=entry.id, expected_version=entry.version - behind)
            self.refuse(VersionConflict, late, entry.scope, word)

    def refuse(self, error: type[Exception], last: Change, scope: Scope, word: str = "never") -> None:
        with pytest.raises(error):
            commit(self.backend, adding(f"note {word}", tags=("d",), slot="drink"), last, scope=scope)

    @rule(number=PICKS, scope=SCOPES)
    def look_back(self, number: int, scope: Scope) -> None:
        """Both legs find what held at a moment."""
        moment_ms = self.moments[number % len(self.moments)] + number % 3
        live = [entry for entry in self.ledger.of(scope) if not entry.deleted]
        expected = sorted((entry.id, text) for entry in live for text in entry.held(moment_ms))
        index, vector = self.backend.index, vector_of("note")
        for found in (
            index.matching(scope, "note", ALL, limit=1000, as_of_ms=moment_ms),
            index.nearest(scope, vector, ALL, limit=1000, as_of_ms=moment_ms, exact=True),
        ):
            memories = index.fetch(scope, [candidate.number for candidate in found]).values()
            pairs = [(memory.revision_of or memory.id, memory.content) for memory in memories]
            assert sorted(pairs) == expected

    @rule(word=WORDS, scope=SCOPES)
    def search(self, word: str, scope: Scope) -> None:
        current = [entry.content for entry in self.ledger.of(scope) if entry.current]
        index = self.backend.index
        matching = found_texts(self.backend, index.matching(scope, word, ALL, limit=1000), scope)
        assert sorted(matching) == sorted(text for text in current if text == f"note {word}")
        nearest = index.nearest(scope, vector_of(f"note {word}"), ALL, limit=1000, exact=True)
        found = found_texts(self.backend, nearest, scope)
        assert sorted(found) == sorted(current)
        assert found[: len(matching)] == matching

    @invariant()
    def the_listing_is_the_ledger(self) -> None:
        for scope in (HERE, THERE):
            entries = sorted(self.ledger.of(scope), key=lambda entry: entry.id)
            listed = scan_all(self.backend, scope, limit=3)
            assert [project(memory) for memory in listed] == [project(entry) for entry in entries if entry.current]

    @rule(scope=SCOPES)
    def count(self, scope: Scope) -> None:
        entries = self.ledger.of(scope)
        live = [entry for entry in entries if not entry.deleted]
        stored = [memory for memory in scan_all(self.backend, scope, superseded=True) if not memory.revision_of]
        assert {project(memory) for memory in stored} == {project(entry) for entry in live}
        contents = self.backend.memories.contents(scope)
        assert (contents.memories, contents.tombstones) == (len(live), len(entries) - len(live))
        assert contents.text_bytes == sum(len(entry.content.encode()) for entry in live)
        ids = [entry.id for entry in entries]
        assert len(self.backend.memories.get(scope, ids)) == len(live)
        assert len(self.backend.memories.get(scope, ids, deleted=True)) == len(entries)


@pytest.mark.slow
def test_any_row_of_changes_leaves_what_the_ledger_says(
    open_next_backend: Callable[[], Backend], clock: SteppingClock, rows_of_changes: int
) -> None:
    class Started(Interleavings):
        def __init__(self) -> None:
            super().__init__(open_next_backend, clock)

    run_state_machine_as_test(
        Started,
        settings=settings(
            max_examples=rows_of_changes,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

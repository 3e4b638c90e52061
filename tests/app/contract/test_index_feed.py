"""The feed of a vector index: what changed is noted with the change, claimed by one, and forgotten when told."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import pytest

from app.backends.clock import SteppingClock
from app.domain.change import Add, ChangeBatch, Delete, RecordUse, Restore
from app.domain.indexing import IndexEntry
from app.domain.memory import Memory
from app.errors import NotFound
from app.ports import IndexFeed
from tests.app.contract.backends import Backend
from tests.app.contract.samples import (
    ALL,
    COSINE_ERROR,
    FOREIGN,
    HERE,
    NO_ID,
    NOWHERE,
    OTHER_IDENTITY,
    THERE,
    add,
    adding,
    change,
    changed,
    commit,
    draft,
    updating,
    vector_of,
)

LEASE_MS = 30_000


class Feeding(Backend, Protocol):
    """A store that notes what an index is to be told."""

    @property
    def feed(self) -> IndexFeed: ...


@pytest.fixture
def store(backend: Backend) -> Feeding:
    """An empty store whose feed is attached."""
    assert hasattr(backend, "feed")
    feeding: Feeding = backend  # type: ignore[assignment]
    assert feeding.feed.attach("mark") == 0
    return feeding


def number_of(store: Backend, memory: Memory) -> int:
    """The number of a memory, by which its text is found."""
    found = store.index.matching(memory.scope, memory.content, ALL, limit=50)
    memories = store.index.fetch(memory.scope, [one.number for one in found])
    return next(number for number, one in memories.items() if one.id == memory.id)


def claim(store: Feeding, limit: int = 100) -> Sequence[IndexEntry]:
    """What the index is told next."""
    return store.feed.claim(limit, lease_ms=LEASE_MS)


def tell_all(store: Feeding) -> list[IndexEntry]:
    """Claim and settle until nothing waits."""
    told: list[IndexEntry] = []
    while entries := claim(store):
        store.feed.settle(entries)
        told += entries
    assert not store.feed.waiting(limit=1)
    return told


def test_nothing_is_noted_before_it_is_attached(backend: Backend) -> None:
    feed: IndexFeed = backend.feed  # type: ignore[attr-defined]
    assert feed.attached() == ""
    add(backend, "tea")
    assert not feed.waiting(limit=9)
    assert not feed.claim(9, lease_ms=LEASE_MS)
    feed.detach()
    assert feed.attach("first") == 1
    assert feed.attached() == "first"
    assert len(feed.waiting(limit=9)) == 1


def test_what_there_is_is_noted_when_it_is_attached(store: Feeding) -> None:
    store.feed.detach()
    texts = {"tea": HERE, "milk": THERE, "coffee": FOREIGN}
    for text, scope in texts.items():
        add(store, text, scope=scope)
    old = add(store, "rain")
    change(store, updating(old, content="snow"))
    gone = add(store, "gone")
    change(store, Delete(memory_id=gone.id))
    assert store.feed.attach("second") >= 5
    told = tell_all(store)
    held = {entry.memory.content: entry.memory.scope for entry in told if entry.memory is not None and entry.is_held}
    assert held == {**texts, "rain": HERE, "snow": HERE}


def test_the_same_mark_again_does_nothing_and_another_one_notes_all_anew(store: Feeding) -> None:
    add(store, "tea")
    tell_all(store)
    assert store.feed.attach("mark") == 0
    assert not store.feed.waiting(limit=9)
    assert store.feed.attach("another") == 1
    assert store.feed.attached() == "another"
    assert len(claim(store)) == 1


def test_a_detached_feed_forgets(store: Feeding) -> None:
    add(store, "tea")
    store.feed.detach()
    assert store.feed.attached() == ""
    assert not store.feed.waiting(limit=9)
    add(store, "milk")
    assert not claim(store)
    assert store.feed.attach("mark") == 2


def test_an_entry_has_the_memory_and_its_vector(store: Feeding) -> None:
    memory = add(store, "tea", tags=("a",), metadata={"x": [1, "y"]}, user_id="ann")
    (entry,) = claim(store)
    assert entry.memory == memory
    assert entry.number == number_of(store, memory)
    assert entry.vector == pytest.approx(vector_of("tea"), abs=COSINE_ERROR)
    assert entry.is_held


def test_each_change_that_is_searched_by_is_noted(store: Feeding) -> None:
    memory = add(store, "tea")
    number = number_of(store, memory)
    for fields in (
        {"tags": ("a",)},
        {"metadata": {"x": 1}},
        {"author": "ann"},
        {"valid_to_ms": memory.valid_from_ms + 10**9},
        {"clears_valid_to": True},
    ):
        tell_all(store)
        memory = changed(store, updating(memory, **fields))
        (entry,) = claim(store)
        assert (entry.number, entry.memory) == (number, memory), fields
        store.feed.settle([entry])


def test_another_text_has_another_number_and_the_earlier_one_is_told_too(store: Feeding) -> None:
    memory = add(store, "tea")
    first = number_of(store, memory)
    tell_all(store)
    memory = changed(store, updating(memory, content="coffee"))
    entries = {entry.number: entry for entry in claim(store)}
    second = number_of(store, memory)
    assert entries.keys() == {first, second}
    earlier = entries[first].memory
    assert earlier is not None
    assert (earlier.content, earlier.superseded, earlier.revision_of) == ("tea", True, memory.id)
    assert entries[second].memory == memory
    assert all(entry.is_held for entry in entries.values())


def test_a_statement_that_another_ends_is_noted(store: Feeding) -> None:
    memory = add(store, "lives in Rome", slot="home")
    first = number_of(store, memory)
    tell_all(store)
    add(store, "lives in Oslo", slot="home")
    assert first in {entry.number for entry in claim(store)}


def test_counts_of_use_are_not_noted(store: Feeding) -> None:
    memory = add(store, "tea")
    tell_all(store)
    for _ in range(3):
        change(store, RecordUse(memory_id=memory.id, utility=0.5))
    assert not store.feed.waiting(limit=9)
    assert not claim(store)


def test_deleted_restored_and_purged(store: Feeding) -> None:
    memory = add(store, "tea", user_id="ann")
    number = number_of(store, memory)
    tell_all(store)
    change(store, Delete(memory_id=memory.id))
    (entry,) = tell_all(store)
    assert (entry.number, entry.is_held) == (number, False)
    change(store, Restore(memory_id=memory.id))
    assert [(entry.number, entry.is_held) for entry in tell_all(store)] == [(number, True)]
    store.memories.purge(HERE, user_id="ann")
    (entry,) = tell_all(store)
    assert (entry.number, entry.is_held) == (number, False)
    assert entry.memory is None or not entry.memory.content
    assert entry.vector is None


def test_a_deleted_workspace_is_taken_out(store: Feeding) -> None:
    here = number_of(store, add(store, "tea"))
    there = number_of(store, add(store, "tea", scope=THERE))
    tell_all(store)
    store.workspaces.delete_workspace(THERE)
    assert store.feed.waiting(HERE, limit=9) == store.feed.waiting(FOREIGN, limit=9)
    (entry,) = tell_all(store)
    assert (entry.number, entry.memory, entry.vector) == (there, None, None)
    assert here != there


def test_a_memory_without_a_vector_is_told_so_and_again_when_it_has_one(store: Feeding) -> None:
    change(store, Add(draft=draft("tea"), vector=None))
    (entry,) = tell_all(store)
    assert entry.memory is not None
    assert entry.vector is None
    store.spaces.fill([(entry.number, vector_of("tea"))])
    (filled,) = tell_all(store)
    assert (filled.number, filled.is_held) == (entry.number, True)


def test_what_fails_is_not_noted(store: Feeding) -> None:
    memory = add(store, "tea")
    tell_all(store)
    with pytest.raises(NotFound):
        commit(store, adding("milk"), updating(memory, tags=("a",)), Delete(memory_id=NO_ID))
    assert not store.feed.waiting(limit=9)


def test_a_claim_is_given_to_one_until_its_lease_ends(store: Feeding, clock: SteppingClock) -> None:
    for number in range(5):
        add(store, f"note {number}")
    first = claim(store, 2)
    second = claim(store, 9)
    assert (len(first), len(second)) == (2, 3)
    assert not {entry.number for entry in first} & {entry.number for entry in second}
    assert not claim(store)
    assert len(store.feed.waiting(limit=9)) == 5
    clock.step(LEASE_MS + 1)
    assert len(claim(store)) == 5


def test_oldest_notes_come_first(store: Feeding) -> None:
    memories = [add(store, f"note {number}") for number in range(4)]
    numbers = [number_of(store, memory) for memory in memories]
    (first,) = claim(store, 1)
    assert first.number == numbers[0]
    change(store, updating(memories[1], tags=("a",)))
    assert [entry.number for entry in claim(store)] == [numbers[2], numbers[3], numbers[1]]


def test_what_is_released_can_be_claimed_again(store: Feeding) -> None:
    add(store, "tea")
    entries = claim(store)
    store.feed.release(entries)
    again = claim(store)
    assert [entry.number for entry in again] == [entry.number for entry in entries]
    store.feed.settle(again)
    assert not store.feed.waiting(limit=9)


def test_what_changes_between_claim_and_settling_is_told_again(store: Feeding) -> None:
    memory = add(store, "tea")
    entries = claim(store)
    memory = changed(store, updating(memory, tags=("a",)))
    assert not claim(store), "who was told of the earlier state must be done before anybody is told of the later one"
    store.feed.settle(entries)
    assert len(store.feed.waiting(HERE, limit=9)) == 1
    (entry,) = claim(store)
    assert entry.memory == memory
    assert entry.claim > entries[0].claim
    store.feed.settle([entry])
    assert not store.feed.waiting(limit=9)


def test_a_late_settling_does_not_end_the_claim_of_another(store: Feeding, clock: SteppingClock) -> None:
    memory = add(store, "tea")
    late = claim(store)
    clock.step(LEASE_MS + 1)
    change(store, updating(memory, tags=("a",)))
    current = claim(store)
    assert [entry.number for entry in current] == [entry.number for entry in late]
    store.feed.settle(late)
    store.feed.release(late)
    assert not claim(store)
    assert len(store.feed.waiting(limit=9)) == 1
    store.feed.settle(current)
    assert not store.feed.waiting(limit=9)


def test_what_is_settled_twice_or_unknown_does_no_harm(store: Feeding) -> None:
    add(store, "tea")
    entries = claim(store)
    store.feed.settle(entries)
    store.feed.settle([*entries, replace(entries[0], number=10**9, claim=10**9)])
    store.feed.release(entries)
    store.feed.settle([])
    assert not store.feed.waiting(limit=9)
    add(store, "milk")
    assert len(claim(store)) == 1


def test_claims_never_repeat(store: Feeding) -> None:
    claims: list[int] = []
    memory = add(store, "tea")
    for number in range(4):
        claims += [entry.claim for entry in tell_all(store)]
        memory = changed(store, updating(memory, tags=(f"t{number}",)))
    assert claims == sorted(set(claims))
    assert len(claims) == 4


def test_waiting_is_of_one_workspace_or_of_all_and_at_most_the_limit(store: Feeding) -> None:
    here = {number_of(store, add(store, f"note {number}")) for number in range(4)}
    there = {number_of(store, add(store, "tea", scope=THERE))}
    assert set(store.feed.waiting(HERE, limit=9)) == here
    assert set(store.feed.waiting(THERE, limit=9)) == there
    assert set(store.feed.waiting(limit=9)) == here | there
    assert len(store.feed.waiting(HERE, limit=3)) == 3
    assert not store.feed.waiting(NOWHERE, limit=9)


def test_a_batch_of_many_is_noted_whole(store: Feeding) -> None:
    changes = tuple(adding(f"note {number}") for number in range(700))
    store.memories.commit(ChangeBatch(scope=HERE, changes=changes))
    assert len(store.feed.waiting(HERE, limit=1000)) == 700
    entries = claim(store, 650)
    assert len(entries) == 650
    assert all(entry.is_held for entry in entries)
    store.feed.settle(entries)
    assert len(tell_all(store)) == 50


def test_a_move_to_another_embedding_detaches(store: Feeding) -> None:
    add(store, "tea")
    tell_all(store)
    store.spaces.begin(OTHER_IDENTITY)
    pending = store.spaces.pending(9)
    store.spaces.supply([(number, vector_of(text, OTHER_IDENTITY.dimensions)) for number, text in pending])
    assert store.feed.attached() == "mark"
    assert not store.feed.waiting(limit=9)
    store.spaces.cut_over()
    assert store.feed.attached() == "", "the collection holds vectors that nothing can be compared with any more"
    assert not store.feed.waiting(limit=9)
    assert store.feed.attach("wide") == 1
    (entry,) = claim(store)
    assert entry.vector is not None
    assert entry.vector.shape == (OTHER_IDENTITY.dimensions,)

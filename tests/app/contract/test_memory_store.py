"""The memory store: updating, deleting, restoring, batches and scopes; adding and history have files of their own."""

import pytest

from app.backends.clock import SteppingClock
from app.domain.change import Add, ChangeState, Delete, RecordUse, Restore, Update
from app.domain.memory import MemoryPatch, Scope
from app.errors import InvalidRequest, NotFound, VersionConflict
from tests.app.contract.backends import Backend
from tests.app.contract.samples import (
    ALL,
    FOREIGN,
    HERE,
    NO_ID,
    NOWHERE,
    THERE,
    add,
    adding,
    change,
    changed,
    commit,
    draft,
    match,
    near,
    read,
    scan_all,
    texts,
    updating,
)


def test_an_update_changes_what_it_names(backend: Backend, clock: SteppingClock) -> None:
    memory = add(backend, "tea", author="me", tags=("a",), metadata={"x": 1, "y": 1}, details={"d": 1}, score=0.1)
    now_ms = clock.step(5)
    updated = change(backend, updating(memory, tags=("b",), metadata={"x": 2}, author="you", score=0.9))
    now = read(backend, memory.id)
    assert (updated.state, updated.memory) == (ChangeState.UPDATED, now)
    assert (now.tags, now.metadata, now.author, now.score) == (("b",), {"x": 2}, "you", 0.9)
    assert (now.details, now.content) == ({"d": 1}, "tea")
    assert (now.version, now.created_ms, now.updated_ms) == (2, memory.created_ms, now_ms)
    assert texts(scan_all(backend, superseded=True)) == ["tea"]
    assert near(backend, "tea") == ["tea"]


def test_an_update_can_empty_what_it_names(backend: Backend) -> None:
    memory = add(backend, "tea", author="me", tags=("a",), metadata={"x": 1}, details={"d": 1}, score=0.1)
    now = changed(backend, updating(memory, tags=(), metadata={}, details={}, author="", score=0.0))
    assert (now.tags, now.metadata, now.details, now.author, now.score) == ((), {}, {}, "", 0.0)


def test_an_expected_version_guards_a_change(backend: Backend) -> None:
    memory = add(backend, "tea")
    now = changed(backend, updating(memory, author="me", expected_version=1))
    for late in (
        updating(memory, author="you", expected_version=1),
        updating(memory, author="you", expected_version=3),
        updating(memory, content="coffee", expected_version=1),
        Delete(memory_id=memory.id, expected_version=1),
        Delete(memory_id=memory.id, expected_version=3),
    ):
        for skip_missing in (False, True):
            with pytest.raises(VersionConflict):
                commit(backend, adding("beside it"), late, skip_missing=skip_missing)
    assert scan_all(backend, superseded=True) == [now]
    assert change(backend, Delete(memory_id=memory.id, expected_version=2)).state is ChangeState.DELETED


def test_a_use_is_counted_and_is_no_revision(backend: Backend) -> None:
    memory = add(backend, "tea", frequency=2, utility=1.0)
    used = change(backend, RecordUse(memory_id=memory.id, utility=0.5))
    change(backend, RecordUse(memory_id=memory.id))
    now = read(backend, memory.id)
    assert used.state is ChangeState.UPDATED
    assert (now.frequency, now.utility, now.version) == (4, 1.5, memory.version)
    assert now.seq > memory.seq
    assert len(scan_all(backend, superseded=True)) == 1


def test_a_deleted_memory_is_not_found(backend: Backend, clock: SteppingClock) -> None:
    memory, other = add(backend, "green tea"), add(backend, "black coffee")
    now_ms = clock.step(5)
    assert change(backend, Delete(memory_id=memory.id)).state is ChangeState.DELETED
    assert backend.memories.get(HERE, [memory.id]) == ()
    assert scan_all(backend, superseded=True) == [other]
    assert near(backend, "green tea") == ["black coffee"]
    assert match(backend, "green tea") == []
    for as_of_ms in (memory.created_ms, now_ms):
        assert near(backend, "green tea", as_of_ms=as_of_ms) == ["black coffee"]
        assert match(backend, "green tea", as_of_ms=as_of_ms) == []
    (tombstone,) = backend.memories.get(HERE, [memory.id], deleted=True)
    assert (tombstone.content, tombstone.deleted_ms, tombstone.version) == ("green tea", now_ms, 2)
    contents = backend.memories.contents(HERE)
    assert (contents.memories, contents.tombstones) == (1, 1)


def test_a_search_that_came_before_a_deletion_fetches_nothing(backend: Backend) -> None:
    memory = add(backend, "green tea")
    (candidate,) = backend.index.matching(HERE, "tea", ALL, limit=5)
    change(backend, Delete(memory_id=memory.id))
    assert backend.index.fetch(HERE, [candidate.number]) == {}
    assert backend.index.vectors(HERE, [candidate.number]) == {}


def test_a_restored_memory_is_found_again(backend: Backend) -> None:
    memory = add(backend, "green tea", tags=("a",), metadata={"x": 1})
    change(backend, Delete(memory_id=memory.id))
    restoring = Restore(memory_id=memory.id, vector=adding("green tea").vector)
    assert change(backend, restoring).state is ChangeState.RESTORED
    now = read(backend, memory.id)
    assert (now.deleted_ms, now.content, now.tags, now.metadata) == (None, "green tea", ("a",), {"x": 1})
    assert now.version == memory.version + 2
    assert near(backend, "green tea") == match(backend, "tea") == ["green tea"]
    contents = backend.memories.contents(HERE)
    assert (contents.memories, contents.tombstones) == (1, 0)
    assert change(backend, adding("green tea")).memory_id == memory.id


@pytest.mark.parametrize(
    "missing",
    [
        Update(memory_id=NO_ID, patch=MemoryPatch(author="me")),
        Update(memory_id=NO_ID, patch=MemoryPatch(content="new"), expected_version=3),
        Delete(memory_id=NO_ID),
        Restore(memory_id=NO_ID),
        RecordUse(memory_id=NO_ID),
    ],
)
def test_a_missing_memory_fails_the_batch_or_is_skipped(
    backend: Backend, missing: Update | Delete | Restore | RecordUse
) -> None:
    with pytest.raises(NotFound):
        commit(backend, adding("tea"), missing)
    assert backend.memories.contents(HERE).memories == 0
    outcomes = commit(backend, missing, adding("tea"), skip_missing=True).outcomes
    assert [outcome.state for outcome in outcomes] == [ChangeState.MISSING, ChangeState.CREATED]
    assert (outcomes[0].memory_id, outcomes[0].memory) == (NO_ID, None)


def test_a_tombstone_is_missing_but_for_restoring_and_a_live_memory_for_that(backend: Backend) -> None:
    memory, live = add(backend, "tea"), add(backend, "coffee")
    change(backend, Delete(memory_id=memory.id))
    for missing in (
        updating(memory, author="me"),
        Delete(memory_id=memory.id),
        RecordUse(memory_id=memory.id),
        Restore(memory_id=live.id),
    ):
        with pytest.raises(NotFound):
            change(backend, missing)
        assert commit(backend, missing, skip_missing=True).outcomes[0].state is ChangeState.MISSING
    assert read(backend, live.id) == live


def test_a_batch_that_fails_leaves_nothing(backend: Backend) -> None:
    memory, gone = add(backend, "tea", tags=("a",), slot="drink"), add(backend, "milk")
    change(backend, Delete(memory_id=gone.id))
    before = scan_all(backend, superseded=True)
    failing = (
        adding("tea", tags=("b",)),
        adding("coffee", slot="drink"),
        updating(memory, author="me"),
        RecordUse(memory_id=memory.id),
        Restore(memory_id=gone.id),
        Delete(memory_id=memory.id),
    )
    with pytest.raises(NotFound):
        commit(backend, *failing, Delete(memory_id=NO_ID))
    with pytest.raises(NotFound):
        commit(backend, adding("nothing"), Delete(memory_id=NO_ID), scope=NOWHERE)
    assert scan_all(backend, superseded=True) == before
    assert backend.memories.contents(HERE).tombstones == 1
    assert match(backend, "coffee") == []
    with pytest.raises(NotFound):
        backend.workspaces.get_workspace(NOWHERE)


def test_the_changes_of_a_batch_follow_one_another(backend: Backend) -> None:
    given = draft("tea", id="d" * 32)
    committed = commit(
        backend,
        Add(draft=given, vector=None),
        adding("tea", tags=("a",)),
        Update(memory_id=given.id, patch=MemoryPatch(author="me"), expected_version=2),
        adding("coffee"),
        adding("Coffee"),
        Delete(memory_id=given.id),
        Restore(memory_id=given.id),
    )
    assert [outcome.state.value for outcome in committed.outcomes] == [
        "created",
        "duplicate",
        "updated",
        "created",
        "duplicate",
        "deleted",
        "restored",
    ]
    assert not committed.replayed
    assert committed.states[ChangeState.DUPLICATE] == 2
    now = read(backend, given.id)
    assert (now.author, now.tags, now.deleted_ms) == ("me", ("a",), None)
    assert len(scan_all(backend)) == 2


def test_a_batch_that_adds_makes_its_workspace_and_no_other_does(backend: Backend) -> None:
    commit(backend, Delete(memory_id=NO_ID), scope=THERE, skip_missing=True)
    commit(backend, scope=THERE)
    with pytest.raises(NotFound):
        backend.workspaces.get_workspace(THERE)
    add(backend, "tea", scope=THERE)
    assert backend.workspaces.get_workspace(THERE).scope == THERE
    with pytest.raises(NotFound):
        backend.workspaces.get_workspace(FOREIGN)


@pytest.mark.parametrize("scope", [THERE, FOREIGN, NOWHERE])
def test_a_memory_of_another_scope_does_not_exist(backend: Backend, scope: Scope) -> None:
    memory = add(backend, "secret tea", user_id="ann", tags=("a",))
    if scope is not NOWHERE:
        add(backend, "other", scope=scope)
    deleted = add(backend, "secret tombstone")
    change(backend, Delete(memory_id=deleted.id))
    for foreign in (
        updating(memory, author="me"),
        updating(memory, author="me", expected_version=99),
        Delete(memory_id=memory.id),
        Restore(memory_id=deleted.id),
        RecordUse(memory_id=memory.id),
    ):
        with pytest.raises(NotFound):
            change(backend, foreign, scope=scope)
    assert backend.memories.get(scope, [memory.id, deleted.id], deleted=True) == ()
    assert "secret tea" not in texts(scan_all(backend, scope, superseded=True))
    assert "secret tea" not in near(backend, "secret tea", scope=scope)
    assert match(backend, "secret", scope=scope) == []
    numbers = [candidate.number for candidate in backend.index.matching(HERE, "secret", ALL, limit=5)]
    assert len(numbers) == 1
    assert backend.index.fetch(scope, numbers) == {}
    assert backend.index.vectors(scope, numbers) == {}
    assert backend.memories.purge(scope, user_id="ann") == 0
    assert change(backend, adding("secret tea", user_id="ann"), scope=scope).state is ChangeState.CREATED
    assert read(backend, memory.id) == memory


def test_get_keeps_the_order_of_the_ids(backend: Backend) -> None:
    memories = [add(backend, text) for text in ("one", "two", "three")]
    asked = [memories[2].id, NO_ID, memories[0].id, "not an id", memories[1].id]
    assert texts(backend.memories.get(HERE, asked)) == ["three", "one", "two"]
    assert backend.memories.get(HERE, []) == ()


def test_metadata_that_json_cannot_say_is_refused(backend: Backend) -> None:
    for wrong in (float("nan"), float("inf")):
        with pytest.raises(InvalidRequest):
            add(backend, "tea", metadata={"x": wrong})
    assert scan_all(backend) == []

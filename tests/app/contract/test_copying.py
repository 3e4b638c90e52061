"""Copying: rows as they stand from one store into another, what is derived from them, and the mark on what was moved."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from app.backends import memory
from app.backends.clock import SteppingClock
from app.domain.change import Delete, Receipt, RecordUse, Restore
from app.domain.copying import CopiedMemory, CopyStand, Digest, MoveMark, add_up
from app.domain.job import JobState
from app.domain.memory import Scope
from app.domain.usage import UsageRecord
from app.errors import EmbeddingMismatch, NotFound, StoreBusy
from tests.app.contract.backends import Backend, searched_often
from tests.app.contract.samples import (
    ALL,
    FOREIGN,
    HERE,
    IDENTITY,
    OTHER_IDENTITY,
    THERE,
    add,
    adding,
    change,
    commit,
    match,
    near,
    scan_all,
    texts,
    updating,
    vector_of,
)

LEASE_MS = 60_000


@pytest.fixture
def ram(clock: SteppingClock) -> Iterator[Backend]:
    """A store of another kind, for the way there and back."""
    store = memory.open_store(identity=IDENTITY, clock=clock)
    yield store
    store.close()


def fill(backend: Backend, clock: SteppingClock, scope: Scope = HERE) -> None:
    """Live memories with revisions, slots, tombstones and a purged one."""
    kept = add(
        backend, "Ada drinks tea without sugar 茶 🍵", scope=scope, tags=("drink", "ümlaut"), metadata={"n": 1.5}
    )
    gone = add(backend, "Grace sails on Sundays", scope=scope)
    clock.step(1000)
    change(backend, updating(kept, content="Ada drinks coffee with milk"), scope=scope)
    add(backend, "home is Turin", scope=scope, slot="home", user_id="ada")
    clock.step(1000)
    add(backend, "home is Paris", scope=scope, slot="home", user_id="ada")
    change(backend, Delete(memory_id=gone.id), scope=scope)
    secret = add(backend, "the secret word is xylophone", scope=scope, user_id="eve")
    backend.memories.purge(scope, user_id="eve")
    change(backend, RecordUse(memory_id=kept.id, utility=0.5), scope=scope)
    backend.users.put_user(scope, "ada", name="Ada", metadata={"k": [1, None]})
    assert secret.id
    clock.step(1000)


def copy(source: Backend, target: Backend, scope: Scope = HERE, *, after: int = 0) -> int:
    """Bring a workspace into another store; returns the `seq` up to which it is there."""
    workspace = source.workspaces.get_workspace(scope)
    target.copying.put_workspace(workspace)
    target.copying.put_users(source.users.list_users(scope, limit=100).items)
    for batch in source.copying.read_memories(scope, after=after):
        after = batch.seq
        stand = CopyStand(
            source=source.copying.node_id(), scope=scope, data_key_id=workspace.data_key_id, seq=batch.seq
        )
        target.copying.put_memories(scope, batch.memories, stand=stand)
    return after


def digest(backend: Backend, scope: Scope = HERE) -> Digest:
    return add_up(each for batch in backend.copying.read_memories(scope, after=0) for each in batch.memories)


def stand_of(backend: Backend, scope: Scope = HERE) -> CopyStand:
    return CopyStand(source="a" * 16, scope=scope, data_key_id="k", seq=1)


def assert_same(source: Backend, target: Backend, scope: Scope = HERE) -> None:
    """Rows, and what is derived from them, are the same on both sides."""
    assert digest(source, scope) == digest(target, scope)
    assert source.memories.contents(scope) == target.memories.contents(scope)
    assert source.workspaces.get_workspace(scope) == target.workspaces.get_workspace(scope)
    assert source.users.list_users(scope, limit=9) == target.users.list_users(scope, limit=9)
    for superseded in (False, True):
        here, there = (
            [replace(each, seq=0) for each in scan_all(store, scope, superseded=superseded)]
            for store in (source, target)
        )
        assert here == there
    for words in ("coffee milk", "home Turin", "Grace sails", "xylophone"):
        assert near(source, words, scope=scope) == near(target, words, scope=scope)
        assert sorted(match(source, words, scope=scope)) == sorted(match(target, words, scope=scope))


def test_a_workspace_comes_out_as_it_went_in(backend: Backend, ram: Backend, clock: SteppingClock) -> None:
    for scope in (HERE, FOREIGN):
        fill(backend, clock, scope)
        copy(backend, ram, scope)
        assert_same(backend, ram, scope)
    before = digest(backend)
    backend.workspaces.delete_workspace(HERE)
    copy(ram, backend)
    assert digest(backend) == before
    assert_same(ram, backend)
    assert_same(ram, backend, FOREIGN)


def test_what_was_copied_twice_is_there_once(backend: Backend, ram: Backend, clock: SteppingClock) -> None:
    fill(ram, clock)
    reached = copy(ram, backend)
    contents = backend.memories.contents(HERE)
    assert copy(ram, backend) == reached
    assert backend.memories.contents(HERE) == contents
    assert list(ram.copying.read_memories(HERE, after=reached)) == []
    (stand,) = backend.copying.list_stands(ram.copying.node_id())
    assert (stand.scope, stand.seq) == (HERE, reached)
    assert backend.copying.list_stands("elsewhere") == ()


def list_changes(source: Backend, clock: SteppingClock) -> Iterator[object]:
    """Does one kind of change after the other."""
    kept = next(each for each in scan_all(source) if "coffee" in each.content)
    yield change(source, updating(kept, content="Ada drinks water"))
    yield change(source, updating(kept, tags=("new",), metadata={"other": True}))
    yield change(source, Delete(memory_id=kept.id))
    yield change(source, Restore(memory_id=kept.id))
    yield change(source, updating(kept, content="Ada drinks coffee with milk"))
    yield change(source, updating(kept, content="Ada drinks cocoa"))
    yield change(source, Delete(memory_id=kept.id))
    yield source.memories.purge(HERE, deleted_before_ms=clock.now_ms())
    yield add(source, "home is Oslo", slot="home", user_id="ada")
    yield source.memories.purge(HERE, user_id="ada")


@pytest.mark.parametrize("into", [True, False])
def test_changes_follow(backend: Backend, ram: Backend, clock: SteppingClock, into: bool) -> None:
    """Each kind of change is caught up with, into this store and from it."""
    source, target = (ram, backend) if into else (backend, ram)
    fill(source, clock)
    reached = copy(source, target)
    for _ in list_changes(source, clock):
        reached = copy(source, target, after=reached)
        assert_same(source, target)
        clock.step(1000)


def test_several_changes_are_caught_up_with_at_once(backend: Backend, ram: Backend, clock: SteppingClock) -> None:
    fill(ram, clock)
    reached = copy(ram, backend)
    kept = next(each for each in scan_all(ram) if "coffee" in each.content)
    for text in ("Ada drinks water", "Ada drinks juice", "Ada drinks coffee with milk"):
        clock.step(1000)
        change(ram, updating(kept, content=text))
    change(ram, Delete(memory_id=kept.id))
    change(ram, Restore(memory_id=kept.id))
    copy(ram, backend, after=reached)
    assert_same(ram, backend)
    assert near(backend, "Ada drinks coffee with milk")[0] == "Ada drinks coffee with milk"


@searched_often
def test_what_was_copied_is_found(backend: Backend, ram: Backend, clock: SteppingClock) -> None:
    """Also where an index beside the store has to be told of it."""
    fill(ram, clock)
    reached = copy(ram, backend)
    assert near(backend, "home is Paris")[0] == "home is Paris"
    made = add(ram, "Ada plays the viola")
    copy(ram, backend, after=reached)
    assert near(backend, "Ada plays the viola")[0] == "Ada plays the viola"
    clock.step(1000)
    change(ram, updating(made, content="Ada plays the cello"))
    copy(ram, backend, after=reached)
    assert match(backend, "cello") == near(backend, "Ada plays the cello")[:1] == ["Ada plays the cello"]
    assert "Ada plays the viola" not in near(backend, "Ada plays the viola")


def test_the_newer_of_two_states_stays(backend: Backend, ram: Backend, clock: SteppingClock) -> None:
    fill(ram, clock)
    copy(ram, backend)
    kept = next(each for each in scan_all(ram) if "coffee" in each.content)
    clock.step(1000)
    change(backend, updating(kept, content="Ada drinks gin"))
    copy(ram, backend)
    assert texts(backend.memories.get(HERE, [kept.id])) == ["Ada drinks gin"]


def test_later_writes_have_later_clocks(backend: Backend, ram: Backend, clock: SteppingClock) -> None:
    clock.step(3_600_000)
    ahead = add(ram, "from the future")
    clock.step(-3_600_000)
    copy(ram, backend)
    assert add(backend, "after it").hlc > ahead.hlc


def test_a_vector_that_came_later_is_added(backend: Backend, ram: Backend) -> None:
    made = add(ram, "words without a vector")
    (whole,) = ram.copying.find_memories(HERE, [made.id])
    backend.copying.put_workspace(ram.workspaces.get_workspace(HERE))
    bare = CopiedMemory(memory=whole.memory)
    assert backend.copying.put_memories(HERE, [bare], stand=stand_of(backend)) == 1
    assert len(backend.spaces.lacking(10, scope=HERE)) == 1
    assert backend.copying.put_memories(HERE, [whole], stand=stand_of(backend)) == 1
    assert backend.copying.put_memories(HERE, [whole, bare], stand=stand_of(backend)) == 0
    assert backend.spaces.lacking(10, scope=HERE) == []
    assert near(backend, "words without a vector") == ["words without a vector"]
    assert backend.spaces.identity() == IDENTITY


def test_rows_need_their_workspace_and_embedding(backend: Backend, ram: Backend, clock: SteppingClock) -> None:
    made = add(ram, "one")
    (whole,) = ram.copying.find_memories(HERE, [made.id])
    with pytest.raises(NotFound):
        backend.copying.put_memories(HERE, [whole], stand=stand_of(backend))
    backend.copying.put_workspace(ram.workspaces.get_workspace(HERE))
    other = replace(whole, vector=vector_of("one", OTHER_IDENTITY.dimensions))
    with pytest.raises(EmbeddingMismatch):
        backend.copying.put_memories(HERE, [other], stand=stand_of(backend))
    assert digest(backend).rows == 0
    assert backend.copying.list_stands("a" * 16) == ()


def test_jobs_come_too(backend: Backend, ram: Backend, clock: SteppingClock) -> None:
    backend.workspaces.put_workspace(HERE, name="w", metadata=None, create=True)
    first = backend.jobs.enqueue(HERE, "distil", {"text": "é"})
    backend.jobs.enqueue(HERE, "distil", {"text": "b"}, not_before_ms=clock.now_ms() + 5)
    assert backend.jobs.claim(["distil"], lease_ms=1000) is not None
    jobs = backend.copying.read_jobs(HERE)
    assert [job.state for job in jobs] == [JobState.QUEUED, JobState.QUEUED]
    ram.copying.put_workspace(backend.workspaces.get_workspace(HERE))
    for _ in range(2):
        ram.copying.put_jobs(jobs)
    done = ram.jobs.claim(["distil"], lease_ms=1000)
    assert done is not None
    assert (done.id, done.payload) == (first.id, {"text": "é"})
    clock.step(1000)
    ram.jobs.finish(done.id, done.token, JobState.DONE, result={"ok": True})
    backend.copying.put_jobs(ram.copying.read_jobs(HERE))
    assert backend.jobs.find(HERE, first.id).result == {"ok": True}


def test_receipts_come_too(open_backend: Callable[[], Backend], ram: Backend, clock: SteppingClock) -> None:
    receipt = Receipt(key="once", request_sha256="a" * 64)
    source, target = open_backend(), open_backend()
    first = commit(source, adding("said once"), receipt=receipt)
    for here, there in ((source, ram), (ram, target)):
        copy(here, there)
        for _ in range(2):
            there.copying.put_receipts(HERE, here.copying.read_receipts(HERE, since_ms=0))
    assert source.copying.read_receipts(HERE, since_ms=clock.now_ms() + 1) == ()
    again = commit(target, adding("said once"), receipt=receipt)
    assert again.replayed
    assert [each.memory_id for each in again.outcomes] == [each.memory_id for each in first.outcomes]
    assert texts(scan_all(target)) == ["said once"]


def test_counts_are_at_least_what_they_were(backend: Backend) -> None:
    used = UsageRecord(tenant_id="acme", workspace_id="project-1", day="2026-11-22", operation="add", items=3)
    backend.meter.record([used])
    assert backend.meter.read("acme") == (used,)
    for _ in range(2):
        backend.copying.put_usage([replace(used, calls=7, items=2), replace(used, operation="embed", model="m")])
    kept, other = backend.meter.read("acme")
    assert (kept.calls, kept.items) == (7, 3)
    assert (other.model, other.calls) == ("m", 1)
    assert backend.copying.list_scopes() == (HERE,)


def test_a_mark_keeps_writers_out_until_it_lapses(backend: Backend, clock: SteppingClock) -> None:
    kept = add(backend, "one")
    add(backend, "elsewhere", scope=THERE)
    mark = MoveMark(scope=HERE, target="db.example:5432", target_id="t1")
    backend.copying.hold(mark, lease_ms=LEASE_MS)
    for write in (
        lambda: add(backend, "two"),
        lambda: change(backend, Delete(memory_id=kept.id)),
        lambda: backend.memories.purge(HERE),
        lambda: backend.users.put_user(HERE, "ada", name="Ada", metadata=None),
    ):
        with pytest.raises(StoreBusy, match="is being moved to db.example:5432: repeat"):
            write()
    assert texts(scan_all(backend)) == ["one"]
    assert near(backend, "one") == ["one"]
    add(backend, "elsewhere too", scope=THERE)
    with pytest.raises(StoreBusy, match="is being moved"):
        backend.copying.hold(replace(mark, target_id="t2"), lease_ms=LEASE_MS)
    with backend.copying.passing():
        add(backend, "let through")
    assert backend.copying.renew(mark, lease_ms=150)
    time.sleep(0.2)
    clock.step(200)
    assert backend.copying.list_marks() == ()
    assert not backend.copying.renew(mark, lease_ms=LEASE_MS)
    assert not backend.copying.settle(mark)
    add(backend, "three")


def test_what_was_moved_stays_closed_until_it_is_reopened(backend: Backend, clock: SteppingClock) -> None:
    add(backend, "one")
    for scope in (HERE, None):
        mark = MoveMark(scope=scope, target="db.example:5432", target_id="t1")
        backend.copying.hold(mark, lease_ms=LEASE_MS)
        assert backend.copying.settle(mark)
        clock.step(10 * LEASE_MS)
        assert backend.copying.list_marks() == (mark,)
        with pytest.raises(StoreBusy, match="was moved to db.example:5432: write there"):
            add(backend, "two")
        assert texts(backend.memories.scan(HERE, ALL, limit=9).items) == ["one"]
        assert backend.copying.reopen(scope)
        assert not backend.copying.reopen(scope)
    add(backend, "two")

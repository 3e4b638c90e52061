"""Several processes on one store: who waits, who goes on, and who makes the store when all open it at once."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import apsw
import pytest

from app.backends.clock import SystemClock
from app.backends.sqlite import SqliteStore, open_store
from app.backends.sqlite.connections import _Task
from app.backends.sqlite.schema import list_migrations
from app.errors import StoreBusy
from tests.durability.children import hold_write_lock, open_together
from tests.durability.invariants import check_file, read_clock
from tests.durability.observation import Ledger, check_searches, settle
from tests.durability.processes import Child, make_context, start_child
from tests.durability.workers import perform, start_chooser, work_alone
from tests.durability.workload import IDENTITY, State, apply_operation, scope_of, seed_random
from tests.servers.waiting import PATIENCE_S, wait_until

WORKER = "w0"
BUSY_MS = 300


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "memory.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """A store that waits for the write lock for a short while only."""
    opened = open_store(path, identity=IDENTITY, clock=SystemClock(), busy_timeout_ms=BUSY_MS)
    yield opened
    opened.close()


@pytest.fixture
def state(store: SqliteStore) -> State:
    """The state of the store after some operations."""
    return work_alone(store, WORKER, operations=12, seed=3)


@pytest.fixture
def holder(path: Path, state: State) -> Iterator[Child]:
    """Another process that has the write lock."""
    child = start_child(hold_write_lock, path)
    child.expect("locked")
    yield child
    child.kill()


def test_a_writer_waits_then_says_that_the_store_is_busy(store: SqliteStore, state: State, holder: Child) -> None:
    operation = start_chooser(WORKER, 4, round_number=1).choose(state)
    begun = time.monotonic()
    with pytest.raises(StoreBusy):
        perform(store, WORKER, state, operation)
    assert time.monotonic() - begun > BUSY_MS / 1000 * 0.9
    settle(store, Ledger(worker=WORKER, state=state))


def test_readers_go_on_while_another_process_writes(store: SqliteStore, state: State, holder: Child) -> None:
    settle(store, Ledger(worker=WORKER, state=state))
    check_searches(store, WORKER, state, random=seed_random("read"), sample=50)
    assert store.memories.contents(scope_of(WORKER)).memories == sum(not known.deleted for known in state.values())


def test_the_lock_of_a_dead_process_is_free_and_its_change_undone(
    store: SqliteStore, path: Path, state: State, holder: Child
) -> None:
    before = read_clock(path)
    holder.kill()
    operation = start_chooser(WORKER, 4, round_number=1).choose(state)
    perform(store, WORKER, state, operation)
    assert before[0] < read_clock(path)[0] < before[0] + 1000
    settle(store, Ledger(worker=WORKER, state=apply_operation(state, operation)))


def test_writers_that_wait_together_fail_together(store: SqliteStore, state: State, holder: Child) -> None:
    """The lock is waited for once for all of them, not by each after the one before it."""
    writer, statements = store.memories._writer, Counter[str]()
    held, go_on = Event(), Event()

    def hold(connection: apsw.Connection) -> None:
        connection.set_exec_trace(lambda _, statement, __: bool(statements.update([statement])) or True)
        held.set()
        assert go_on.wait(PATIENCE_S)

    def write(number: int) -> None:
        perform(store, WORKER, state, start_chooser(WORKER, number, round_number=number).choose(state))

    with ThreadPoolExecutor(13) as pool:
        holding = pool.submit(writer._wait, _Task(hold, alone=True))
        assert held.wait(PATIENCE_S)
        writes = [pool.submit(write, number) for number in range(1, 13)]
        wait_until(lambda: writer.waiting == len(writes), "the writers")
        go_on.set()
        holding.result(PATIENCE_S)
        assert {type(each.exception(PATIENCE_S)) for each in writes} == {StoreBusy}
    assert statements == {"BEGIN IMMEDIATE": 1}
    settle(store, Ledger(worker=WORKER, state=state))


def test_a_store_opens_while_another_process_writes(path: Path, state: State, holder: Child) -> None:
    second = open_store(path, identity=IDENTITY, clock=SystemClock(), busy_timeout_ms=1)
    settle(second, Ledger(worker=WORKER, state=state))
    second.close()


def test_a_reader_of_an_old_moment_holds_up_neither_writers_nor_a_purge(
    store: SqliteStore, path: Path, state: State
) -> None:
    """The log cannot be emptied under a reader's feet; it is as soon as the reader has gone."""
    log = path.with_name("memory.db-wal")
    reader = apsw.Connection(str(path))
    reader.execute("BEGIN")
    before = reader.execute("SELECT count(*), sum(length(text)) FROM chunks_default").fetchall()
    user_id = next(iter(state.values())).user_id
    assert store.memories.purge(scope_of(WORKER), user_id=user_id)
    after: State = {key: known for key, known in state.items() if known.user_id != user_id}
    settle(store, Ledger(worker=WORKER, state=after))
    assert reader.execute("SELECT count(*), sum(length(text)) FROM chunks_default").fetchall() == before
    assert log.stat().st_size
    reader.close()
    for number in range(1, 3):
        operation = start_chooser(WORKER, number, round_number=number).choose(after)
        perform(store, WORKER, after, operation)
        after = apply_operation(after, operation)
    for known in state.values():
        if known.user_id == user_id:
            assert known.text.encode() not in log.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("number_of_processes", [2, 5])
def test_processes_that_make_the_store_at_once_make_one(tmp_path: Path, number_of_processes: int) -> None:
    for attempt in range(6):
        path = tmp_path / f"{attempt}" / "folder" / "memory.db"
        barrier = make_context().Barrier(number_of_processes)
        children = [start_child(open_together, path, barrier, number) for number in range(number_of_processes)]
        for child in children:
            child.expect("done")
            child.finish()
        check_file(path)
        connection = apsw.Connection(str(path))
        assert connection.execute("SELECT count(*) FROM migrations").fetchall() == [(len(list_migrations()),)]
        assert connection.execute("SELECT count(*) FROM store_facts WHERE name = 'node_id'").fetchall() == [(1,)]
        connection.close()

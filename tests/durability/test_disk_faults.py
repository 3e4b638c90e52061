"""The disk fails at the n-th write, flush or read: every call ends well or in a `StoreError`, and nothing is lost."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Thread

import pytest

from app.backends.clock import SystemClock
from app.backends.sqlite import SqliteStore, open_store
from app.domain.usage import UsageRecord
from app.errors import StoreError, StoreFull
from tests.durability.conftest import Grown
from tests.durability.extent import THOROUGH
from tests.durability.failing_disk import Call, FailingDisk, Fault
from tests.durability.invariants import check_file
from tests.durability.observation import Ledger, check_searches, settle
from tests.durability.workers import perform, start_chooser
from tests.durability.workload import IDENTITY, Operation, State, Step, apply_operation, scope_of, seed_random
from tests.servers.waiting import PATIENCE_S

WORKER = "w0"
_NAMES = count()


@pytest.fixture
def disk() -> FailingDisk:
    """A disk that works until it is told otherwise."""
    return FailingDisk(f"failing-{next(_NAMES)}")


def open_on(disk: FailingDisk, path: Path) -> SqliteStore:
    """Open a store on a disk; readers keep few pages, so that they read often."""
    return open_store(path, identity=IDENTITY, clock=SystemClock(), vfs=disk.name, cache_mb=1)


@dataclass
class Trial:
    """One store on a disk that fails once or for some time."""

    store: SqliteStore
    state: State
    failures: list[StoreError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chooser, self._random = start_chooser(WORKER, 7, round_number=1), seed_random("reads")

    def write(self, *, purge: bool = False) -> None:
        """One operation; where it fails, the state must stay as it was."""
        operation = self._chooser.choose(self.state)
        if purge:
            operation = Operation(purged_user=next(iter(self.state.values())).user_id)
        if self._try(lambda: perform(self.store, WORKER, self.state, operation)):
            self.state = apply_operation(self.state, operation)

    def read(self) -> None:
        """Everything that can be read; what is answered must be right."""
        self._try(self.settle)
        self._try(lambda: check_searches(self.store, WORKER, self.state, random=self._random, sample=2))
        self._try(lambda: self.store.memories.contents(scope_of(WORKER)))

    def settle(self) -> None:
        """Assert that the store shows the state."""
        settle(self.store, Ledger(worker=WORKER, state=self.state))

    def _try(self, call: Callable[[], object]) -> bool:
        try:
            call()
        except StoreError as error:
            self.failures.append(error)
            return False
        return True


def turns() -> Iterator[int]:
    """Which call fails: each of the first ones, then every so many; all of them in the long run."""
    yield from range(1, 9)
    yield from count(9, 1 if THOROUGH else 29)


KINDS: list[tuple[Call, bool]] = [
    ("write", False),
    ("write", True),
    ("sync", False),
    ("read", False),
    ("truncate", False),
    ("open", False),
    ("size", False),
]


@pytest.mark.slow
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
@pytest.mark.parametrize(("call", "full"), KINDS, ids=[f"{call}{'-full' * full}" for call, full in KINDS])
def test_a_failing_disk_fails_calls_but_loses_nothing(
    tmp_path: Path, grown: Grown, disk: FailingDisk, call: Call, full: bool, lasting: bool
) -> None:
    seen: list[StoreError] = []
    for nth in turns():
        path = tmp_path / f"{nth}" / "memory.db"
        path.parent.mkdir()
        shutil.copy(grown.path, path)
        trial = Trial(open_on(disk, path), grown.state)
        disk.arm(Fault(call=call, nth=nth, full=full, lasting=lasting))
        for purge in (False, False, True, False, False):
            trial.write(purge=purge)
            trial.read()
        struck = disk.struck
        disk.repair()
        failures = len(trial.failures)
        trial.settle()
        for _ in range(3):  # the same store goes on once the disk works again
            trial.write()
        trial.settle()
        assert len(trial.failures) == failures
        seen += trial.failures
        trial.store.close()
        trial.store = open_store(path, identity=IDENTITY, clock=SystemClock())
        trial.settle()
        trial.store.close()
        check_file(path)
        shutil.rmtree(path.parent)
        if not struck:
            break
    assert nth > 1, f"the workload does not make the call {call!r}"
    assert bool(seen) is (call != "truncate"), "the log is cut by the way, everything else is noticed"
    assert not [error for error in seen if "SQLite refused" in str(error)], "the failure of the disk is hidden"
    if full:
        assert {type(error) for error in seen} == {StoreFull}


@pytest.mark.slow
@pytest.mark.parametrize("call", ["write", "sync", "read", "open"])
def test_a_store_that_cannot_be_opened_opens_once_the_disk_works(
    tmp_path: Path, grown: Grown, disk: FailingDisk, call: Call
) -> None:
    failures = 0
    for nth in turns():
        fresh, old = tmp_path / f"{nth}" / "memory.db", tmp_path / f"old-{nth}.db"
        shutil.copy(grown.path, old)
        struck = 0
        for path in (fresh, old):
            disk.arm(Fault(call=call, nth=nth, lasting=True))
            try:
                store = open_on(disk, path)
            except StoreError:
                failures += 1
            else:
                disk.repair()
                store.close()
            struck += disk.struck
            disk.repair()
            store = open_on(disk, path)
            settle(store, Ledger(worker=WORKER, state=grown.state if path is old else {}))
            store.close()
        if not struck:
            break
    assert failures


def test_closing_on_a_failing_disk_ends(tmp_path: Path, grown: Grown, disk: FailingDisk) -> None:
    path = Path(shutil.copy(grown.path, tmp_path / "memory.db"))
    trial = Trial(open_on(disk, path), grown.state)
    trial.write()
    disk.arm(Fault(call="write", nth=1, lasting=True))  # before there are counts, which the meter's thread might write
    trial.store.meter.record([UsageRecord(tenant_id="acme", workspace_id="shelf-0", day="2026-11-22", operation="add")])
    with pytest.raises(StoreError):  # the counts cannot be written
        trial.store.close()
    disk.repair()
    trial.store = open_store(path, identity=IDENTITY, clock=SystemClock())
    trial.settle()
    trial.store.close()


def test_counts_of_use_wait_until_the_disk_works(tmp_path: Path, disk: FailingDisk) -> None:
    store = open_on(disk, tmp_path / "memory.db")
    used = UsageRecord(tenant_id="acme", workspace_id="shelf-0", day="2026-11-22", operation="add", calls=3, items=5)
    disk.arm(Fault(call="write", nth=1, full=True, lasting=True))  # before the meter's thread has counts to write
    store.meter.record([used])
    with pytest.raises(StoreFull):
        store.meter.read("acme")
    disk.repair()
    assert store.meter.read("acme") == (used,)
    store.close()


def test_a_purge_is_done_although_the_log_could_not_be_emptied_yet(tmp_path: Path, disk: FailingDisk) -> None:
    """What was erased is gone at once, and gone from the log as soon as the disk lets it."""
    path = tmp_path / "memory.db"
    log = path.with_name("memory.db-wal")
    store = open_on(disk, path)
    state = add(store, {}, "secretword and more of it")
    (user_id,) = {known.user_id for known in state.values()}
    assert b"secretword" in log.read_bytes()
    disk.arm(Fault(call="truncate", nth=1, lasting=True))
    assert store.memories.purge(scope_of(WORKER), user_id=user_id) == 1
    assert disk.struck
    assert store.memories.purge(scope_of(WORKER), user_id=user_id) == 0
    disk.repair()
    for number in (2, 3):  # the log is emptied behind the first one's back, so before the second one
        add(store, {}, f"another text {number}", number=number)
    assert b"secretword" not in log.read_bytes() + path.read_bytes()
    store.close()
    assert b"secretword" not in path.read_bytes()


def add(store: SqliteStore, state: State, text: str, *, number: int = 1) -> State:
    """Add one memory and return the state with it."""
    operation = Operation(steps=(Step(action="add", memory_id=f"{number:032x}", text=text),))
    perform(store, WORKER, state, operation)
    return apply_operation(state, operation)


def test_one_piece_that_does_not_fit_fails_alone(tmp_path: Path, disk: FailingDisk) -> None:
    """Waiting pieces are committed together; the one that is too large must not take the others with it."""
    path = tmp_path / "memory.db"
    store = open_on(disk, path)
    state = add(store, {}, "first")
    disk.quota_bytes = path.with_name("memory.db-wal").stat().st_size + 2_000_000
    outcomes: dict[int, str] = {}

    def write(number: int, text: str) -> None:
        outcomes[number] = "written"
        try:
            add(store, state, text, number=number)
        except StoreError as error:
            outcomes[number] = type(error).__name__

    with disk.hold("sync") as held:  # while the first is being flushed, the others come to wait together
        threads = [Thread(target=write, args=(2, "flushing"), daemon=True)]
        threads[0].start()
        assert held.reached.wait(PATIENCE_S)
        threads += [Thread(target=write, args=(number, f"small {number}"), daemon=True) for number in range(3, 9)]
        threads += [Thread(target=write, args=(9, "large " * 500_000), daemon=True)]
        for thread in threads[1:]:
            thread.start()
        while store.memories._writer._tasks.qsize() < len(threads) - 1:
            assert threads[0].is_alive()
            threads[1].join(0.001)
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    assert outcomes == {**dict.fromkeys(range(2, 9), "written"), 9: "StoreFull"}
    disk.repair()
    store.close()
    store = open_store(path, identity=IDENTITY, clock=SystemClock())
    found = store.memories.get(scope_of(WORKER), [f"{number:032x}" for number in range(1, 10)])
    assert [memory.id for memory in found] == [f"{number:032x}" for number in range(1, 9)]
    store.close()

"""What the child processes of these tests do."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import Event

import apsw

from app.backends.clock import SystemClock
from app.backends.sqlite import SqliteStore, open_store
from app.backends.sqlite.schema import list_migrations
from app.domain.change import Committed
from app.domain.embedding import EmbeddingIdentity
from app.errors import MemoryServiceError
from tests.durability.invariants import check_file, read_clock
from tests.durability.observation import Ledger, check_searches, find_everywhere, settle
from tests.durability.processes import Reporter
from tests.durability.workers import Acknowledged, Worker, perform, start_chooser
from tests.durability.workload import IDENTITY, State, apply_operation, seed_random, vector_of
from tests.servers.waiting import PATIENCE_S

_NOBODY = 65534


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a working child starts from: its workers' ledgers, and the highest seq and hlc acknowledged so far.

    `operations` is how many each worker performs before the child closes the store; None means until it is killed.
    """

    ledgers: Mapping[str, Ledger]
    seed: int
    round_number: int
    operations: int | None = None
    clock: tuple[int, int] = (0, 0)


def open_shared(path: Path, identity: EmbeddingIdentity = IDENTITY) -> SqliteStore:
    """A store that waits for other processes for as long as a busy machine may need."""
    return open_store(path, identity=identity, clock=SystemClock(), busy_timeout_ms=int(PATIENCE_S * 1000))


def check_and_work(reporter: Reporter, path: Path, plan: Plan) -> None:
    """Check the store against the ledgers, repeat what was in flight if it had a receipt, then work."""
    store = open_shared(path)
    reporter.send("opened")
    seq, hlc = read_clock(path)
    assert seq >= plan.clock[0] and hlc >= plan.clock[1], f"the clock went back: {(seq, hlc)} after {plan.clock}"
    check_file(path)
    random = seed_random(f"{plan.seed}-{plan.round_number}")
    states = {}
    for worker, ledger in plan.ledgers.items():
        states[worker] = _repeat(store, ledger, settle(store, ledger))
        check_searches(store, worker, states[worker], random=random)
    reporter.send("checked", states)
    workers = [
        Worker(
            store,
            Ledger(worker=worker, state=state),
            start_chooser(worker, plan.seed, round_number=plan.round_number),
            operations=plan.operations,
            begins=lambda name, operation: reporter.send("begins", name, operation),
            acknowledged=lambda name, answer: reporter.send("done", name, _stamps(answer)),
        )
        for worker, state in states.items()
    ]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
        assert not each.failure, each.failure
    store.close()


def _repeat(store: SqliteStore, ledger: Ledger, state: State) -> State:
    """Send what was in flight once more if it has a receipt, which must make sure that it happens once."""
    operation = ledger.in_flight
    if operation is None or not operation.receipt or operation.fails:
        return state
    before, after = ledger.moments()
    answer = perform(store, ledger.worker, ledger.state, operation)
    assert isinstance(answer, Committed)
    assert before == after or answer.replayed is (state == after), f"replayed: {answer.replayed}, {operation}"
    return settle(store, Ledger(worker=ledger.worker, state=after))


def _stamps(answer: Acknowledged) -> tuple[int, int]:
    """The highest seq and hlc that an answer shows."""
    outcomes = answer.outcomes if isinstance(answer, Committed) else ()
    memories = [outcome.memory for outcome in outcomes if outcome.memory is not None]
    return max((each.seq for each in memories), default=0), max((each.hlc for each in memories), default=0)


# -- other children


def open_together(reporter: Reporter, path: Path, barrier: Barrier, number: int) -> None:
    """Open a store at the same moment as others do, add one memory and say which."""
    barrier.wait(PATIENCE_S)
    store = open_shared(path)
    worker = f"p{number}"
    chooser = start_chooser(worker, number)
    operation = chooser.choose({})
    perform(store, worker, {}, operation)
    settle(store, Ledger(worker=worker, state=apply_operation({}, operation)))
    store.close()
    reporter.send("done")


def hold_write_lock(reporter: Reporter, path: Path) -> None:
    """Hold the write lock with an unfinished change until killed."""
    connection = apsw.Connection(str(path))
    connection.execute("BEGIN IMMEDIATE; UPDATE store_clock SET seq = seq + 1000000")
    reporter.send("locked")
    Event().wait()


def open_read_only(reporter: Reporter, path: Path, worker: str, state: State) -> None:
    """Use a store as a user who may not write to it, and report the service's errors."""
    list_migrations()  # loads modules, which that user may not be allowed to
    if os.geteuid() == 0:
        os.setegid(_NOBODY)
        os.seteuid(_NOBODY)
    errors: list[tuple[str, str]] = []
    try:
        store = open_store(path, identity=IDENTITY, clock=SystemClock())
    except MemoryServiceError as error:
        errors.append((type(error).__name__, str(error)))
    else:
        try:
            settle(store, Ledger(worker=worker, state=state))
            perform(store, worker, {}, start_chooser(worker, 1, round_number=1).choose({}))
        except MemoryServiceError as error:
            errors.append((type(error).__name__, str(error)))
        store.close()
    reporter.send("tried", errors)


def answer_questions(reporter: Reporter, path: Path, requests: Connection) -> None:
    """Perform operations and look for memories as asked, until nobody asks any more."""
    store = open_shared(path)
    with suppress(EOFError):
        while True:
            match requests.recv():
                case ("find", worker, memory_id, text):
                    reporter.send("answer", find_everywhere(store, worker, memory_id, text))
                case ("perform", worker, state, operation):
                    perform(store, worker, state, operation)
                    reporter.send("answer", "done")
    store.close()


@dataclass(frozen=True, kw_only=True)
class Move:
    """A move from one embedding to another, and the ledger of the worker that goes on meanwhile.

    After so many `supplies` the move waits to be killed; with None it goes on to its end.
    """

    source: EmbeddingIdentity
    target: EmbeddingIdentity
    ledger: Ledger
    round_number: int
    supplies: int | None = None


def move_until_killed(reporter: Reporter, path: Path, move: Move) -> None:
    """Check the store, begin the move or go on with it while a worker changes memories, and complete it."""
    store = open_shared(path, move.source)
    if store.spaces.identity() == move.target:
        reporter.send("moved")
        return
    random = seed_random(f"{move.round_number}")
    state = settle(store, move.ledger)
    check_searches(store, move.ledger.worker, state, random=random, dimensions=move.source.dimensions)
    reporter.send("checked", {move.ledger.worker: state})
    store.spaces.begin(move.target)
    worker = Worker(
        store,
        Ledger(worker=move.ledger.worker, state=state),
        start_chooser(
            move.ledger.worker, 22, round_number=move.round_number, longest=600, dimensions=move.source.dimensions
        ),
        begins=lambda name, operation: reporter.send("begins", name, operation),
        acknowledged=lambda name, answer: reporter.send("done", name, _stamps(answer)),
    )
    worker.start()
    supplies = 0
    while pending := store.spaces.pending(random.choice((1, 2, 5))):
        if supplies == move.supplies:
            Event().wait()
        store.spaces.supply([(number, vector_of(text, move.target.dimensions)) for number, text in pending])
        supplies += 1
        reporter.send("supplied", len(pending))
        if len(pending) < 4:
            worker.stopping.set()
            worker.join()
            assert not worker.failure, worker.failure
    worker.stopping.set()
    worker.join()
    while pending := store.spaces.pending(1000):
        store.spaces.supply([(number, vector_of(text, move.target.dimensions)) for number, text in pending])
    reporter.send("supplied", 0)
    store.spaces.cut_over()
    reporter.send("moved")
    store.close()

"""Worker threads on a store: each draws operations, says what it begins, and says when it was acknowledged."""

import threading
from collections.abc import Callable
from typing import TypeAlias

from app.backends.sqlite import SqliteStore
from app.domain.change import Committed
from app.errors import MemoryServiceError, NotFound
from tests.durability.observation import Ledger
from tests.durability.workload import (
    IDENTITY,
    Chooser,
    Operation,
    State,
    apply_operation,
    make_batch,
    scope_of,
    seed_random,
)

Acknowledged: TypeAlias = "Committed | int | None"


def perform(
    store: SqliteStore, worker: str, state: State, operation: Operation, *, dimensions: int = IDENTITY.dimensions
) -> Acknowledged:
    """Hand an operation to the store and return what it answered; one that must fail must fail."""
    if operation.purged_user:
        return store.memories.purge(scope_of(worker), user_id=operation.purged_user)
    batch = make_batch(worker, state, operation, dimensions=dimensions)
    if not operation.fails:
        return store.memories.commit(batch)
    try:
        store.memories.commit(batch)
    except NotFound:
        return None
    raise AssertionError("a batch with a missing memory was committed")


class Worker(threading.Thread):
    """Performs operations one after the other until told to stop.

    A `StoreError` leaves the state as it was. Any other failure is kept in `failure`.
    """

    def __init__(
        self,
        store: SqliteStore,
        ledger: Ledger,
        chooser: Chooser,
        *,
        operations: int | None = None,
        begins: Callable[[str, Operation], None] = lambda worker, operation: None,
        acknowledged: Callable[[str, Acknowledged], None] = lambda worker, answer: None,
    ) -> None:
        super().__init__(name=f"worker-{ledger.worker}", daemon=True)
        self.ledger, self.failure = ledger, ""
        self._store, self._chooser, self._operations = store, chooser, operations
        self._begins, self._acknowledged = begins, acknowledged
        self.stopping = threading.Event()

    def run(self) -> None:
        """Perform operations."""
        worker, state, done = self.ledger.worker, self.ledger.state, 0
        while not self.stopping.is_set() and done != self._operations:
            operation = self._chooser.choose(state)
            self._begins(worker, operation)
            try:
                answer = perform(self._store, worker, state, operation, dimensions=self._chooser.dimensions)
            except (MemoryServiceError, AssertionError, ArithmeticError, LookupError, TypeError, ValueError) as error:
                self.failure = f"{type(error).__name__}: {error}\n{operation}"
                return
            state, done = apply_operation(state, operation), done + 1
            self._acknowledged(worker, answer)


def start_chooser(
    worker: str, seed: int, *, round_number: int = 0, longest: int = 4000, dimensions: int = IDENTITY.dimensions
) -> Chooser:
    """A chooser that gives out other ids than those of earlier rounds."""
    random = seed_random(f"{seed}-{worker}-{round_number}")
    return Chooser(worker=worker, random=random, made=round_number << 20, longest=longest, dimensions=dimensions)


def work_alone(store: SqliteStore, worker: str, *, operations: int, seed: int) -> State:
    """Perform operations from an empty state on, and return the state that they lead to."""
    state: State = {}
    chooser = start_chooser(worker, seed)
    for _ in range(operations):
        operation = chooser.choose(state)
        perform(store, worker, state, operation)
        state = apply_operation(state, operation)
    return state

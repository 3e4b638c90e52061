"""Writers that go on through faults: each knows what must be in the store, and finds out what became of what failed."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from traceback import format_exc
from typing import Any

from app.errors import StoreError
from tests.durability.observation import Ledger, check_searches, settle
from tests.durability.workers import perform, start_chooser
from tests.durability.workload import seed_random
from tests.servers.waiting import wait_until

NAMES = ("w0", "w1", "w2", "w3")
"""They share two workspaces, so that they wait for each other."""
_PAUSE_S = 0.05
_DOUBT = "is not known"
"""What an error says when a change may have been written."""


class Writer(Thread):
    """Performs random operations one after the other until it is told to stop.

    An error of the store means that nothing was written, unless it says that this is not known. Then an operation with
    a receipt is repeated, as the error advises, and any other is looked up.
    """

    def __init__(self, store: Any, name: str, *, seed: int) -> None:
        super().__init__(name=f"writer-{name}", daemon=True)
        self.ledger = Ledger(worker=name)
        self.acknowledged = self.refused = self.doubtful = self.told = 0
        self.errors: set[str] = set()
        self.failure = ""
        self.stopping = Event()
        self._store = store
        self._chooser = start_chooser(name, seed, longest=400)

    def run(self) -> None:
        """Write; what contradicts the ledger is kept in `failure`."""
        try:
            while not self.stopping.is_set():
                self.ledger.begin(self._chooser.choose(self.ledger.state))
                self._write()
        except Exception:
            self.failure = format_exc()

    def _write(self, *, doubted: bool = False) -> None:
        """Hand what is in flight to the store, until it is known what became of it or the writer has to stop.

        `doubted` tells that an earlier attempt may have succeeded.
        """
        operation = self.ledger.in_flight
        assert operation is not None
        try:
            perform(self._store, self.ledger.worker, self.ledger.state, operation)
        except StoreError as error:
            self._note(error)
            in_doubt = _DOUBT in str(error)
            self.doubtful += in_doubt
            self.refused += not in_doubt
            doubted |= in_doubt
        else:
            self.acknowledged += 1
            self.ledger.acknowledge()
            return
        if not (doubted and operation.receipt) or operation.fails:
            self._look_up(may_be_written=doubted)
        elif not self.stopping.wait(_PAUSE_S):
            self._write(doubted=True)

    def _note(self, error: StoreError) -> None:
        self.errors.add(type(error).__name__)
        self.told += 1

    def _look_up(self, *, may_be_written: bool) -> None:
        """Read what the store shows, once it answers."""
        while not self.stopping.wait(_PAUSE_S):
            try:
                state = settle(self._store, self.ledger)
            except StoreError as error:
                self._note(error)
            else:
                before = self.ledger.state
                assert may_be_written or state == before, f"written in spite of an error: {self.ledger.in_flight}"
                self.ledger = Ledger(worker=self.ledger.worker, state=state)
                return


class Writers:
    """Four writers on one store."""

    def __init__(self, store: Any, *, seed: int) -> None:
        self.each = [Writer(store, name, seed=seed) for name in NAMES]

    @property
    def acknowledged(self) -> int:
        """How many operations were acknowledged to all of them."""
        return sum(writer.acknowledged for writer in self.each)

    @property
    def told(self) -> int:
        """How many errors they met, writing or reading."""
        return sum(writer.told for writer in self.each)

    @property
    def errors(self) -> set[str]:
        """The names of the errors that they met."""
        return set().union(*(writer.errors for writer in self.each))

    def advance(self, operations: int) -> None:
        """Wait until so many more operations were acknowledged."""
        goal = self.acknowledged + operations
        self._wait(lambda: self.acknowledged >= goal, f"{operations} more operations")

    def meet_errors(self, count: int = 1) -> None:
        """Wait until they have met so many more errors."""
        goal = self.told + count
        self._wait(lambda: self.told >= goal, f"{count} more errors")

    def meet_an_error_each(self) -> None:
        """Wait until every writer has met a further error."""
        goals = [(writer, writer.told + 1) for writer in self.each]
        self._wait(lambda: all(writer.told >= goal for writer, goal in goals), "an error of every writer")

    def stop(self) -> None:
        """Let each end what it does."""
        for writer in self.each:
            writer.stopping.set()
        for writer in self.each:
            writer.join()

    def check(self, store: Any) -> None:
        """Assert that the store holds what was acknowledged, once and whole, and finds it."""
        for writer in self.each:
            assert not writer.failure, writer.failure
            state = settle(store, writer.ledger)
            check_searches(store, writer.ledger.worker, state, random=seed_random(writer.name))

    def _wait(self, condition: Any, what: str) -> None:
        wait_until(lambda: condition() or any(writer.failure for writer in self.each), lambda: f"{what}; {self}")
        for writer in self.each:
            assert not writer.failure, writer.failure

    def __repr__(self) -> str:
        counts = ", ".join(f"{each.acknowledged}/{each.refused}/{each.doubtful}/{each.told}" for each in self.each)
        return f"acknowledged/refused/doubtful/errors: {counts}; {sorted(self.errors)}"


@contextmanager
def write_to(store: Any, *, seed: int = 1) -> Iterator[Writers]:
    """Writers that have begun; they stop at the end."""
    writers = Writers(store, seed=seed)
    for writer in writers.each:
        writer.start()
    try:
        writers.advance(20)
        yield writers
    finally:
        writers.stop()

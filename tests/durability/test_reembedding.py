"""A move to another embedding is killed again and again while memories change: it goes on and misses none."""

import logging
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.backends.clock import SystemClock
from app.backends.sqlite import open_store
from app.backends.sqlite.doctor import examine
from app.domain.embedding import EmbeddingIdentity
from app.errors import EmbeddingMismatch
from tests.durability.children import Move, move_until_killed
from tests.durability.history import History
from tests.durability.invariants import check_file
from tests.durability.observation import Ledger, check_searches, settle
from tests.durability.processes import start_child
from tests.durability.workers import perform, start_chooser
from tests.durability.workload import IDENTITY, State, apply_operation, seed_random

LOG = logging.getLogger(__name__)
WORKER = "w0"
SMALLER = EmbeddingIdentity(model="sample-24", dimensions=24)
MEMORIES_AT_LEAST, KILLS_AT_LEAST, SUPPLIES = 180, 5, 6
"""A supply moves five memories at most, so that the first kills come before the end, however late they come."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """From which embedding to which."""

    source: EmbeddingIdentity
    target: EmbeddingIdentity


def grow(path: Path, identity: EmbeddingIdentity) -> State:
    """Fill a new store and return its state."""
    store = open_store(path, identity=identity, clock=SystemClock())
    state: State = {}
    chooser = start_chooser(WORKER, 21, longest=600, dimensions=identity.dimensions)
    while len(state) < MEMORIES_AT_LEAST:
        operation = chooser.choose(state)
        perform(store, WORKER, state, operation, dimensions=identity.dimensions)
        state = apply_operation(state, operation)
    store.close()
    return state


@pytest.mark.slow
@pytest.mark.parametrize(
    "way", [Way(source=IDENTITY, target=SMALLER), Way(source=SMALLER, target=IDENTITY)], ids=["smaller", "larger"]
)
def test_a_move_that_is_killed_goes_on_and_misses_nothing(tmp_path: Path, way: Way) -> None:
    path, random = tmp_path / "memory.db", seed_random(f"move to {way.target}")
    history = History((WORKER,))
    history.ledgers[WORKER] = Ledger(worker=WORKER, state=grow(path, way.source))
    kills, moved = 0, False
    while not moved:
        move = Move(
            source=way.source,
            target=way.target,
            ledger=history.ledgers[WORKER],
            round_number=kills + 1,
            supplies=SUPPLIES if kills < KILLS_AT_LEAST else None,
        )
        child = start_child(move_until_killed, path, move)
        reports = (1, 2, 4, 6) if kills < KILLS_AT_LEAST else (3, 12, 50, 100, 10_000)
        for _ in range(random.choice(reports)):
            message = child.receive()
            if message is None or message[0] == "moved":
                moved = message is not None
                break
            history.take(message)
        child.kill()
        while (message := child.receive()) is not None:
            moved = moved or message[0] == "moved"
            history.take(message)
        kills += not moved
    LOG.info("%s kills on the way to %s", kills, way.target)
    assert kills >= KILLS_AT_LEAST
    settled = check_moved(path, way.target, history.ledgers[WORKER])
    with pytest.raises(EmbeddingMismatch):
        old = open_store(path, identity=way.source, clock=SystemClock())
        try:
            chooser = start_chooser(WORKER, 2, round_number=1000)
            perform(old, WORKER, settled, chooser.choose({}), dimensions=way.source.dimensions)
        finally:
            old.close()


def check_moved(path: Path, target: EmbeddingIdentity, ledger: Ledger) -> State:
    """Assert that the store is wholly of the target's vectors, and return its state."""
    store = open_store(path, identity=target, clock=SystemClock())
    assert store.spaces.identity() == target
    state = settle(store, ledger)
    check_searches(store, WORKER, state, random=seed_random("moved"), sample=60, dimensions=target.dimensions)
    assert examine(path) == ()
    store.close()
    check_file(path, dimensions=target.dimensions)
    return state

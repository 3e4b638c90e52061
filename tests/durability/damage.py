"""Damages the pages of a closed store, and tells what a process meets that uses it then."""

import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Literal, TypeAlias

import apsw

from app.backends.clock import SystemClock
from app.backends.sqlite import SqliteStore, open_store
from app.errors import MemoryServiceError
from tests.durability.observation import Ledger, check_searches, settle
from tests.durability.processes import Reporter
from tests.durability.workers import perform, start_chooser
from tests.durability.workload import IDENTITY, State, apply_operation, scope_of, seed_random

PAGE_BYTES = 4096
Damage: TypeAlias = Literal["header", "bytes", "zeros"]


def list_pages(path: Path, name: str) -> list[int]:
    """The pages of a table or index, in order, counted from 1."""
    connection = apsw.Connection(str(path))
    try:
        rows = connection.execute("SELECT pageno FROM dbstat WHERE name = ? ORDER BY pageno", (name,)).fetchall()
    finally:
        connection.close()
    return [int(str(row[0])) for row in rows]


def damage_page(path: Path, page: int, damage: Damage, random: Random) -> None:
    """Spoil the head of a page, some bytes of it, or all of it."""
    start = (page - 1) * PAGE_BYTES
    content = bytearray(path.read_bytes())
    match damage:
        case "header":
            content[start : start + 12] = random.randbytes(12)
        case "bytes":
            for _ in range(24):
                content[start + random.randrange(PAGE_BYTES)] ^= random.randrange(1, 256)
        case "zeros":
            content[start : start + PAGE_BYTES] = bytes(PAGE_BYTES)
    path.write_bytes(content)


def use_store(reporter: Reporter, path: Path, worker: str, state: State, seed: str) -> None:
    """Read and write everything; report the service's errors by name, and any other failure with its trace.

    Wrong answers are left to the doctor: a page without a checksum may hold anything.
    """
    met: list[str] = []
    strange: list[str] = []

    def try_out(call: Callable[[], object]) -> None:
        try:
            call()
        except MemoryServiceError as error:
            met.append(type(error).__name__)
        except AssertionError:
            met.append("wrong")
        except Exception:
            strange.append(traceback.format_exc())

    def use(store: SqliteStore) -> None:
        random, reached = seed_random(seed), state
        chooser = start_chooser(worker, 9, round_number=1)
        for _ in range(12):
            operation = chooser.choose(reached)
            before, reached = reached, apply_operation(reached, operation)
            try_out(partial(perform, store, worker, before, operation))
            try_out(lambda: settle(store, Ledger(worker=worker, state=state)))
            try_out(lambda: check_searches(store, worker, state, random=random, sample=4))
            try_out(lambda: store.memories.contents(scope_of(worker)))
        try_out(lambda: store.memories.purge(scope_of(worker), user_id=next(iter(state.values())).user_id))
        try_out(store.close)

    try_out(lambda: use(open_store(path, identity=IDENTITY, clock=SystemClock())))
    reporter.send("used", met, strange)

"""What else goes on in a test: nodes in other processes, nodes that are killed, and transactions that wait."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import psycopg

from app.backends.clock import SteppingClock
from app.backends.postgres import PostgresStore, open_store
from tests.app.contract.samples import IDENTITY
from tests.app.databases import PATIENT

T = TypeVar("T")

PROCESSES = 4
_SPAWN = multiprocessing.get_context("spawn")
_PATIENCE_S = 120.0


def open_other(dsn: str) -> PostgresStore:
    """A node in another process, whose clock stands where that of the test began."""
    return open_store(dsn, identity=IDENTITY, clock=SteppingClock(), min_pool_size=1, max_pool_size=4, **PATIENT)


def run_in_processes(work: Callable[..., T], calls: Sequence[tuple[Any, ...]]) -> list[T]:
    """What a function of a module returns for each list of arguments, each in a process of its own, all at once."""
    with _SPAWN.Pool(len(calls)) as pool:
        return pool.starmap_async(work, calls).get(_PATIENCE_S)


def run_and_kill(work: Callable[..., None], *arguments: Any) -> None:
    """Run a function of a module in a process that ends with `die`, so that nothing of it is closed or written."""
    process = _SPAWN.Process(target=work, args=arguments)
    process.start()
    process.join(_PATIENCE_S)
    assert process.exitcode == -signal.SIGKILL, "the process must get as far as to die"


def die() -> NoReturn:
    """End this process at once, as the kernel does it."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("a process that was killed goes on")


def wait_for_waiters(dsn: str, count: int) -> None:
    """Return when so many connections to a database wait for locks of others."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0"
    deadline = time.monotonic() + _PATIENCE_S
    with psycopg.connect(dsn, autocommit=True) as connection:
        while connection.execute(waiting).fetchone() != (count,):
            assert time.monotonic() < deadline, f"{count} transactions were to wait"
            time.sleep(0.01)

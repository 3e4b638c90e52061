"""Missing vectors are made once, whichever process makes them and whichever is killed."""

import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest

from app.backends.clock import SteppingClock
from app.domain.query import SearchMode
from app.service.backlog import MINUTE_MS, PORTION
from tests.app.service.backlog.conftest import Bench, break_down, make_bench, open_shared
from tests.servers.waiting import PATIENCE_S
from tests.standin import Fault, ModelServer


def test_a_workspace_has_one_job_in_the_queue(open_bench: Callable[[], Bench], server: ModelServer) -> None:
    first, second = open_bench(), open_bench()
    server.fail(Fault.UNAUTHORISED, times=None)
    for number in range(3):
        first.add(f"first {number}")
        second.add(f"second {number}")
    second.add("other", workspace_id="there")
    first.clock.step(MINUTE_MS)
    assert sorted(job.scope.workspace_id for job in first.queued()) == ["here", "there"]
    server.recover()
    assert first.services.jobs.work() == 2
    server.fail(Fault.UNAUTHORISED, times=None)
    second.add("after the job")
    server.recover()
    second.clock.step(MINUTE_MS)
    assert first.services.jobs.work() == 1, "a job that is done counts no more"
    assert not first.store.spaces.lacking(1)


def test_another_process_finds_what_was_filled(open_bench: Callable[[], Bench], server: ModelServer) -> None:
    writer, reader = open_bench(), open_bench()
    writer.add("milk")
    assert reader.find("green tea", SearchMode.VECTOR) == ["milk"]
    break_down(server)
    writer.add("green tea")
    server.recover()
    assert reader.find("green tea", SearchMode.VECTOR) == ["milk"]
    writer.clock.step(MINUTE_MS)
    writer.services.jobs.work()
    assert reader.find("green tea", SearchMode.VECTOR) == ["green tea", "milk"]


def test_two_processes_fill_each_memory_once(open_bench: Callable[[], Bench], server: ModelServer) -> None:
    benches = open_bench(), open_bench()
    break_down(server)
    for number in range(4):
        benches[0].add(*(f"note {each}" for each in range(PORTION)), workspace_id=f"w{number}")
    server.recover()
    sent = len(server.calls)
    benches[0].clock.step(MINUTE_MS)
    gate = Barrier(2)

    def work(one: Bench) -> None:
        gate.wait()
        one.services.jobs.work()

    threads = [Thread(target=work, args=(one,)) for one in benches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not benches[0].store.spaces.lacking(1)
    assert len(server.calls) - sent == 4
    assert len(benches[1].find("note 7", SearchMode.VECTOR, "w3")) == 10


def die(*_: object, **__: object) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def add_and_die(folder: str, address: str, now_ms: int) -> None:
    """Add a memory while the provider is away, and be killed between the commit and the queueing of the job."""
    clock = SteppingClock(now_ms)
    bench = make_bench(open_shared(Path(folder), clock), clock, address, ExitStack())
    bench.store.jobs.enqueue = die  # type: ignore[method-assign]
    bench.add("green tea")


def fill_and_die(folder: str, address: str, now_ms: int) -> None:
    """Be killed while a claimed job is between its embedding and the write."""
    clock = SteppingClock(now_ms)
    bench = make_bench(open_shared(Path(folder), clock), clock, address, ExitStack())
    bench.store.spaces.fill = die  # type: ignore[method-assign]
    bench.services.jobs.work()


def run_until_killed(target: Callable[..., None], *arguments: object) -> None:
    process = get_context("spawn").Process(target=target, args=arguments)
    process.start()
    process.join(PATIENCE_S)
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.slow
def test_a_kill_loses_nothing(open_bench: Callable[[], Bench], server: ModelServer, tmp_path: Path) -> None:
    bench = open_bench()
    break_down(server)
    run_until_killed(add_and_die, str(tmp_path), server.address, bench.clock.now_ms())
    assert bench.find("tea", SearchMode.KEYWORD) == ["green tea"]
    assert bench.queued() == []
    server.recover()
    assert bench.services.backlog.resume() == 1
    run_until_killed(fill_and_die, str(tmp_path), server.address, bench.clock.now_ms())
    assert bench.services.jobs.work() == 0, "its claim outlives it"
    bench.clock.step(MINUTE_MS)
    assert bench.services.jobs.work() == 1
    assert bench.find("green tea", SearchMode.VECTOR) == ["green tea"]

"""Eight threads at once: nothing is lost, torn or done twice."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import TypeVar

import pytest

from app.domain.change import ChangeState, Receipt, RecordUse
from app.domain.query import MemoryFilter
from app.domain.usage import UsageRecord
from app.errors import VersionConflict
from tests.app.contract.backends import Backend
from tests.app.contract.samples import HERE, THERE, add, adding, commit, match, read, scan_all, texts, updating

THREADS = 8
TURNS = 12

T = TypeVar("T")


@pytest.fixture(autouse=True)
def _switch_threads_often() -> Iterator[None]:
    """Let threads take turns every 10 µs instead of every 5 ms, so that a missing lock shows."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(usual_s)


def together(work: Callable[[int], T]) -> list[T]:
    """Run `work(thread)` in all threads, started at the same moment; an error in one of them is raised."""
    start = Barrier(THREADS)

    def run(thread: int) -> T:
        start.wait()
        return work(thread)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def test_no_update_is_lost_under_an_expected_version(backend: Backend) -> None:
    memory = add(backend, "counter", metadata={"n": 0})

    def count_up(thread: int) -> int:
        conflicts = 0
        for _ in range(TURNS):
            while True:
                now = read(backend, memory.id)
                n = now.metadata["n"]
                assert isinstance(n, int)
                try:
                    commit(backend, updating(now, metadata={"n": n + 1}, expected_version=now.version))
                    break
                except VersionConflict:
                    conflicts += 1
        return conflicts

    together(count_up)
    now = read(backend, memory.id)
    assert now.metadata == {"n": THREADS * TURNS}
    assert now.version == 1 + THREADS * TURNS


def test_every_acknowledged_memory_is_there(backend: Backend) -> None:
    def add_some(thread: int) -> list[str]:
        ids = []
        for turn in range(TURNS):
            scope = (HERE, THERE)[turn % 2]
            memory = add(backend, f"thread{thread} turn{turn}", scope=scope)
            ids.append(memory.id)
            assert match(backend, f"thread{thread} turn{turn}", scope=scope, limit=1) == [memory.content]
        return ids

    ids = {memory_id for some in together(add_some) for memory_id in some}
    stored = [*scan_all(backend, HERE), *scan_all(backend, THERE)]
    assert {memory.id for memory in stored} == ids
    assert len(stored) == THREADS * TURNS
    by_seq = sorted(stored, key=lambda memory: memory.seq)
    assert len({memory.seq for memory in stored}) == len(stored)
    assert [memory.hlc for memory in by_seq] == sorted({memory.hlc for memory in stored})
    assert backend.memories.contents(HERE).memories == len(scan_all(backend, HERE))


def test_the_same_text_is_added_once(backend: Backend) -> None:
    def add_same(thread: int) -> list[ChangeState]:
        changes = [adding(f"text {turn}", tags=(f"from-{thread}",)) for turn in range(TURNS)]
        return [commit(backend, change).outcomes[0].state for change in changes]

    states = [state for some in together(add_same) for state in some]
    assert states.count(ChangeState.CREATED) == TURNS
    assert states.count(ChangeState.DUPLICATE) == (THREADS - 1) * TURNS
    for memory in scan_all(backend):
        assert set(memory.tags) == {f"from-{thread}" for thread in range(THREADS)}


def test_one_statement_of_a_slot_stands(backend: Backend) -> None:
    together(lambda thread: [add(backend, f"lives in {thread}-{turn}", slot="home") for turn in range(TURNS)])
    assert len(scan_all(backend)) == 1
    assert len(scan_all(backend, superseded=True)) == THREADS * TURNS


def test_a_receipt_lets_one_batch_through(backend: Backend) -> None:
    receipt = Receipt(key="k", request_sha256="1")
    committed = together(lambda thread: commit(backend, adding("tea"), adding("milk"), receipt=receipt))
    assert sorted(one.replayed for one in committed) == [False] + [True] * (THREADS - 1)
    assert len({tuple(outcome.memory_id for outcome in one.outcomes) for one in committed}) == 1
    assert sorted(texts(scan_all(backend))) == ["milk", "tea"]


def test_every_use_is_counted(backend: Backend) -> None:
    memory = add(backend, "tea")
    together(lambda thread: [commit(backend, RecordUse(memory_id=memory.id, utility=0.5)) for _ in range(TURNS)])
    now = read(backend, memory.id)
    assert (now.frequency, now.utility) == (THREADS * TURNS, THREADS * TURNS / 2)


def test_readers_see_whole_batches(backend: Backend) -> None:
    add(backend, "word", tags=("pair",))
    add(backend, "word too", tags=("pair",))
    finished = Event()

    def work(thread: int) -> int:
        if thread == 0:
            try:
                for turn in range(4 * TURNS):
                    pair = (adding(f"word left {turn}", tags=("pair",)), adding(f"word right {turn}", tags=("pair",)))
                    commit(backend, *pair)
            finally:
                finished.set()
            return 0
        looks = 0
        while not finished.is_set():
            page = backend.memories.scan(HERE, MemoryFilter(tags=("pair",)), limit=1000)
            assert len(page.items) % 2 == 0
            assert len(match(backend, "word", limit=1000)) % 2 == 0
            looks += 1
        return looks

    together(work)
    assert len(scan_all(backend)) == 2 + 8 * TURNS


def test_every_job_is_claimed_once(backend: Backend) -> None:
    jobs = {backend.jobs.enqueue(HERE, "embed", {"n": number}).id for number in range(THREADS * TURNS)}

    def claim_all(thread: int) -> list[str]:
        claimed: list[str] = []
        while len(claimed) <= len(jobs) and (job := backend.jobs.claim(["embed"], lease_ms=60_000)) is not None:
            claimed.append(job.id)
        return claimed

    claimed = [job_id for some in together(claim_all) for job_id in some]
    assert len(claimed) == len(jobs)
    assert set(claimed) == jobs


def test_every_call_is_metered(backend: Backend) -> None:
    record = UsageRecord(tenant_id="acme", workspace_id="project-1", day="2026-11-22", operation="add", items=2)

    def record_some(thread: int) -> None:
        for _ in range(TURNS):
            backend.meter.record([record])

    together(record_some)
    (total,) = backend.meter.read("acme")
    assert (total.calls, total.items) == (THREADS * TURNS, 2 * THREADS * TURNS)

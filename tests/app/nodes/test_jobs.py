"""Work in the background: each job is done by one node, and by another when that one dies in the middle of it."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import pytest
from fastapi.testclient import TestClient

from app.backends.clock import SteppingClock
from app.backends.embedders.hashing import HashingEmbedder
from app.backends.extractors.rule import RuleExtractor
from app.backends.postgres import open_store
from app.domain.access import LOCAL_ADMIN
from app.domain.job import JobState
from app.domain.query import MemoryFilter
from app.service.jobs import LEASE_MS, Jobs
from app.service.suite import Services
from tests.app.nodes.conftest import Nodes
from tests.app.postgres.operations.others import die, run_and_kill
from tests.app.service.suites import put_together
from tests.servers.waiting import wait_until

pytestmark = pytest.mark.xdist_group("postgres")

WS = "/v1/workspaces/team:one"
LATER = {"Prefer": "respond-async"}
JOBS = 24


def accept(client: TestClient, content: str, **headers: str) -> str:
    """Have a memory added later; returns where its job is told of."""
    body = {"memories": [{"type": "task", "content": content}]}
    answer = client.post(f"{WS}/memories:batch", json=body, headers={**LATER, **headers})
    assert answer.status_code == 202, answer.text
    return str(answer.headers["Location"])


def test_each_job_is_done_once_whichever_node_accepted_it(nodes: Nodes) -> None:
    def send(number: int) -> str:
        return accept(nodes[number % 2], f"Step {number}")

    with ThreadPoolExecutor(8) as threads:
        jobs = list(threads.map(send, range(JOBS)))

    def states() -> list[str]:
        return [nodes[number % 2].get(path).json()["state"] for number, path in enumerate(jobs, start=1)]

    wait_until(lambda: states() == ["done"] * JOBS, lambda: f"all jobs to be done: {Counter(states())}")
    assert [nodes[0].get(path).json()["attempts"] for path in jobs] == [1] * JOBS
    assert all(nodes[1].get(path).json()["result"]["states"] == {"created": 1} for path in jobs)
    assert nodes[1].get(WS).json()["contents"]["memories"] == JOBS


def test_a_job_that_is_asked_for_on_both_nodes_is_one(nodes: Nodes) -> None:
    def send(number: int) -> str:
        return accept(nodes[number % 2], "Step", **{"Idempotency-Key": "once"})

    with ThreadPoolExecutor(8) as threads:
        (path,) = set(threads.map(send, range(8)))
    wait_until(lambda: nodes[1].get(path).json()["state"] == "done", "the job to be done")
    assert nodes[0].get(path).json()["attempts"] == 1


class Dying:
    """A part of the services whose process dies when a method is called."""

    def __init__(self, part: Any, method: str) -> None:
        self._part, self._method = part, method

    def __getattr__(self, name: str) -> Any:
        return self._die if name == self._method else getattr(self._part, name)

    @staticmethod
    def _die(*_: object, **__: object) -> NoReturn:
        die()


def open_services(dsn: str, clock: SteppingClock) -> Services:
    embedder = HashingEmbedder()
    store = open_store(dsn, identity=embedder.identity, clock=clock, min_pool_size=1, max_pool_size=8)
    return put_together(store, embedder, RuleExtractor(), clock, parallel=False)


def die_before_the_work(dsn: str) -> NoReturn:
    services = open_services(dsn, SteppingClock())
    memories: Any = Dying(services.memories, "add")
    Jobs(queue=services.store.jobs, memories=memories, conversations=services.conversations).work()
    raise AssertionError("there was no job")


def die_after_the_work(dsn: str) -> NoReturn:
    services = open_services(dsn, SteppingClock())
    queue: Any = Dying(services.store.jobs, "finish")
    Jobs(queue=queue, memories=services.memories, conversations=services.conversations).work()
    raise AssertionError("there was no job")


@pytest.mark.slow
@pytest.mark.parametrize("work", [die_before_the_work, die_after_the_work])
def test_work_of_a_node_that_dies_is_done_once_by_another(dsn: str, work: Callable[[str], NoReturn]) -> None:
    clock = SteppingClock()
    services = open_services(dsn, clock)
    try:
        drafts = {"drafts": [{"kind": "task", "content": f"Step {number}"} for number in range(3)]}
        job = services.jobs.submit(LOCAL_ADMIN, "w", "add", drafts)
        run_and_kill(work, dsn)
        assert services.jobs.work() == 0, "the lease of the dead still runs"
        clock.step(LEASE_MS)
        assert services.jobs.work() == 1
        done = services.jobs.find(LOCAL_ADMIN, "w", job.id)
        assert (done.state, done.attempts) == (JobState.DONE, 2)
        assert done.result is not None
        assert done.result["states"] == {"created": 3}
        kept = services.memories.scan(LOCAL_ADMIN, "w", MemoryFilter()).items
        assert sorted(memory.content for memory in kept) == ["Step 0", "Step 1", "Step 2"]
        assert {memory.id for memory in kept} == set(done.result["memory_ids"])  # type: ignore[arg-type]
    finally:
        services.close()

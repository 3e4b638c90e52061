"""Jobs on several nodes: each is done by one, and by another when that one dies."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NoReturn

import psycopg
import pytest

from app.backends.clock import SteppingClock
from app.backends.postgres import PostgresStore
from app.domain.change import Receipt
from app.domain.job import Job, JobState
from app.errors import IdempotencyConflict, NotFound, VersionConflict
from tests.app.contract.samples import HERE, THERE
from tests.app.postgres.operations.conftest import Nodes, OpenNode
from tests.app.postgres.operations.others import (
    PROCESSES,
    die,
    open_other,
    run_and_kill,
    run_in_processes,
    wait_for_waiters,
)

pytestmark = pytest.mark.xdist_group("postgres")

LEASE_MS = 60_000
JOBS = 80


def work_off(node: PostgresStore) -> list[str]:
    """Claim and finish until nothing is left; returns the ids of the jobs."""
    done: list[str] = []
    while (job := node.jobs.claim(["embed"], lease_ms=LEASE_MS)) is not None:
        node.jobs.finish(job.id, job.token, JobState.DONE, result={"by": "me"})
        done.append(job.id)
    return done


def work_off_there(dsn: str) -> list[str]:
    node = open_other(dsn)
    try:
        return work_off(node)
    finally:
        node.close()


def test_each_job_is_done_by_one_thread_of_one_node(open_node: OpenNode) -> None:
    nodes = (open_node(), open_node())
    jobs = [nodes[number % 2].jobs.enqueue((HERE, THERE)[number % 2], "embed", {"n": number}) for number in range(JOBS)]
    with ThreadPoolExecutor(16) as threads:
        done = [job_id for part in threads.map(work_off, nodes * 8) for job_id in part]
    assert sorted(done) == sorted(job.id for job in jobs)
    assert all(nodes[0].jobs.find(job.scope, job.id).attempts == 1 for job in jobs)


@pytest.mark.slow
def test_each_job_is_done_by_one_process(open_node: OpenNode, dsn: str) -> None:
    node = open_node()
    jobs = [node.jobs.enqueue(HERE, "embed", {"n": number}) for number in range(JOBS)]
    done = run_in_processes(work_off_there, [(dsn,)] * PROCESSES)
    assert sorted(job_id for part in done for job_id in part) == sorted(job.id for job in jobs)


def claim_and_die(dsn: str) -> NoReturn:
    job = open_other(dsn).jobs.claim(["embed"], lease_ms=LEASE_MS)
    assert job is not None
    die()


@pytest.mark.slow
def test_a_runner_that_dies_is_taken_over_after_its_lease(open_node: OpenNode, dsn: str, clock: SteppingClock) -> None:
    node = open_node()
    job = node.jobs.enqueue(HERE, "embed", {"n": 1})
    run_and_kill(claim_and_die, dsn)
    assert node.jobs.find(HERE, job.id).state is JobState.RUNNING
    clock.step(LEASE_MS - 1)
    assert node.jobs.claim(["embed"], lease_ms=LEASE_MS) is None
    clock.step(1)
    taken = node.jobs.claim(["embed"], lease_ms=LEASE_MS)
    assert taken is not None
    assert (taken.id, taken.attempts) == (job.id, 2)


def test_a_runner_that_was_thought_dead_can_no_longer_speak(nodes: Nodes, clock: SteppingClock) -> None:
    one, other = nodes
    one.jobs.enqueue(HERE, "embed", {})
    slow = one.jobs.claim(["embed"], lease_ms=LEASE_MS)
    clock.step(LEASE_MS)
    quick = other.jobs.claim(["embed"], lease_ms=LEASE_MS)
    assert slow is not None
    assert quick is not None
    with pytest.raises(VersionConflict):
        one.jobs.renew(slow.id, slow.token, lease_ms=LEASE_MS)
    with pytest.raises(VersionConflict):
        one.jobs.finish(slow.id, slow.token, JobState.DONE)
    assert one.jobs.find(HERE, quick.id) == replace(quick, token="")


def test_a_renewal_and_a_takeover_at_once_leave_one_holder(nodes: Nodes, clock: SteppingClock) -> None:
    one, other = nodes
    for number in range(20):
        one.jobs.enqueue(HERE, "embed", {"n": number})
        held = one.jobs.claim(["embed"], lease_ms=LEASE_MS)
        assert held is not None
        clock.step(LEASE_MS)

        def renew(job: Job = held) -> bool:
            try:
                one.jobs.renew(job.id, job.token, lease_ms=LEASE_MS)
            except VersionConflict:
                return False
            return True

        with ThreadPoolExecutor(2) as threads:
            renewed = threads.submit(renew)
            taken = threads.submit(other.jobs.claim, ["embed"], lease_ms=LEASE_MS).result()
        assert renewed.result() is (taken is None)
        holder = taken or held
        one.jobs.finish(holder.id, holder.token, JobState.DONE)


def test_the_same_request_on_several_nodes_at_once_is_one_job(nodes: Nodes) -> None:
    receipt = Receipt(key="k", request_sha256="a" * 64)

    def enqueue(node: PostgresStore) -> Job:
        return node.jobs.enqueue(HERE, "embed", {"n": 1}, receipt=receipt)

    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(enqueue, nodes * 8))
    assert len({job.id for job in made}) == 1
    assert len(work_off(nodes[0])) == 1
    assert nodes[1].jobs.enqueue(HERE, "embed", {"n": 1}, receipt=receipt).state is JobState.DONE
    with pytest.raises(IdempotencyConflict):
        nodes[1].jobs.enqueue(HERE, "embed", {"n": 2}, receipt=replace(receipt, request_sha256="b" * 64))


def test_no_job_outlives_its_workspace(nodes: Nodes, dsn: str) -> None:
    """A deletion waits for a job that is being accepted, and removes it."""
    one, other = nodes
    one.workspaces.put_workspace(HERE, name=None, metadata=None, create=True)
    receipt = Receipt(key="k", request_sha256="a" * 64)
    with psycopg.connect(dsn) as connection, ThreadPoolExecutor(2) as threads:
        connection.execute(  # who accepts a job with this receipt waits behind its job
            "INSERT INTO receipts VALUES (%s, %s, 'job k', '', '[]', 0)", (HERE.tenant_id, HERE.workspace_id)
        )
        accepted = threads.submit(one.jobs.enqueue, HERE, "embed", {}, receipt=receipt)
        wait_for_waiters(dsn, 1)
        deleted = threads.submit(other.workspaces.delete_workspace, HERE)
        wait_for_waiters(dsn, 2)
        connection.rollback()
        job = accepted.result()
        deleted.result()
    with pytest.raises(NotFound):
        one.jobs.find(HERE, job.id)
    assert one.jobs.claim(["embed"], lease_ms=LEASE_MS) is None


def test_an_error_with_nul_ends_its_job(nodes: Nodes) -> None:
    nodes[0].jobs.enqueue(HERE, "embed", {"text": "a\x00b"})
    job = nodes[1].jobs.claim(["embed"], lease_ms=LEASE_MS)
    assert job is not None
    nodes[1].jobs.finish(job.id, job.token, JobState.FAILED, result={"said": "\x00"}, error="the model said \x00")
    failed = nodes[0].jobs.find(HERE, job.id)
    assert (failed.payload, failed.result) == ({"text": "a\x00b"}, {"said": "\x00"})
    assert (failed.state, failed.error) == (JobState.FAILED, "the model said \ufffd")

"""The job queue."""

from dataclasses import replace

import pytest

from app.backends.clock import SteppingClock
from app.domain.change import ChangeBatch, Receipt
from app.domain.job import Job, JobState
from app.domain.memory import JsonObject
from app.errors import IdempotencyConflict, InvalidRequest, NotFound, VersionConflict
from tests.app.contract.backends import Backend
from tests.app.contract.samples import FOREIGN, HERE, NO_ID, THERE

LEASE_MS = 60_000


def claim(backend: Backend, *kinds: str) -> Job:
    job = backend.jobs.claim(kinds or ("embed",), lease_ms=LEASE_MS)
    assert job is not None
    return job


def test_a_job_is_kept_as_it_was_given(backend: Backend, clock: SteppingClock) -> None:
    payload: JsonObject = {"texts": ["tea", "茶"], "deep": {"n": 1.5, "none": None}}
    job = backend.jobs.enqueue(HERE, "embed", payload)
    assert (job.scope, job.kind, job.payload, job.state) == (HERE, "embed", payload, JobState.QUEUED)
    assert (job.created_ms, job.updated_ms, job.attempts) == (clock.now_ms(), clock.now_ms(), 0)
    assert (job.result, job.error) == (None, "")
    assert backend.jobs.find(HERE, job.id) == job


def test_a_job_of_another_scope_is_not_found(backend: Backend) -> None:
    job = backend.jobs.enqueue(HERE, "embed", {})
    for scope in (THERE, FOREIGN):
        with pytest.raises(NotFound):
            backend.jobs.find(scope, job.id)
    with pytest.raises(NotFound):
        backend.jobs.find(HERE, NO_ID)


def test_the_same_request_again_is_the_same_job(backend: Backend, clock: SteppingClock) -> None:
    receipt = Receipt(key="k", request_sha256="a" * 64)
    first = backend.jobs.enqueue(HERE, "embed", {"n": 1}, receipt=receipt)
    backend.memories.commit(ChangeBatch(scope=HERE, changes=(), receipt=receipt))
    claim(backend)
    clock.step()
    again = backend.jobs.enqueue(HERE, "embed", {"n": 1}, receipt=receipt)
    assert (again.id, again.state) == (first.id, JobState.RUNNING)
    assert backend.jobs.claim(["embed"], lease_ms=LEASE_MS) is None
    with pytest.raises(IdempotencyConflict):
        backend.jobs.enqueue(HERE, "embed", {"n": 2}, receipt=Receipt(key="k", request_sha256="b" * 64))
    assert backend.jobs.enqueue(THERE, "embed", {"n": 1}, receipt=receipt).id != first.id
    clock.step(24 * 3600 * 1000)
    assert backend.jobs.enqueue(HERE, "embed", {"n": 1}, receipt=receipt).id != first.id


def test_the_oldest_job_of_the_kinds_is_claimed_first(backend: Backend, clock: SteppingClock) -> None:
    jobs = []
    for number, kind in enumerate(("embed", "extract", "embed", "other")):
        jobs.append(backend.jobs.enqueue((HERE, FOREIGN)[number % 2], kind, {"n": number}))
        clock.step()
    claimed = [claim(backend, "embed", "extract") for _ in range(3)]
    assert [job.id for job in claimed] == [job.id for job in jobs[:3]]
    assert [job.payload["n"] for job in claimed] == [0, 1, 2]
    assert backend.jobs.claim(["embed", "extract"], lease_ms=LEASE_MS) is None
    assert backend.jobs.claim([], lease_ms=LEASE_MS) is None
    assert claim(backend, "other").scope == FOREIGN


def test_jobs_of_the_same_millisecond_keep_their_order(backend: Backend) -> None:
    jobs = [backend.jobs.enqueue(HERE, "embed", {"n": number}) for number in range(10)]
    assert [claim(backend).id for _ in jobs] == [job.id for job in jobs]


def test_a_claimed_job_is_running_and_nobody_elses(backend: Backend, clock: SteppingClock) -> None:
    job = backend.jobs.enqueue(HERE, "embed", {})
    now_ms = clock.step()
    claimed = claim(backend)
    assert (claimed.id, claimed.state, claimed.attempts, claimed.updated_ms) == (job.id, JobState.RUNNING, 1, now_ms)
    assert backend.jobs.find(HERE, job.id) == replace(claimed, token="")
    clock.step(LEASE_MS - 1)
    assert backend.jobs.claim(["embed"], lease_ms=LEASE_MS) is None


def test_a_job_whose_lease_ran_out_is_claimed_again(backend: Backend, clock: SteppingClock) -> None:
    job = backend.jobs.enqueue(HERE, "embed", {"n": 1})
    claim(backend)
    clock.step(LEASE_MS + 1)
    again = claim(backend)
    assert (again.id, again.attempts, again.payload) == (job.id, 2, {"n": 1})
    assert backend.jobs.claim(["embed"], lease_ms=LEASE_MS) is None


def test_a_job_that_is_done_is_kept_with_its_result(backend: Backend, clock: SteppingClock) -> None:
    backend.jobs.enqueue(HERE, "embed", {})
    job = claim(backend)
    now_ms = clock.step(LEASE_MS + 1)
    backend.jobs.finish(job.id, job.token, JobState.DONE, result={"added": [1, "二"]})
    done = backend.jobs.find(HERE, job.id)
    assert (done.state, done.result, done.error, done.updated_ms) == (JobState.DONE, {"added": [1, "二"]}, "", now_ms)
    assert backend.jobs.claim(["embed"], lease_ms=LEASE_MS) is None


def test_a_job_that_failed_keeps_its_error(backend: Backend, clock: SteppingClock) -> None:
    backend.jobs.enqueue(HERE, "embed", {"n": 1})
    job = claim(backend)
    backend.jobs.finish(job.id, job.token, JobState.FAILED, error="no space left")
    clock.step(10 * LEASE_MS)
    failed = backend.jobs.find(HERE, job.id)
    assert (failed.state, failed.error, failed.payload) == (JobState.FAILED, "no space left", {"n": 1})
    assert backend.jobs.claim(["embed"], lease_ms=LEASE_MS) is None


def test_a_job_can_be_put_back(backend: Backend) -> None:
    backend.jobs.enqueue(HERE, "embed", {})
    job = claim(backend)
    backend.jobs.finish(job.id, job.token, JobState.QUEUED, error="the model was away")
    back = backend.jobs.find(HERE, job.id)
    assert (back.state, back.error, back.attempts) == (JobState.QUEUED, "the model was away", 1)
    assert (claim(backend).id, backend.jobs.find(HERE, job.id).attempts) == (job.id, 2)


def test_a_job_that_is_missing_cannot_be_finished(backend: Backend) -> None:
    with pytest.raises(NotFound):
        backend.jobs.finish(NO_ID, "0" * 32, JobState.DONE)
    with pytest.raises(NotFound):
        backend.jobs.renew(NO_ID, "0" * 32, lease_ms=LEASE_MS)


def test_a_renewed_claim_outlasts_its_first_lease(backend: Backend, clock: SteppingClock) -> None:
    backend.jobs.enqueue(HERE, "embed", {})
    job = claim(backend)
    for _ in range(3):
        clock.step(LEASE_MS - 1)
        backend.jobs.renew(job.id, job.token, lease_ms=LEASE_MS)
        assert backend.jobs.claim(["embed"], lease_ms=LEASE_MS) is None
    clock.step(LEASE_MS)
    assert claim(backend).id == job.id, "a worker that is dead renews nothing"


def test_a_worker_that_lost_its_job_can_neither_renew_nor_finish_it(backend: Backend, clock: SteppingClock) -> None:
    backend.jobs.enqueue(HERE, "embed", {})
    slow = claim(backend)
    clock.step(LEASE_MS)
    quick = claim(backend)
    assert slow.id == quick.id
    assert slow.token and quick.token and slow.token != quick.token
    for token in (slow.token, "", "0" * 32):
        with pytest.raises(VersionConflict, match="another has it"):
            backend.jobs.finish(slow.id, token, JobState.FAILED, error="late")
        with pytest.raises(VersionConflict):
            backend.jobs.renew(slow.id, token, lease_ms=10 * LEASE_MS)
    assert backend.jobs.find(HERE, slow.id) == replace(quick, token="")
    backend.jobs.finish(quick.id, quick.token, JobState.DONE)
    with pytest.raises(VersionConflict, match="it is finished"):
        backend.jobs.finish(quick.id, quick.token, JobState.QUEUED)
    assert backend.jobs.find(HERE, quick.id).state is JobState.DONE


def test_a_job_is_not_finished_as_running(backend: Backend) -> None:
    backend.jobs.enqueue(HERE, "embed", {})
    job = claim(backend)
    with pytest.raises(InvalidRequest):
        backend.jobs.finish(job.id, job.token, JobState.RUNNING)
    backend.jobs.finish(job.id, job.token, JobState.DONE)


def test_a_job_that_is_not_due_waits(backend: Backend, clock: SteppingClock) -> None:
    due_ms = clock.now_ms() + 5000
    later = backend.jobs.enqueue(HERE, "embed", {}, not_before_ms=due_ms)
    assert later.not_before_ms == due_ms
    at_once = backend.jobs.enqueue(HERE, "embed", {}, not_before_ms=clock.now_ms())
    assert claim(backend).id == at_once.id
    clock.step(4999)
    assert backend.jobs.claim(["embed"], lease_ms=LEASE_MS) is None
    clock.step(1)
    assert claim(backend).id == later.id


def test_a_job_that_is_put_back_may_wait(backend: Backend, clock: SteppingClock) -> None:
    backend.jobs.enqueue(HERE, "embed", {})
    job = claim(backend)
    due_ms = clock.now_ms() + 2 * LEASE_MS
    backend.jobs.finish(job.id, job.token, JobState.QUEUED, error="away", not_before_ms=due_ms)
    assert backend.jobs.find(HERE, job.id).not_before_ms == due_ms
    clock.step(2 * LEASE_MS - 1)
    assert backend.jobs.claim(["embed"], lease_ms=LEASE_MS) is None
    clock.step(1)
    again = claim(backend)
    assert (again.id, again.attempts) == (job.id, 2)
    backend.jobs.finish(again.id, again.token, JobState.QUEUED)
    assert claim(backend).id == job.id, "without a time it is due at once"


def test_a_payload_that_json_cannot_say_is_refused(backend: Backend) -> None:
    with pytest.raises(InvalidRequest):
        backend.jobs.enqueue(HERE, "embed", {"x": float("nan")})
    assert backend.jobs.claim(["embed"], lease_ms=LEASE_MS) is None

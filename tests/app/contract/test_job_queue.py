"""The job queue."""

import pytest

from app.backends.clock import SteppingClock
from app.domain.job import Job, JobState
from app.domain.memory import JsonObject
from app.errors import InvalidRequest, NotFound
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
    assert backend.jobs.find(HERE, job.id) == claimed
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
    job = backend.jobs.enqueue(HERE, "embed", {})
    claim(backend)
    now_ms = clock.step(LEASE_MS + 1)
    backend.jobs.finish(job.id, JobState.DONE, result={"added": [1, "二"]})
    done = backend.jobs.find(HERE, job.id)
    assert (done.state, done.result, done.error, done.updated_ms) == (JobState.DONE, {"added": [1, "二"]}, "", now_ms)
    assert backend.jobs.claim(["embed"], lease_ms=LEASE_MS) is None


def test_a_job_that_failed_keeps_its_error(backend: Backend, clock: SteppingClock) -> None:
    job = backend.jobs.enqueue(HERE, "embed", {"n": 1})
    claim(backend)
    backend.jobs.finish(job.id, JobState.FAILED, error="no space left")
    clock.step(10 * LEASE_MS)
    failed = backend.jobs.find(HERE, job.id)
    assert (failed.state, failed.error, failed.payload) == (JobState.FAILED, "no space left", {"n": 1})
    assert backend.jobs.claim(["embed"], lease_ms=LEASE_MS) is None


def test_a_job_can_be_put_back(backend: Backend) -> None:
    job = backend.jobs.enqueue(HERE, "embed", {})
    claim(backend)
    backend.jobs.finish(job.id, JobState.QUEUED, error="the model was away")
    back = backend.jobs.find(HERE, job.id)
    assert (back.state, back.error, back.attempts) == (JobState.QUEUED, "the model was away", 1)
    assert (claim(backend).id, backend.jobs.find(HERE, job.id).attempts) == (job.id, 2)


def test_a_job_that_is_missing_cannot_be_finished(backend: Backend) -> None:
    with pytest.raises(NotFound):
        backend.jobs.finish(NO_ID, JobState.DONE)


def test_a_payload_that_json_cannot_say_is_refused(backend: Backend) -> None:
    with pytest.raises(InvalidRequest):
        backend.jobs.enqueue(HERE, "embed", {"x": float("nan")})
    assert backend.jobs.claim(["embed"], lease_ms=LEASE_MS) is None

"""The in-RAM job queue. Nothing here outlives the process, so a lease only guards against a worker that hangs."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

from app.backends.memory.state import KeptJob, State, keep_json
from app.domain.identifiers import make_uuid7
from app.domain.job import Job, JobState
from app.domain.memory import JsonObject, Scope
from app.errors import NotFound


class Jobs:
    """The `JobQueue` of the in-RAM backend."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._places = 0

    def enqueue(self, scope: Scope, kind: str, payload: JsonObject) -> Job:
        """Keep a job."""
        kept_payload = keep_json(payload)
        with self._state.lock:
            now_ms = self._state.clock.now_ms()
            job = Job(
                id=make_uuid7(now_ms),
                scope=scope,
                kind=kind,
                payload=kept_payload,
                state=JobState.QUEUED,
                created_ms=now_ms,
                updated_ms=now_ms,
            )
            self._places += 1
            self._state.jobs[job.id] = KeptJob(job=job, place=self._places)
            return _copied(job)

    def claim(self, kinds: Sequence[str], *, lease_ms: int) -> Job | None:
        """Take the oldest job that is queued or whose lease ran out."""
        with self._state.lock:
            now_ms = self._state.clock.now_ms()
            open_jobs = [
                kept for kept in self._state.jobs.values() if kept.job.kind in kinds and _is_open(kept, now_ms)
            ]
            if not open_jobs:
                return None
            kept = min(open_jobs, key=lambda kept: kept.place)
            job = replace(kept.job, state=JobState.RUNNING, updated_ms=now_ms, attempts=kept.job.attempts + 1)
            self._state.jobs[job.id] = replace(kept, job=job, lease_until_ms=now_ms + lease_ms)
            return _copied(job)

    def finish(self, job_id: str, state: JobState, *, result: JsonObject | None = None, error: str = "") -> None:
        """Say what became of a job; `NotFound` if its workspace was deleted meanwhile."""
        kept_result = None if result is None else keep_json(result)
        with self._state.lock:
            kept = self._state.jobs.get(job_id)
            if kept is None:
                raise NotFound(f"there is no job {job_id}")
            job = replace(kept.job, state=state, updated_ms=self._state.clock.now_ms(), result=kept_result, error=error)
            self._state.jobs[job_id] = replace(kept, job=job)

    def find(self, scope: Scope, job_id: str) -> Job:
        """A job of a workspace, or `NotFound`."""
        with self._state.lock:
            kept = self._state.jobs.get(job_id)
            if kept is None or kept.job.scope != scope:
                raise NotFound(f"there is no job {job_id} in workspace {scope.workspace_id}")
            return _copied(kept.job)


def _is_open(kept: KeptJob, now_ms: int) -> bool:
    if kept.job.state is JobState.RUNNING:
        return kept.lease_until_ms <= now_ms
    return kept.job.state is JobState.QUEUED


def _copied(job: Job) -> Job:
    return replace(job, payload=deepcopy(job.payload), result=deepcopy(job.result))

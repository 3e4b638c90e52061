"""The in-RAM job queue. Nothing here outlives the process, so a lease only guards against a worker that hangs."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from uuid import uuid4

from app.backends.memory.memories import RECEIPT_LIFE_MS
from app.backends.memory.state import KeptJob, State, keep_json
from app.domain.change import Receipt
from app.domain.identifiers import make_uuid7
from app.domain.job import CLAIM_LOST, Job, JobState, check_outcome
from app.domain.memory import JsonObject, Scope
from app.errors import IdempotencyConflict, NotFound, VersionConflict


class Jobs:
    """The `JobQueue` of the in-RAM backend."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._places = 0
        self._repeats: dict[tuple[Scope, str], tuple[str, str, int]] = {}

    def enqueue(
        self,
        scope: Scope,
        kind: str,
        payload: JsonObject,
        *,
        not_before_ms: int | None = None,
        receipt: Receipt | None = None,
    ) -> Job:
        """Keep a job."""
        kept_payload = keep_json(payload)
        with self._state.lock:
            now_ms = self._state.clock.now_ms()
            if receipt is not None and (earlier := self._find_repeated(scope, receipt, now_ms)) is not None:
                return _copied(earlier)
            job = Job(
                id=make_uuid7(now_ms),
                scope=scope,
                kind=kind,
                payload=kept_payload,
                state=JobState.QUEUED,
                created_ms=now_ms,
                updated_ms=now_ms,
                not_before_ms=not_before_ms,
            )
            self._places += 1
            self._state.jobs[job.id] = KeptJob(job=job, place=self._places)
            if receipt is not None:
                self._repeats[scope, receipt.key] = (receipt.request_sha256, job.id, now_ms)
            return _copied(job)

    def _find_repeated(self, scope: Scope, receipt: Receipt, now_ms: int) -> Job | None:
        oldest_ms = now_ms - RECEIPT_LIFE_MS
        self._repeats = {key: kept for key, kept in self._repeats.items() if kept[2] > oldest_ms}
        sha256, job_id, _ = self._repeats.get((scope, receipt.key), ("", "", 0))
        kept = self._state.jobs.get(job_id)
        if kept is not None and sha256 != receipt.request_sha256:
            raise IdempotencyConflict
        return None if kept is None else kept.job

    def claim(self, kinds: Sequence[str], *, lease_ms: int) -> Job | None:
        """Take the oldest job that is queued and due, or whose lease ran out."""
        with self._state.lock:
            now_ms = self._state.clock.now_ms()
            open_jobs = [
                kept for kept in self._state.jobs.values() if kept.job.kind in kinds and _is_open(kept, now_ms)
            ]
            if not open_jobs:
                return None
            kept = min(open_jobs, key=lambda kept: kept.place)
            job = replace(
                kept.job,
                state=JobState.RUNNING,
                updated_ms=now_ms,
                attempts=kept.job.attempts + 1,
                token=uuid4().hex,
            )
            self._state.jobs[job.id] = replace(kept, job=job, lease_until_ms=now_ms + lease_ms)
            return _copied(job)

    def renew(self, job_id: str, token: str, *, lease_ms: int) -> None:
        """Let a claim last for `lease_ms` from now."""
        with self._state.lock:
            kept = self._claimed(job_id, token)
            self._state.jobs[job_id] = replace(kept, lease_until_ms=self._state.clock.now_ms() + lease_ms)

    def finish(
        self,
        job_id: str,
        token: str,
        state: JobState,
        *,
        result: JsonObject | None = None,
        error: str = "",
        not_before_ms: int | None = None,
    ) -> None:
        """Say what became of a claimed job."""
        check_outcome(state)
        kept_result = None if result is None else keep_json(result)
        with self._state.lock:
            kept = self._claimed(job_id, token)
            job = replace(
                kept.job,
                state=state,
                updated_ms=self._state.clock.now_ms(),
                result=kept_result,
                error=error,
                not_before_ms=not_before_ms if state is JobState.QUEUED else None,
                token="",
            )
            self._state.jobs[job_id] = replace(kept, job=job)

    def _claimed(self, job_id: str, token: str) -> KeptJob:
        kept = self._state.jobs.get(job_id)
        if kept is None:
            raise NotFound(f"there is no job {job_id}")
        if not token or kept.job.token != token:
            raise VersionConflict(CLAIM_LOST.format(job_id=job_id))
        return kept

    def find(self, scope: Scope, job_id: str) -> Job:
        """A job of a workspace, or `NotFound`."""
        with self._state.lock:
            kept = self._state.jobs.get(job_id)
            if kept is None or kept.job.scope != scope:
                raise NotFound(f"there is no job {job_id} in workspace {scope.workspace_id}")
            return replace(_copied(kept.job), token="")


def _is_open(kept: KeptJob, now_ms: int) -> bool:
    if kept.job.state is JobState.RUNNING:
        return kept.lease_until_ms <= now_ms
    return kept.job.state is JobState.QUEUED and (kept.job.not_before_ms or now_ms) <= now_ms


def _copied(job: Job) -> Job:
    return replace(job, payload=deepcopy(job.payload), result=deepcopy(job.result))

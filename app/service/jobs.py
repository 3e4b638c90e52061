"""Work that is accepted now and done later, with the rights of whoever asked for it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256

from app.domain.access import Permission, Principal
from app.domain.change import Committed, Receipt
from app.domain.job import Job, JobState
from app.domain.memory import JsonObject
from app.errors import InvalidRequest, MemoryServiceError, NotFound
from app.ports import JobQueue
from app.service.authorisation import authorise
from app.service.conversations import Conversations, Remembered
from app.service.limits import check_drafts
from app.service.memories import Memories
from app.service.payloads import read_drafts, read_principal, read_trajectories, write_principal

ATTEMPTS = 3
"""How often a job is tried before it counts as failed."""
LEASE_MS = 300_000
"""After so long a job that is not finished goes to another worker: its own has died, or is taken for dead."""


class Jobs:
    """Takes jobs in and works them off; several processes may do so at once.

    A job that runs twice, since its worker died after the work and before saying so, changes nothing the second
    time: it writes under a receipt of its own.
    """

    def __init__(self, *, queue: JobQueue, memories: Memories, conversations: Conversations) -> None:
        self._queue = queue
        self._memories = memories
        self._conversations = conversations
        self._handlers: Mapping[str, Callable[[Principal, Job], JsonObject]] = {
            "add": self._add,
            "remember_personal": self._remember_personal,
            "remember_tasks": self._remember_tasks,
        }

    def submit(self, principal: Principal, workspace_id: str, kind: str, payload: JsonObject) -> Job:
        """Accept a job; it is durable when this returns. Needs memory:write.

        Kinds and payloads: "add" `{"drafts": [...]}`, "remember_personal" `{"trajectories": [...], "user_id": ""}`,
        "remember_tasks" `{"trajectories": [...]}`. Raises `InvalidRequest` for another kind or a malformed payload.
        """
        scope = authorise(principal, Permission.MEMORY_WRITE, workspace_id)
        if kind == "add":
            check_drafts(read_drafts(payload))
        elif kind in self._handlers:
            read_trajectories(payload)
        else:
            raise InvalidRequest(f"a job of kind {kind[:40]!r} is not known: give one of {', '.join(self._handlers)}")
        job = self._queue.enqueue(scope, kind, {"principal": write_principal(principal), "request": payload})
        return _shown(job)

    def find(self, principal: Principal, workspace_id: str, job_id: str) -> Job:
        """A job of a workspace, with the payload that was handed in, or `NotFound`. Needs memory:read."""
        return _shown(self._queue.find(authorise(principal, Permission.MEMORY_READ, workspace_id), job_id))

    def work(self, *, limit: int = 100) -> int:
        """Do up to `limit` queued jobs and return how many were tried.

        A job that fails goes back to the queue when this round ends, so that the next round tries it again, and
        ends as `FAILED` with the reason after the third time.
        """
        tried = 0
        back: list[tuple[str, str]] = []
        while tried < limit:
            job = self._queue.claim(tuple(self._handlers), lease_ms=LEASE_MS)
            if job is None:
                break
            tried += 1
            error = self._run(job)
            if error and job.attempts < ATTEMPTS:
                back.append((job.id, error))
            elif error:
                self._finish(job.id, JobState.FAILED, error=error)
        for job_id, error in back:
            self._finish(job_id, JobState.QUEUED, error=error)
        return tried

    def _run(self, job: Job) -> str:
        """Do a job and return why it failed; empty if it did not."""
        if job.attempts > ATTEMPTS:
            return f"its worker died or took more than {LEASE_MS // 60_000} minutes {ATTEMPTS} times"
        try:
            result = self._handlers[job.kind](read_principal(job.payload["principal"]), job)
        except MemoryServiceError as error:
            return error.message
        except Exception as error:
            # The text of an unforeseen error may hold what a memory says; its name does not.
            return f"internal error: {type(error).__name__}"
        self._finish(job.id, JobState.DONE, result=result)
        return ""

    def _finish(self, job_id: str, state: JobState, *, result: JsonObject | None = None, error: str = "") -> None:
        try:
            self._queue.finish(job_id, state, result=result, error=error)
        except NotFound:
            return  # its workspace was deleted meanwhile, and the job with it

    def _add(self, principal: Principal, job: Job) -> JsonObject:
        committed = self._memories.add(
            principal, job.scope.workspace_id, read_drafts(_request(job)), receipt=_receipt(job)
        )
        return _added(committed)

    def _remember_personal(self, principal: Principal, job: Job) -> JsonObject:
        trajectories, user_id = read_trajectories(_request(job))
        return _remembered(
            self._conversations.remember_personal(
                principal, job.scope.workspace_id, trajectories, user_id=user_id, receipt=_receipt(job)
            )
        )

    def _remember_tasks(self, principal: Principal, job: Job) -> JsonObject:
        trajectories, _ = read_trajectories(_request(job))
        return _remembered(
            self._conversations.remember_tasks(principal, job.scope.workspace_id, trajectories, receipt=_receipt(job))
        )


def _request(job: Job) -> JsonObject:
    request = job.payload["request"]
    if not isinstance(request, Mapping):
        raise InvalidRequest(f"job {job.id} has no request: it was not made by this service")
    return request


def _shown(job: Job) -> Job:
    """The job as its owner sees it: without the principal, who may be another."""
    return replace(job, payload=_request(job))


def _receipt(job: Job) -> Receipt:
    return Receipt(key=f"job:{job.id}", request_sha256=sha256(job.id.encode()).hexdigest())


def _added(committed: Committed) -> JsonObject:
    return {
        "memory_ids": [outcome.memory_id for outcome in committed.outcomes],
        "states": {state.value: count for state, count in committed.states.items()},
    }


def _remembered(remembered: Remembered) -> JsonObject:
    return {
        "memory_ids": [memory.id for memory in remembered.memories],
        "raw_ids": list(remembered.raw_ids),
        "inserted": remembered.inserted,
        "superseded_ids": list(remembered.superseded_ids),
        "extractor": remembered.extractor,
    }

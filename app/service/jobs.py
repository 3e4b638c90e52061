"""Work that is accepted now and done later, with the rights of whoever asked for it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from itertools import chain

from app.domain.access import Permission, Principal
from app.domain.change import Committed, Receipt
from app.domain.job import Job, JobState
from app.domain.memory import JsonObject
from app.errors import InvalidRequest, MemoryServiceError, NotFound, VersionConflict
from app.ports import JobQueue
from app.service.authorisation import authorise
from app.service.backlog import FILL, VectorBacklog
from app.service.conversations import Conversations, Remembered
from app.service.deferral import DISTIL
from app.service.deferred import DeferredDistillation
from app.service.leases import Leases
from app.service.limits import check_drafts
from app.service.memories import Memories
from app.service.moderation import Moderation, check_passages, passages_of, passages_of_turns
from app.service.payloads import read_drafts, read_principal, read_trajectories, write_principal
from app.service.turns import read_turns

ATTEMPTS = 3
"""How often a job is tried before it counts as failed."""
LEASE_MS = 30_000
"""So long after its worker's last sign of life a job goes to another. A worker renews its lease while it works."""
LONGEST_MS = 300_000
"""After so long a lease is renewed no more: the worker is taken to hang."""


class Jobs:
    """Takes jobs in and works them off; several processes may do so at once.

    A job that runs twice, since its worker died after the work and before saying so, changes nothing the second
    time: it writes under a receipt of its own. `moderation` judges what a job holds when it is handed in.
    """

    def __init__(
        self,
        *,
        queue: JobQueue,
        memories: Memories,
        conversations: Conversations,
        backlog: VectorBacklog | None = None,
        deferred: DeferredDistillation | None = None,
        moderation: Moderation | None = None,
    ) -> None:
        self._moderation = moderation
        self._queue = queue
        self._backlogs = {kind: each for kind, each in ((FILL, backlog), (DISTIL, deferred)) if each is not None}
        self._memories = memories
        self._conversations = conversations
        self._handlers: Mapping[str, Callable[[Principal, Job], JsonObject]] = {
            "add": self._add,
            "remember_personal": self._remember_personal,
            "remember_tasks": self._remember_tasks,
        }

    def submit(
        self,
        principal: Principal,
        workspace_id: str,
        kind: str,
        payload: JsonObject,
        *,
        receipt: Receipt | None = None,
    ) -> Job:
        """Accept a job; it is durable when this returns. Needs memory:write.

        A receipt that was used before gives its first job again, or `IdempotencyConflict` for another request.

        Kinds and payloads: "add" `{"drafts": [...]}`, "remember_personal" `{"trajectories": [...], "user_id": ""}`,
        "remember_tasks" `{"trajectories": [...]}`. Raises `InvalidRequest` for another kind or a malformed payload, and
        `ContentRefused` or `ModerationUnavailable` as the work itself would.
        """
        scope = authorise(principal, Permission.MEMORY_WRITE, workspace_id)
        if kind == "add":
            check_passages(self._moderation, principal, scope, passages_of(check_drafts(read_drafts(payload))))
        elif kind in self._handlers:
            trajectories, _ = read_trajectories(payload)
            with_tools = kind == "remember_tasks"
            turns = [read_turns(trajectory, with_tools=with_tools) for trajectory in trajectories]
            check_passages(self._moderation, principal, scope, passages_of_turns(turns))
        else:
            raise InvalidRequest(f"a job of kind {kind[:40]!r} is not known: give one of {', '.join(self._handlers)}")
        kept = {"principal": write_principal(principal), "request": payload}
        job = self._queue.enqueue(scope, kind, kept, receipt=receipt)
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
        back: list[tuple[Job, str]] = []
        with Leases(self._queue, lease_ms=LEASE_MS, longest_s=LONGEST_MS / 1000) as leases:
            while tried < limit:
                job = self._queue.claim(self._kinds, lease_ms=LEASE_MS)
                if job is None:
                    break
                leases.hold(job)
                tried += 1
                if job.kind in self._backlogs:
                    self._catch_up(job)
                    leases.drop(job.id)
                    continue
                error = self._run(job)
                if error and job.attempts < ATTEMPTS:
                    back.append((job, error))
                    continue
                leases.drop(job.id)
                if error:
                    self._finish(job, JobState.FAILED, error=error)
            for job, error in back:
                self._finish(job, JobState.QUEUED, error=error)
        return tried

    @property
    def _kinds(self) -> tuple[str, ...]:
        return (*self._handlers, *chain.from_iterable(backlog.kinds for backlog in self._backlogs.values()))

    def _catch_up(self, job: Job) -> None:
        """Do what a model could not do: what fails waits in the queue for as long as it takes."""
        done = self._backlogs[job.kind].work(job)
        self._finish(job, done.state, result=done.result, error=done.error, not_before_ms=done.not_before_ms)

    def _run(self, job: Job) -> str:
        """Do a job and return why it failed; empty if it did not."""
        if job.attempts > ATTEMPTS:
            return f"its worker died or took more than {LONGEST_MS // 60_000} minutes {ATTEMPTS} times"
        try:
            result = self._handlers[job.kind](read_principal(job.payload["principal"]), job)
        except MemoryServiceError as error:
            return error.message
        except Exception as error:
            # The text of an unforeseen error may hold what a memory says; its name does not.
            return f"internal error: {type(error).__name__}"
        self._finish(job, JobState.DONE, result=result)
        return ""

    def _finish(
        self,
        job: Job,
        state: JobState,
        *,
        result: JsonObject | None = None,
        error: str = "",
        not_before_ms: int | None = None,
    ) -> None:
        try:
            self._queue.finish(job.id, job.token, state, result=result, error=error, not_before_ms=not_before_ms)
        except (NotFound, VersionConflict):
            return  # its workspace was deleted meanwhile, and the job with it; or another worker has it

    def _add(self, principal: Principal, job: Job) -> JsonObject:
        committed = self._memories.add(
            principal, job.scope.workspace_id, read_drafts(_request(job)), receipt=_receipt(job), judged=True
        )
        return _added(committed)

    def _remember_personal(self, principal: Principal, job: Job) -> JsonObject:
        trajectories, user_id = read_trajectories(_request(job))
        return _remembered(
            self._conversations.remember_personal(
                principal, job.scope.workspace_id, trajectories, user_id=user_id, receipt=_receipt(job), judged=True
            )
        )

    def _remember_tasks(self, principal: Principal, job: Job) -> JsonObject:
        trajectories, _ = read_trajectories(_request(job))
        return _remembered(
            self._conversations.remember_tasks(
                principal, job.scope.workspace_id, trajectories, receipt=_receipt(job), judged=True
            )
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
        **({"skipped": remembered.skipped} if remembered.skipped else {}),
    }

"""Work that was accepted and is done later: acknowledged only once it is durable."""

from dataclasses import dataclass, field
from enum import StrEnum

from app.domain.memory import JsonObject, Scope
from app.errors import InvalidRequest

CLAIM_LOST = "job {job_id} is not claimed by this worker any more: another has it, or it is finished; drop this outcome"
"""The message of the `VersionConflict` that a worker gets whose claim has ended."""


class JobState(StrEnum):
    """Where a job stands. A failed job keeps its error; nothing is dropped."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A durable piece of work: its kind names the handler, its payload is what the handler needs.

    `not_before_ms` is the earliest time to start it, None for at once. `token` stands for a claim; only the worker
    that claimed the job is given it.
    """

    id: str
    scope: Scope
    kind: str
    payload: JsonObject
    state: JobState
    created_ms: int
    updated_ms: int
    attempts: int = 0
    result: JsonObject | None = None
    error: str = ""
    not_before_ms: int | None = None
    token: str = field(default="", repr=False)


def check_outcome(state: JobState) -> None:
    """Raise `InvalidRequest` for a state that a job cannot be left in."""
    if state is JobState.RUNNING:
        raise InvalidRequest("a job cannot be finished as running: renew its claim, or finish it as another state")

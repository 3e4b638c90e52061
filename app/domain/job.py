"""Work that was accepted and is done later: acknowledged only once it is durable."""

from dataclasses import dataclass
from enum import StrEnum

from app.domain.memory import JsonObject, Scope


class JobState(StrEnum):
    """Where a job stands. A failed job keeps its error; nothing is dropped."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A durable piece of work: its kind names the handler, its payload is what the handler needs."""

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

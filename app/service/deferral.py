"""Deferral: what a model could not do now is a durable job for later."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from app.domain.access import Principal
from app.domain.change import Receipt
from app.domain.conversation import LENGTH, SPEND_CAP
from app.domain.memory import Json, JsonObject, MemoryKind, Scope
from app.errors import InvalidRequest
from app.ports import Clock, JobQueue
from app.service.payloads import write_principal

DISTIL = "distil"
"""The kind of the job."""
DELAYS_MS = (60_000, 300_000, 1_800_000, 7_200_000, 21_600_000)
"""1, 5 and 30 minutes, 2 hours, then every 6: an outage of a provider lasts minutes or hours, a wrong key days."""
SPREAD_MS = 600_000
"""What waits for a new day comes within its first 10 minutes, not all at once."""
TRIES = 100
"""24 days at least. What was said stays, and what rules made of it; only its distillation by a model is given up."""
MS_PER_DAY = 86_400_000


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredRun:
    """The turns of a conversation by the ids of their raw memories, and how well it went, if that was judged."""

    raw_ids: tuple[str, ...]
    score: float | None = None
    task_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class DistilRequest:
    """What is to be distilled: runs that an extractor is shown together."""

    kind: MemoryKind
    user_id: str
    runs: tuple[StoredRun, ...]

    def write(self) -> JsonObject:
        """The request as a job's payload has it."""
        runs: list[Json] = [
            {"raw_ids": list(run.raw_ids), "score": run.score, "task_id": run.task_id} for run in self.runs
        ]
        return {"kind": self.kind.value, "user_id": self.user_id, "runs": runs}


def read_request(payload: object) -> DistilRequest:
    """The request of a payload; raises `InvalidRequest` for one that this service did not make."""
    match payload:
        case {"kind": "personal" | "task" as kind, "user_id": str(user_id), "runs": list() | tuple() as runs}:
            return DistilRequest(kind=MemoryKind(kind), user_id=user_id, runs=tuple(_read_run(run) for run in runs))
    raise InvalidRequest("the job names no turns to distil: it was not made by this service")


class Deferral:
    """Puts off the distillation of stored turns."""

    def __init__(self, *, queue: JobQueue, clock: Clock) -> None:
        self._queue = queue
        self._clock = clock

    def defer(self, principal: Principal, scope: Scope, request: DistilRequest, skipped: str) -> None:
        """Let a job distil these turns later, with the rights of the principal; durable when this returns."""
        payload: JsonObject = {"principal": write_principal(principal), "request": request.write()}
        key = fingerprint(request)
        self._queue.enqueue(
            scope,
            DISTIL,
            payload,
            not_before_ms=self.next_ms(skipped, tries=1, key=key),
            # Whoever asked with this principal: another may ask for the same turns, and both jobs do it once.
            receipt=Receipt(key=f"{DISTIL} {principal.key_id} {key}", request_sha256=key),
        )

    def next_ms(self, skipped: str, *, tries: int, key: str) -> int:
        """When to try again what was skipped for a reason: when the next day begins (UTC) where money ran out.

        A month's budget is asked for each day too, which costs nothing. `key` spreads what waits for the same moment.
        """
        now_ms = self._clock.now_ms()
        if skipped == LENGTH:
            return now_ms
        if skipped == SPEND_CAP:
            spread = int(sha256(key.encode()).hexdigest()[:8], 16) % SPREAD_MS
            return now_ms - now_ms % MS_PER_DAY + MS_PER_DAY + spread
        return now_ms + DELAYS_MS[min(max(tries, 1), len(DELAYS_MS)) - 1]


def fingerprint(request: DistilRequest) -> str:
    """The SHA-256 (hex) of turns and their score: another judgement is another distillation."""
    return sha256(json.dumps(request.write(), sort_keys=True, default=str).encode()).hexdigest()


def _read_run(run: object) -> StoredRun:
    listed: Sequence[object] = ()
    score: object = None
    task_id: object = ""
    if isinstance(run, Mapping):
        listed, score, task_id = run.get("raw_ids", ()), run.get("score"), run.get("task_id", "")
    return StoredRun(
        raw_ids=tuple(str(each) for each in listed) if isinstance(listed, list | tuple) else (),
        score=float(score) if isinstance(score, int | float) else None,
        task_id=str(task_id),
    )

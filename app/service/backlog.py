"""Vectors that are missing because a model failed: written down as work, and made later."""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock
from time import monotonic
from typing import Protocol

from app.domain.change import Receipt
from app.domain.embedding import Lacking
from app.domain.job import Job, JobState
from app.domain.memory import JsonObject, Scope
from app.domain.spending import charging
from app.errors import MalformedAnswer, MemoryServiceError, ModelError, ModelRefused, NotFound, SpendCapReached
from app.ports import Clock, Embedder, JobQueue, Meter, VectorSpaces
from app.service.metering import payer_of, record_of

FILL = "fill_vectors"
"""The kind of job that makes the vectors that a workspace lacks."""
MINUTE_MS = 60_000
WAITS_MS = tuple(minutes * MINUTE_MS for minutes in (1, 5, 30, 120, 360))
"""How long a job waits after its first failure, its second and so on; the last stays, and it is never given up."""
PORTION = 64
"""Texts that are embedded and kept at once: what a process that dies has to do again."""
LONGEST_S = 60.0
"""After so long a job ends and another goes on, so that other work has its turn and no claim runs out."""
REFUSALS = 3
"""Texts in a row that a provider refuses alone, before it is taken to refuse all."""
SCOPES = 1_000
"""Workspaces whose latest job a process remembers; of another it asks the queue."""

log = logging.getLogger("reme.backlog")


class Backlog(Protocol):
    """Whoever sees to vectors that could not be made."""

    def note(self, scope: Scope) -> None:
        """Have the missing vectors of a workspace made later; never fails."""
        ...


class _NoBacklog:
    def note(self, scope: Scope) -> None:
        """Nobody makes them."""


NO_BACKLOG: Backlog = _NoBacklog()


@dataclass(frozen=True, kw_only=True, slots=True)
class Filled:
    """How many vectors were made, why no more of them, and whether there was no time for the rest."""

    vectors: int
    failure: ModelError | None = None
    goes_on: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a job is finished as, in the terms of `JobQueue.finish`."""

    state: JobState
    result: JsonObject | None = None
    error: str = ""
    not_before_ms: int | None = None


class VectorBacklog:
    """Queues a job for each workspace that lacks vectors, and does it. Several processes may do so at once.

    A workspace has one such job in the queue, however often the model fails, as far as receipts reach (24 hours). What
    a process that died has not queued is found by `resume`. While the model fails for everybody, a process asks it
    for one workspace a minute.
    """

    def __init__(
        self, *, spaces: VectorSpaces, embedder: Embedder, queue: JobQueue, clock: Clock, meter: Meter
    ) -> None:
        self._spaces = spaces
        self._embedder = embedder
        self._queue = queue
        self._clock = clock
        self._meter = meter
        self._lock = Lock()
        self._latest: OrderedDict[Scope, str] = OrderedDict()
        self._rests_until_ms = 0

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of jobs to be claimed now: none for a minute after the model failed."""
        return () if self._clock.now_ms() < self._rests_until_ms else (FILL,)

    def note(self, scope: Scope) -> None:
        """Queue a job for a workspace, due in a minute, unless one is waiting. What cannot be queued is logged."""
        try:
            with self._lock:
                self._ensure(scope, due_ms=self._clock.now_ms() + MINUTE_MS)
        except MemoryServiceError as error:
            log.warning("missing vectors are made after the next start: %s", error.slug, extra={"operation": FILL})

    def resume(self) -> int:
        """Queue a job, due now, for each workspace that lacks vectors and has none; returns how many lack some."""
        found: set[Scope] = set()
        after = 0
        while lacking := self._spaces.lacking(PORTION, after=after):
            after = lacking[-1].number
            for scope in {each.scope for each in lacking} - found:
                found.add(scope)
                with self._lock:
                    self._ensure(scope, due_ms=None)
        return len(found)

    def work(self, job: Job) -> Outcome:
        """Do a job; it is done, or goes back to the queue and waits, longer each time."""
        made = 0
        try:
            filled = self.fill(job.scope)
            made = filled.vectors
            if filled.goes_on:
                with self._lock:
                    self._enqueue(job.scope, f"{FILL} {job.id}", due_ms=None)
            error = filled.failure.message if filled.failure is not None else ""
        except MemoryServiceError as failure:
            error = failure.message
        except Exception as failure:
            # The text of an unforeseen error may hold what a memory says; its name does not.
            error = f"internal error: {type(failure).__name__}"
        if not error:
            return Outcome(state=JobState.DONE, result={"vectors": made})
        due_ms = self._clock.now_ms() + _wait_ms(job.attempts, made=made)
        return Outcome(state=JobState.QUEUED, error=error, not_before_ms=due_ms)

    def fill(self, scope: Scope) -> Filled:
        """Make the vectors that a workspace lacks, and charge it. Raises a `StoreError`; what was made is kept."""
        until_s = monotonic() + LONGEST_S
        made, after = 0, 0
        refused: ModelError | None = None
        while lacking := self._spaces.lacking(PORTION, scope=scope, after=after):
            after = lacking[-1].number
            try:
                more, refusal = self._make_portion(scope, lacking)
            except ModelError as error:
                if not isinstance(error, SpendCapReached):  # a cap is the workspace's own
                    self._rests_until_ms = self._clock.now_ms() + MINUTE_MS
                return Filled(vectors=made, failure=error)
            made += more
            refused = refusal or refused
            if monotonic() >= until_s:
                return Filled(vectors=made, goes_on=bool(self._spaces.lacking(1, scope=scope, after=after)))
        return Filled(vectors=made, failure=refused)

    def _make_portion(self, scope: Scope, lacking: Sequence[Lacking]) -> tuple[int, ModelError | None]:
        """Make vectors together, or each alone where the provider refuses one of the texts; and the last refusal."""
        try:
            return self._make(scope, lacking), None
        except (ModelRefused, MalformedAnswer) as error:
            if len(lacking) == 1:
                return 0, error
        made = refusals = 0
        refusal: ModelError | None = None
        for each in lacking:
            try:
                made += self._make(scope, [each])
                refusals = 0
            except (ModelRefused, MalformedAnswer) as error:
                refusal = error
                refusals += 1
                if refusals == REFUSALS:
                    raise
        return made, refusal

    def _make(self, scope: Scope, lacking: Sequence[Lacking]) -> int:
        with charging(payer_of(scope, "add")):
            vectors = self._embedder.embed([each.text for each in lacking])
        model = self._embedder.identity.model
        self._meter.record([record_of(scope, "embed", now_ms=self._clock.now_ms(), items=len(lacking), model=model)])
        return self._spaces.fill([(each.number, vector) for each, vector in zip(lacking, vectors, strict=True)])

    def _ensure(self, scope: Scope, *, due_ms: int | None) -> None:
        """Queue a job unless one waits: one that is being done, or was, may have passed over the latest memories."""
        key = FILL
        known = self._latest.get(scope)
        if known is not None:
            try:
                if self._queue.find(scope, known).state is JobState.QUEUED:
                    return
                key = f"{FILL} {known}"
            except NotFound:  # the workspace was deleted, and the job with it
                key = FILL
        while (job := self._enqueue(scope, key, due_ms=due_ms)).state is not JobState.QUEUED:
            key = f"{FILL} {job.id}"

    def _enqueue(self, scope: Scope, key: str, *, due_ms: int | None) -> Job:
        receipt = Receipt(key=key, request_sha256=sha256(key.encode()).hexdigest())
        job = self._queue.enqueue(scope, FILL, {"request": {}}, not_before_ms=due_ms, receipt=receipt)
        self._latest[scope] = job.id
        self._latest.move_to_end(scope)
        if len(self._latest) > SCOPES:
            self._latest.popitem(last=False)
        return job


def _wait_ms(attempts: int, *, made: int) -> int:
    """How long a job waits that failed for the `attempts`-th time; one that made some vectors, as the first time."""
    return WAITS_MS[0 if made else min(max(attempts, 1), len(WAITS_MS)) - 1]

"""Work on deferred distillations: what a model could not do is done when it answers again."""

from collections.abc import Mapping

from app.domain.conversation import LENGTH, SPEND_CAP, UNAVAILABLE
from app.domain.job import Job, JobState
from app.errors import Forbidden, InvalidRequest, MemoryServiceError, NotFound
from app.ports import Clock
from app.service.backlog import Outcome
from app.service.deferral import DISTIL, TRIES, Deferral, read_request
from app.service.distillation import Distiller, Resumed
from app.service.payloads import read_principal

REST_MS = 60_000
"""After a model failed a process lets its other jobs wait so long: each would wait for the same deadline."""
_PER_WORKSPACE = frozenset({SPEND_CAP, LENGTH})


class DeferredDistillation:
    """Does the jobs that a `Deferral` queued. Several processes may do so at once."""

    def __init__(self, *, distiller: Distiller, deferral: Deferral, clock: Clock) -> None:
        self._distiller = distiller
        self._deferral = deferral
        self._clock = clock
        self._rests_until_ms = 0

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of jobs to be claimed now: none for a minute after the model failed."""
        return () if self._clock.now_ms() < self._rests_until_ms else (DISTIL,)

    def work(self, job: Job) -> Outcome:
        """Do a job; it is done, or goes back to the queue and waits, longer each time, 100 times at most."""
        try:
            resumed, error = self._resume(job), ""
        except (Forbidden, InvalidRequest, NotFound) as failure:
            return Outcome(state=JobState.FAILED, error=failure.message)
        except MemoryServiceError as failure:
            resumed, error = Resumed(skipped=UNAVAILABLE), failure.message
        except Exception as failure:
            # The text of an unforeseen error may hold what a memory says; its name does not.
            resumed, error = Resumed(skipped=UNAVAILABLE), f"internal error: {type(failure).__name__}"
        if not resumed.skipped:
            return Outcome(state=JobState.DONE, result={"memory_ids": list(resumed.memory_ids)})
        if not error and resumed.skipped not in _PER_WORKSPACE:
            self._rests_until_ms = self._clock.now_ms() + REST_MS
        error = error or f"no model distilled the turns: {resumed.skipped}"
        if job.attempts >= TRIES:
            return Outcome(state=JobState.FAILED, error=error)
        next_ms = self._deferral.next_ms(resumed.skipped, tries=job.attempts + 1, key=job.id)
        return Outcome(state=JobState.QUEUED, error=error, not_before_ms=next_ms)

    def _resume(self, job: Job) -> Resumed:
        request = job.payload.get("request")
        if not isinstance(request, Mapping):
            raise InvalidRequest(f"job {job.id} has no request: it was not made by this service")
        principal = read_principal(job.payload.get("principal"))
        return self._distiller.resume(principal, job.scope.workspace_id, read_request(request))

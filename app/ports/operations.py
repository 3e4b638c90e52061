"""The time, the work that waits, and the counts of what was done."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from app.domain.change import Receipt
from app.domain.job import Job, JobState
from app.domain.memory import JsonObject, Scope
from app.domain.usage import UsageRecord


class Clock(Protocol):
    """The time in UTC."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        ...


class JobQueue(Protocol):
    """Durable work, done by whichever process claims it."""

    def enqueue(
        self,
        scope: Scope,
        kind: str,
        payload: JsonObject,
        *,
        not_before_ms: int | None = None,
        receipt: Receipt | None = None,
    ) -> Job:
        """Keep a job; it is durable when this returns. Before `not_before_ms` nobody is given it.

        With a receipt that was used within 24 hours the job of that call is given again, as it now is;
        `IdempotencyConflict` where it was another request.
        """
        ...

    def claim(self, kinds: Sequence[str], *, lease_ms: int) -> Job | None:
        """Take the oldest job that is queued and due, or a running one whose lease ran out because its worker died.

        The job comes with the token of this claim; a later claim of the same job makes it worthless.
        """
        ...

    def renew(self, job_id: str, token: str, *, lease_ms: int) -> None:
        """Let a claim last for `lease_ms` from now, also where its lease ran out and nobody took the job.

        Raises `NotFound`, or `VersionConflict` where another worker has the job or it is finished.
        """
        ...

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
        """Say what became of a claimed job; `QUEUED` puts it back, to be claimed from `not_before_ms` on.

        Raises `NotFound`, or `VersionConflict` where another worker has the job or it is finished; then nothing
        changes. `InvalidRequest` for `RUNNING`.
        """
        ...

    def find(self, scope: Scope, job_id: str) -> Job:
        """A job of a workspace without the token of its claim, or `NotFound`."""
        ...


class Meter(Protocol):
    """Counts what was used."""

    def record(self, records: Iterable[UsageRecord]) -> None:
        """Add to the day's counts; buffered, so a crash may lose the last few seconds of counts."""
        ...

    def read(
        self, tenant_id: str, *, workspace_id: str | None = None, from_day: str = "", to_day: str = ""
    ) -> tuple[UsageRecord, ...]:
        """The counts of the days from `from_day` to `to_day`, both included, what is buffered here too."""
        ...

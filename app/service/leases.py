"""Keeps the claims of jobs alive while a worker is at them."""

from threading import Event, Lock, Thread
from time import monotonic
from types import TracebackType

from app.domain.job import Job
from app.errors import NotFound, StoreError, VersionConflict
from app.ports import JobQueue


class Leases:
    """A round of work: a thread renews the claims that are held, three times a lease, until the round ends.

    `lease_ms` is how long a claim outlives its worker; after `longest_s` seconds a claim is not renewed any more, so
    that a worker that hangs does not keep its job for ever. The thread starts with the first claim.
    """

    def __init__(self, queue: JobQueue, *, lease_ms: int, longest_s: float) -> None:
        self._queue, self._lease_ms, self._longest_s = queue, lease_ms, longest_s
        self._lock = Lock()
        self._held: dict[str, tuple[str, float]] = {}
        self._over = Event()
        self._thread: Thread | None = None

    def __enter__(self) -> "Leases":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def hold(self, job: Job) -> None:
        """Renew the claim of a job from now on."""
        with self._lock:
            self._held[job.id] = (job.token, monotonic() + self._longest_s)
        if self._thread is None:
            self._thread = Thread(target=self._run, name="leases", daemon=True)
            self._thread.start()

    def drop(self, job_id: str) -> None:
        """Renew the claim of a job no more."""
        with self._lock:
            self._held.pop(job_id, None)

    def _run(self) -> None:
        while not self._over.wait(self._lease_ms / 3000):
            with self._lock:
                held = list(self._held.items())
            for job_id, (token, until_s) in held:
                if monotonic() >= until_s:
                    self.drop(job_id)
                    continue
                try:
                    self._queue.renew(job_id, token, lease_ms=self._lease_ms)
                except (NotFound, VersionConflict):
                    self.drop(job_id)
                except StoreError:
                    continue  # busy or full: the lease outlasts two attempts that fail

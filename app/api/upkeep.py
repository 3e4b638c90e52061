"""Work that no request waits for: queued jobs, erasing what was deleted long ago, counts for the metrics."""

import logging
from collections.abc import Callable
from random import uniform
from threading import Event, Thread
from time import monotonic

from app.api.inventory import Inventory
from app.errors import MemoryServiceError
from app.ports import Clock
from app.service.suite import Services

POLL_S = 0.5
"""How long a job may wait that another process queued; one of this process starts at once."""
PURGE_EVERY_S = 3600.0
JOBS_AT_ONCE = 20
PATIENCE_S = 10.0
"""How long a shutdown waits for the job that is being done. A job that is cut off is done again by the next process."""
MS_PER_DAY = 86_400_000

log = logging.getLogger("reme.upkeep")


class Upkeep:
    """A thread that looks for work until it is stopped. Every process has one; the store keeps them apart."""

    def __init__(
        self,
        *,
        services: Services,
        inventory: Inventory,
        clock: Clock,
        purge_after_days: int,
        observe: Callable[[], None],
    ) -> None:
        self._services = services
        self._inventory = inventory
        self._clock = clock
        self._purge_after_ms = purge_after_days * MS_PER_DAY
        self._observe = observe
        self._wake = Event()
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Look for jobs now."""
        self._wake.set()

    def stop(self) -> None:
        """Let what is being done finish, and end."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(PATIENCE_S)

    def purge(self) -> int:
        """Erase the tombstones that are older than retention allows, in every workspace; returns how many."""
        before_ms = self._clock.now_ms() - self._purge_after_ms
        store = self._services.store.memories
        erased = 0
        for scope in self._inventory.scopes():
            if self._stopping.is_set():
                break
            # Past the services: retention is nobody's request, so it is not metered as anybody's use.
            if store.contents(scope).tombstones:
                erased += store.purge(scope, deleted_before_ms=before_ms)
        return erased

    def maintain_working(self) -> int:
        """Let offloaded texts age, and remove what interrupted requests left; returns how many were deleted."""
        done = self._services.working.maintain(self._clock.now_ms(), self._stopping.is_set)
        if done.damaged:
            log.error(
                "texts of %d offloads are missing or damaged: %s", len(done.damaged), ", ".join(done.damaged[:20])
            )
        return done.deleted + done.orphans

    def _run(self) -> None:
        # Workers that start together should not purge together.
        next_purge_s = monotonic() + uniform(0, PURGE_EVERY_S / 10)  # noqa: S311 - spreads load, hides nothing
        self._attempt("fill_vectors", self._services.backlog.resume)
        while not self._stopping.is_set():
            done = self._attempt("jobs", lambda: self._services.jobs.work(limit=JOBS_AT_ONCE))
            self._attempt("metrics", self._observe)
            if monotonic() >= next_purge_s:
                next_purge_s = monotonic() + PURGE_EVERY_S
                self._attempt("working memory", self.maintain_working)
                erased = self._attempt("purge", self.purge)
                if erased:
                    log.info("erased %d memories that were deleted long ago", erased, extra={"operation": "purge"})
            if not done:
                self._wake.wait(POLL_S)
                self._wake.clear()

    def _attempt(self, operation: str, work: Callable[[], int | None]) -> int:
        """Do a piece of work; a failure is logged and tried again the next time."""
        try:
            return work() or 0
        except MemoryServiceError as error:
            log.warning("%s: %s", error.slug, error.message, extra={"operation": operation, "status": "error"})
        except Exception:
            log.exception("unexpected failure", extra={"operation": operation, "status": "error"})
        return 0

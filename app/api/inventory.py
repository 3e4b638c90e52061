"""How much is in the store, for the metrics and the front page."""

from collections import Counter
from collections.abc import Callable, Iterator
from threading import Lock
from time import monotonic

from app.domain.access import DEFAULT_TENANT
from app.domain.memory import Scope
from app.ports.stores import Storage
from app.telemetry.metrics import StoreState

REMEMBER_S = 15.0
"""How long a count is kept; Prometheus asks every 15 to 60 seconds."""
PAGE = 500
MOST_WORKSPACES = 20_000
"""Counting stops here, since each workspace costs a look-up; a larger store shows the first ones of each tenant."""


class Inventory:
    """Counts the memories of all tenants. May be called from any thread.

    `index_state` tells how many memories a vector index beside the store was not told, and whether it is asked.
    """

    def __init__(
        self,
        store: Storage,
        *,
        file_bytes: Callable[[], int],
        index_state: Callable[[], tuple[int, bool]] | None = None,
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        self._store = store
        self._file_bytes = file_bytes
        self._index_state = index_state
        self._seconds = seconds
        self._lock = Lock()
        self._state = StoreState(workspaces=0, memories={}, db_bytes=0)
        self._since = -REMEMBER_S

    def count(self) -> StoreState:
        """What is there, at most 15 seconds old."""
        with self._lock:
            if self._seconds() - self._since >= REMEMBER_S:
                self._state = self._count()
                self._since = self._seconds()
            return self._state

    def tenants(self) -> tuple[str, ...]:
        """The default tenant, and those that have keys."""
        return tuple(sorted({DEFAULT_TENANT, *(key.tenant_id for key in self._store.keys.list_keys())}))

    def scopes(self) -> Iterator[Scope]:
        """Every workspace of every tenant."""
        for tenant_id in self.tenants():
            cursor = ""
            while True:
                page = self._store.workspaces.list_workspaces(tenant_id, limit=PAGE, cursor=cursor)
                yield from (workspace.scope for workspace in page.items)
                cursor = page.next_cursor
                if not cursor:
                    break

    def _count(self) -> StoreState:
        memories: Counter[str] = Counter()
        workspaces = 0
        for scope in self.scopes():
            workspaces += 1
            memories.update(dict(self._store.memories.contents(scope).by_kind))
            if workspaces == MOST_WORKSPACES:
                break
        waiting, used = self._index_state() if self._index_state is not None else (None, False)
        return StoreState(
            workspaces=workspaces,
            memories=dict(memories),
            db_bytes=self._file_bytes(),
            index_waiting=waiting,
            index_used=used,
        )

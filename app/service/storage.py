"""What the services are put together from: every storage port over one store."""

from typing import Protocol

from app.ports import (
    Accounts,
    Copying,
    JobQueue,
    KeyStore,
    MemoryStore,
    Meter,
    SearchIndex,
    UserStore,
    VectorSpaces,
    WorkingStore,
    WorkspaceStore,
)


class Storage(Protocol):
    """A backend: every storage port over one state."""

    @property
    def memories(self) -> MemoryStore: ...
    @property
    def index(self) -> SearchIndex: ...
    @property
    def workspaces(self) -> WorkspaceStore: ...
    @property
    def users(self) -> UserStore: ...
    @property
    def keys(self) -> KeyStore: ...
    @property
    def jobs(self) -> JobQueue: ...
    @property
    def meter(self) -> Meter: ...
    @property
    def ledger(self) -> Accounts: ...
    @property
    def working(self) -> WorkingStore: ...
    @property
    def spaces(self) -> VectorSpaces: ...
    @property
    def copying(self) -> Copying: ...

    def close(self) -> None: ...

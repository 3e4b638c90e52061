"""The backends that are held to the contract, and the shape that they share."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from app.backends import memory
from app.domain.embedding import EmbeddingIdentity
from app.ports import (
    Clock,
    JobQueue,
    KeyStore,
    MemoryStore,
    Meter,
    SearchIndex,
    UserStore,
    VectorSpaces,
    WorkspaceStore,
)


class Backend(Protocol):
    """Every storage port over one store."""

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
    def spaces(self) -> VectorSpaces: ...
    def close(self) -> None: ...


Factory: TypeAlias = Callable[[Path, EmbeddingIdentity, Clock], Backend]


def open_memory(folder: Path, identity: EmbeddingIdentity, clock: Clock) -> Backend:
    """An empty in-RAM store."""
    return memory.open_store(identity=identity, clock=clock)


def open_sqlite(folder: Path, identity: EmbeddingIdentity, clock: Clock) -> Backend:
    """A new store in a file."""
    sqlite: Any = import_module("app.backends.sqlite")
    backend: Backend = sqlite.open_store(folder / "memory.db", identity=identity, clock=clock)
    return backend


FACTORIES: Mapping[str, Factory] = {
    "memory": open_memory,
    "sqlite": open_sqlite,
}

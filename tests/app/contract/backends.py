"""The backends that are held to the contract, and the shape that they share."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from app.backends import memory, sqlite
from app.domain.embedding import EmbeddingIdentity
from app.ports import Clock
from app.service.storage import Storage

Backend: TypeAlias = Storage
"""Every storage port over one store, as the services ask for it."""

Factory: TypeAlias = Callable[[Path, EmbeddingIdentity, Clock], Backend]


def open_memory(folder: Path, identity: EmbeddingIdentity, clock: Clock) -> Backend:
    """An empty in-RAM store."""
    return memory.open_store(identity=identity, clock=clock)


def open_sqlite(folder: Path, identity: EmbeddingIdentity, clock: Clock) -> Backend:
    """A new store in a file."""
    return sqlite.open_store(folder / "memory.db", identity=identity, clock=clock)


FACTORIES: Mapping[str, Factory] = {
    "memory": open_memory,
    "sqlite": open_sqlite,
}

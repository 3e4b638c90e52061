"""The backends that are held to the contract, and the shape that they share."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from secrets import token_hex
from typing import Protocol, TypeAlias, cast

import pytest

from app.backends import indexed, memory, sqlite
from app.domain.embedding import EmbeddingIdentity
from app.ports import Clock, VectorIndex
from app.ports.stores import Storage
from tests.app.databases import open_own_store
from tests.app.indexed.telling import Dropped, open_told, open_untold
from tests.app.indexes import backends as indexes

Backend: TypeAlias = Storage
"""Every storage port over one store, as the services ask for it."""

Factory: TypeAlias = Callable[[pytest.FixtureRequest, Path, EmbeddingIdentity, Clock], Backend]
"""Opens an empty store in a folder, or on the server of a fixture: `request.getfixturevalue("…_server")`."""


class Opener(Protocol):
    """Puts a vector index beside a store."""

    def __call__(
        self, store: indexed.Store, index: VectorIndex, *, identity: EmbeddingIdentity, clock: Clock
    ) -> Backend: ...


def open_memory(request: pytest.FixtureRequest, folder: Path, identity: EmbeddingIdentity, clock: Clock) -> Backend:
    """An empty in-RAM store."""
    return memory.open_store(identity=identity, clock=clock)


def open_sqlite(request: pytest.FixtureRequest, folder: Path, identity: EmbeddingIdentity, clock: Clock) -> Backend:
    """A new store in a file."""
    return sqlite.open_store(folder / "memory.db", identity=identity, clock=clock)


def open_postgres(request: pytest.FixtureRequest, folder: Path, identity: EmbeddingIdentity, clock: Clock) -> Backend:
    """A store in a database of its own."""
    return open_own_store(request.getfixturevalue("postgres_server"), identity=identity, clock=clock)


FACTORIES: Mapping[str, Factory] = {
    "memory": open_memory,
    "sqlite": open_sqlite,
    "postgres": open_postgres,
}


def _beside(open_store: Factory, index: str, open_indexed: Opener) -> Factory:
    """A store with a vector index beside it, in a collection of its own that is dropped when the store is closed."""

    def open_both(request: pytest.FixtureRequest, folder: Path, identity: EmbeddingIdentity, clock: Clock) -> Backend:
        beside = Dropped(indexes.FACTORIES[index](request, f"t{token_hex(6)}"))
        store = open_store(request, folder, identity, clock)
        assert isinstance(store, indexed.Store)
        return open_indexed(store, cast(VectorIndex, beside), identity=identity, clock=clock)

    return open_both


INDEXED: Mapping[str, Factory] = {
    "memory+ram": _beside(open_memory, "ram", open_told),
    "sqlite+ram": _beside(open_sqlite, "ram", open_told),
    "sqlite+ram-untold": _beside(open_sqlite, "ram", open_untold),
}
"""Stores with a vector index beside them, which take part where something is searched for."""

SERVERS: Mapping[str, Factory] = {
    "postgres+ram": _beside(open_postgres, "ram", open_told),
    "sqlite+chroma": _beside(open_sqlite, "chroma", open_told),
}
"""The same with a server, for tests that do not search a thousand times."""

OTHERS: Mapping[str, Factory] = {
    "sqlite+elasticsearch": _beside(open_sqlite, "elasticsearch", open_told),
    "sqlite+qdrant_engine": _beside(open_sqlite, "qdrant_engine", open_told),
    "postgres+chroma": _beside(open_postgres, "chroma", open_told),
}
"""Further pairs, for the tests of congruence."""


def list_params(names: Iterable[str]) -> list[object]:
    """What to parametrise a fixture with; the tests of a server run in one worker, which starts it once."""
    return [
        pytest.param(name, marks=[pytest.mark.xdist_group(group)] if (group := _find_server(name)) else [])
        for name in names
    ]


def _find_server(name: str) -> str:
    """The server that a backend needs most; empty where it needs none."""
    store, _, index = name.partition("+")
    return "postgres" if store == "postgres" else index.partition("-")[0].replace("ram", "")


searched_often = pytest.mark.parametrize("open_backend", list_params([*FACTORIES, *INDEXED]), indirect=True)
"""For a module of tests that search: they run on stores with an index beside them too."""
searched = pytest.mark.parametrize("open_backend", list_params([*FACTORIES, *INDEXED, *SERVERS]), indirect=True)
"""The same, for those that search some times only."""

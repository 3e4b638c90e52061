"""Stores to move between: two files, and a database."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.backends import memory, sqlite
from app.backends.clock import SystemClock
from app.domain.embedding import EmbeddingIdentity
from app.ports.stores import Storage
from app.service.migration import Place
from tests.app.contract.samples import IDENTITY
from tests.app.databases import open_own_store
from tests.servers.waiting import PATIENCE_S


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def open_place(request: pytest.FixtureRequest, tmp_path: Path, closing: ExitStack) -> Callable[..., Place]:
    """Opens a store by its kind and name, and again under the same name the same file."""

    def open_one(kind: str, name: str, *, identity: EmbeddingIdentity = IDENTITY) -> Place:
        clock = SystemClock()
        store: Storage
        if kind == "postgres":
            store = open_own_store(request.getfixturevalue("postgres_server"), identity=identity, clock=clock)
        elif kind == "sqlite":
            path, busy_timeout_ms = tmp_path / name / "memory.db", int(PATIENCE_S * 1000)
            store = sqlite.open_store(path, identity=identity, clock=clock, busy_timeout_ms=busy_timeout_ms)
        else:
            store = memory.open_store(identity=identity, clock=clock)
        closing.callback(store.close)
        return Place(name=name, storage=store)

    return open_one

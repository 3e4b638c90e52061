"""Stores in databases of their own, with embeddings of any length."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from app.backends.clock import SteppingClock
from app.backends.postgres import PostgresStore, open_store
from app.domain.embedding import EmbeddingIdentity
from tests.app.databases import PATIENT
from tests.servers.postgres import Databases

OpenStore = Callable[..., PostgresStore]


@pytest.fixture
def dsn(postgres_server: Databases) -> Iterator[str]:
    """The address of an empty database."""
    made = postgres_server.new_database()
    yield made
    postgres_server.drop_database(made)


@pytest.fixture
def opened(dsn: str) -> Iterator[OpenStore]:
    """Opens the store of this test, with an embedding of so many dimensions; what was opened is closed at the end."""
    with ExitStack() as closing:

        def open_here(dimensions: int, *, model: str = "sample", **settings: Any) -> PostgresStore:
            identity = EmbeddingIdentity(model=model, dimensions=dimensions)
            wanted = {**PATIENT, **settings}
            store = open_store(dsn, identity=identity, clock=SteppingClock(), min_pool_size=1, **wanted)
            closing.callback(store.close)
            return store

        yield open_here

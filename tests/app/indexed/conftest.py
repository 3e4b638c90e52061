"""Stores, each in turn, with an index beside them that a test may trouble."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import pytest

from app.backends import indexed
from app.backends.clock import SteppingClock
from app.backends.indexed import IndexedStore, Store
from app.domain.embedding import EmbeddingIdentity
from tests.app.contract.backends import FACTORIES, INDEXED, OTHERS, SERVERS, Backend, list_params
from tests.app.contract.samples import IDENTITY
from tests.app.indexed.troubles import TroubledIndex

SOON = {"look_s": 0.05, "pause_s": 0.1, "recovery_s": 0.0, "again_s": 0.0}
"""Pauses that a test can wait for."""


STORES = {**FACTORIES, **INDEXED, **SERVERS, **OTHERS}
OpenStore: TypeAlias = Callable[[EmbeddingIdentity], Backend]


class OpenIndexed(Protocol):
    """Puts an index beside a store; what is opened is closed after the test."""

    def __call__(
        self, store: Store, index: object, *, identity: EmbeddingIdentity = ..., **settings: Any
    ) -> IndexedStore[Store]: ...


@pytest.fixture
def clock() -> SteppingClock:
    """The clock of the stores."""
    return SteppingClock()


@pytest.fixture
def index() -> TroubledIndex:
    """An index without troubles yet."""
    return TroubledIndex()


@pytest.fixture(params=list_params(FACTORIES))
def make_store(request: pytest.FixtureRequest, tmp_path: Path, clock: SteppingClock) -> Callable[[], Store]:
    """Opens an empty store, which whoever puts an index beside it closes."""
    numbers = count()

    def make() -> Store:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        store = FACTORIES[str(request.param)](request, folder, IDENTITY, clock)
        assert isinstance(store, Store)
        return store

    return make


@pytest.fixture
def open_indexed(clock: SteppingClock) -> Iterator[OpenIndexed]:
    """Puts an index beside a store, with short pauses unless told otherwise."""
    with ExitStack() as opened:

        def open_one(
            store: Store, index: Any, *, identity: EmbeddingIdentity = IDENTITY, **settings: Any
        ) -> IndexedStore[Store]:
            both = indexed.open_store(store, index, identity=identity, clock=clock, **{**SOON, **settings})
            opened.callback(both.close)
            return both

        yield open_one


@pytest.fixture
def idle(make_store: Callable[[], Store], index: TroubledIndex, open_indexed: OpenIndexed) -> IndexedStore[Store]:
    """A store whose indexer does not run."""
    return open_indexed(make_store(), index, indexing=False)


@pytest.fixture
def busy(make_store: Callable[[], Store], index: TroubledIndex, open_indexed: OpenIndexed) -> IndexedStore[Store]:
    """A store whose indexer runs."""
    return open_indexed(make_store(), index)


@pytest.fixture(params=list_params(STORES))
def open_one(request: pytest.FixtureRequest, tmp_path: Path, clock: SteppingClock) -> Iterator[OpenStore]:
    """Opens an empty store, and closes the one that it opened before."""
    numbers = count()
    with ExitStack() as opened:

        def open_next(identity: EmbeddingIdentity) -> Backend:
            opened.close()
            folder = tmp_path / str(next(numbers))
            folder.mkdir()
            store = STORES[request.param](request, folder, identity, clock)
            opened.callback(store.close)
            return store

        yield open_next

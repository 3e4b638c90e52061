"""Fixtures that open each vector index in turn; one of them alone: `pytest tests/app/indexes -k chroma`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from secrets import token_hex

import pytest

from app.backends.elasticsearch import vector_index as elasticsearch_index
from app.backends.qdrant import index as qdrant_index
from app.errors import IndexUnavailable
from app.ports import VectorIndex
from tests.app.contract.samples import IDENTITY
from tests.app.indexes.backends import AWAY, FACTORIES, list_params
from tests.servers.waiting import PATIENCE_S


@pytest.fixture(autouse=True)
def patient_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check of a server that runs waits as long as a busy machine takes."""
    for module in (elasticsearch_index, qdrant_index):
        monkeypatch.setattr(module, "CHECK_S", PATIENCE_S)


@pytest.fixture(params=list_params(FACTORIES))
def open_index(request: pytest.FixtureRequest) -> Iterator[Callable[[], VectorIndex]]:
    """Opens a client of the collection of this test, and at each call another client; it is dropped after the test."""
    name = f"t{token_hex(6)}"
    with ExitStack() as opened:

        def open_one() -> VectorIndex:
            index = FACTORIES[str(request.param)](request, name)
            opened.callback(index.close)
            return index

        yield open_one
        with suppress(IndexUnavailable):
            open_one().drop()


@pytest.fixture
def index(open_index: Callable[[], VectorIndex]) -> VectorIndex:
    """An empty collection for the samples' embedding."""
    opened = open_index()
    opened.prepare(IDENTITY)
    return opened


@pytest.fixture(params=list_params(AWAY))
def away_index(request: pytest.FixtureRequest) -> Iterator[VectorIndex]:
    """A client of a server that is not there."""
    index = AWAY[str(request.param)]()
    yield index
    index.close()

"""Fixtures that open each backend in turn; one of them alone: `pytest tests/app/contract -k "not sqlite"`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from app.backends.clock import SteppingClock
from tests.app.contract.backends import FACTORIES, INDEXED, SERVERS, Backend, list_params
from tests.app.contract.samples import IDENTITY


@pytest.fixture
def clock() -> SteppingClock:
    """The clock of the backends; it stands still until a test steps it."""
    return SteppingClock()


@pytest.fixture
def opened() -> Iterator[list[Backend]]:
    """The stores that a test has opened; those that it leaves are closed after it."""
    stores: list[Backend] = []
    yield stores
    with ExitStack() as closing:
        for store in stores:
            closing.callback(store.close)


@pytest.fixture(params=list_params(FACTORIES))
def open_backend(
    request: pytest.FixtureRequest, tmp_path: Path, clock: SteppingClock, opened: list[Backend]
) -> Callable[[], Backend]:
    """Opens an empty store, and another at each call."""
    numbers = count()

    def open_one() -> Backend:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        store = {**FACTORIES, **INDEXED, **SERVERS}[request.param](request, folder, IDENTITY, clock)
        opened.append(store)
        return store

    return open_one


@pytest.fixture
def open_next_backend(open_backend: Callable[[], Backend], opened: list[Backend]) -> Callable[[], Backend]:
    """The same for a test of many examples: closes the one before, so that a server has few connections."""

    def open_one() -> Backend:
        while opened:
            opened.pop().close()
        return open_backend()

    return open_one


@pytest.fixture
def rows_of_changes(request: pytest.FixtureRequest) -> int:
    """How many random rows of changes a store is put through: fewer where each statement is sent to a server."""
    return 20 if "postgres" in request.node.callspec.id else 80


@pytest.fixture
def backend(open_backend: Callable[[], Backend]) -> Backend:
    """An empty store."""
    return open_backend()

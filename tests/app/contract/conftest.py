"""Fixtures that open each backend in turn; one of them alone: `pytest tests/app/contract -k "not sqlite"`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from app.backends.clock import SteppingClock
from tests.app.contract.backends import FACTORIES, Backend
from tests.app.contract.samples import IDENTITY


@pytest.fixture
def clock() -> SteppingClock:
    """The clock of the backends; it stands still until a test steps it."""
    return SteppingClock()


@pytest.fixture(params=list(FACTORIES))
def open_backend(
    request: pytest.FixtureRequest, tmp_path: Path, clock: SteppingClock
) -> Iterator[Callable[[], Backend]]:
    """Opens an empty store, and another at each call; all are closed after the test."""
    numbers = count()
    with ExitStack() as opened:

        def open_one() -> Backend:
            folder = tmp_path / str(next(numbers))
            folder.mkdir()
            backend = FACTORIES[request.param](folder, IDENTITY, clock)
            opened.callback(backend.close)
            return backend

        yield open_one


@pytest.fixture
def backend(open_backend: Callable[[], Backend]) -> Backend:
    """An empty store."""
    return open_backend()

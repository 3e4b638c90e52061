"""A store with a history, made once, that tests copy."""

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from app.backends.clock import SystemClock
from app.backends.sqlite import open_store
from tests.durability.workers import work_alone
from tests.durability.workload import IDENTITY, State

OPERATIONS = 60


class Grown(NamedTuple):
    """A closed store, and the state of its one worker's memories."""

    path: Path
    state: State


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Grown:
    """The store that is copied."""
    path = tmp_path_factory.mktemp("grown") / "memory.db"
    store = open_store(path, identity=IDENTITY, clock=SystemClock())
    state = work_alone(store, "w0", operations=OPERATIONS, seed=8)
    store.close()
    return Grown(path, state)


@pytest.fixture
def path(tmp_path: Path, grown: Grown) -> Path:
    """A copy of the store, to be used or damaged."""
    return Path(shutil.copy(grown.path, tmp_path / "memory.db"))

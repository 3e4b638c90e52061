"""Of two states of a memory the later one stays, whichever is told last."""

import pytest

from app.domain.query import MemoryFilter
from app.ports import VectorIndex
from tests.app.contract.samples import IDENTITY
from tests.app.indexes.backends import FACTORIES, list_params
from tests.app.indexes.samples import ask, entry, numbers


@pytest.fixture(params=list_params(name for name in FACTORIES if name.startswith("qdrant")))
def index(request: pytest.FixtureRequest) -> VectorIndex:
    """Each way to Qdrant."""
    made = FACTORIES[str(request.param)](request, "late")
    request.addfinalizer(made.close)
    request.addfinalizer(made.drop)
    made.prepare(IDENTITY)
    return made


def tagged(index: VectorIndex, tag: str) -> set[int]:
    """The numbers that a tag finds."""
    return set(numbers(ask(index, wanted=MemoryFilter(tags=(tag,)))))


def test_what_is_told_late_overwrites_nothing_newer(index: VectorIndex) -> None:
    index.apply([entry(1, "tea", claim=3, tags=("old",)), entry(2, "coffee", claim=4, tags=("old",))])
    index.apply([entry(1, "tea", claim=9, tags=("new",)), entry(2, "coffee", claim=6, tags=("new",))])
    late = [entry(1, "tea", claim=5, tags=("late",)), entry(2, "coffee", claim=7, tags=("late",))]
    index.apply([*late, entry(3, "milk", claim=5, tags=("late",))])
    assert (tagged(index, "new"), tagged(index, "late"), tagged(index, "old")) == ({1}, {2, 3}, set())
    assert index.count() == 3


def test_the_same_state_may_be_told_again(index: VectorIndex) -> None:
    for tag in ("once", "twice"):
        index.apply([entry(1, "tea", claim=3, tags=(tag,))])
    assert tagged(index, "twice") == {1}

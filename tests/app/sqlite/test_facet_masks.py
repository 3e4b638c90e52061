"""Filters by tags and metadata answer as a listing does, whatever changed between two searches."""

from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

from app.backends.sqlite import SqliteStore, facet_masks
from app.backends.sqlite.facets import find_numbers
from app.domain.change import Add, Change, ChangeBatch, Delete, Restore, Update
from app.domain.memory import JsonObject, Memory, MemoryDraft, MemoryKind, MemoryPatch
from app.domain.query import Comparison, Condition, MemoryFilter
from tests.app.sqlite.conftest import EMBEDDER, HERE, OpenStore

FILTERS = (
    MemoryFilter(tags=("red",)),
    MemoryFilter(tags=("red", "round")),
    MemoryFilter(conditions=(Condition(key="size", comparison=Comparison.EQ, values=(2,)),)),
    MemoryFilter(conditions=(Condition(key="size", comparison=Comparison.GTE, values=(2,)),), tags=("blue",)),
    MemoryFilter(conditions=(Condition(key="size", comparison=Comparison.NE, values=(1,)),)),
    MemoryFilter(conditions=(Condition(key="size", comparison=Comparison.EXISTS, values=(True,)),)),
)


def seed(number: int) -> Random:
    return Random(number)  # noqa: S311 - the same changes on every run


def add_some(random: Random, start: int, count: int) -> Iterator[Change]:
    for number in range(start, start + count):
        text = f"thing {number}"
        metadata: JsonObject = {"size": random.choice([1, 2, 2.0, 3, "2", True])} if random.random() < 0.8 else {}
        tags = tuple(tag for tag in ("red", "blue", "round") if random.random() < 0.4)
        draft = MemoryDraft(kind=MemoryKind.PERSONAL, content=text, tags=tags, metadata=metadata)
        yield Add(draft=draft, vector=EMBEDDER.embed_query(text))


def list_all(store: SqliteStore, memory_filter: MemoryFilter) -> tuple[Memory, ...]:
    return store.memories.scan(HERE, memory_filter, limit=1000).items


def check_filters(store: SqliteStore) -> None:
    asked = EMBEDDER.embed_query("thing 5")
    for memory_filter in FILTERS:
        found = store.index.nearest(HERE, asked, memory_filter, limit=1000, exact=True)
        fetched = store.index.fetch(HERE, [one.number for one in found])
        assert {memory.id for memory in fetched.values()} == {memory.id for memory in list_all(store, memory_filter)}
        assert len(found) == len(fetched)


def change_some(random: Random, store: SqliteStore, round_: int) -> Iterator[Change]:
    yield from add_some(random, 1000 * round_, random.choice([0, 1, 5]))
    chosen = random.sample(list_all(store, MemoryFilter()), 4)
    yield Update(memory_id=chosen[0].id, patch=MemoryPatch(tags=("red",), metadata={"size": 2}))
    yield Update(memory_id=chosen[1].id, patch=MemoryPatch(tags=(), metadata={}))
    text = f"thing anew {round_}"
    yield Update(memory_id=chosen[2].id, patch=MemoryPatch(content=text), vector=EMBEDDER.embed_query(text))
    yield Delete(memory_id=chosen[3].id)


@pytest.mark.parametrize("looked_up", [500, 3])
def test_masks_follow_every_change(opened: OpenStore, monkeypatch: pytest.MonkeyPatch, looked_up: int) -> None:
    monkeypatch.setattr(facet_masks, "_LOOKED_UP", looked_up)
    random = seed(looked_up)
    searching, writing = opened(), opened()
    writing.memories.commit(ChangeBatch(scope=HERE, changes=tuple(add_some(random, 0, 60))))
    for round_ in range(1, 30):
        changes = tuple(change_some(random, writing, round_))
        writing.memories.commit(ChangeBatch(scope=HERE, changes=changes))
        if round_ % 3 == 0:
            gone = changes[-1]
            assert isinstance(gone, Delete)
            vector = EMBEDDER.embed_query(f"back {round_}")
            writing.memories.commit(
                ChangeBatch(scope=HERE, changes=(Restore(memory_id=gone.memory_id, vector=vector),))
            )
        check_filters(searching)
        check_filters(writing)


def test_a_mask_is_listed_once_while_nothing_changes(opened: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    listings = []
    find = find_numbers

    def count(*args: object, among: object = None, **more: object) -> object:
        listings.append(among)
        return find(*args, among=among, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(facet_masks, "find_numbers", count)
    store = opened()
    store.memories.commit(ChangeBatch(scope=HERE, changes=tuple(add_some(seed(1), 0, 40))))
    red = MemoryFilter(tags=("red",))
    for _ in range(3):
        store.index.matching(HERE, "thing", red, limit=5)
        store.index.nearest(HERE, EMBEDDER.embed_query("thing"), red, limit=5)
    assert listings == [None]
    store.memories.commit(ChangeBatch(scope=HERE, changes=tuple(add_some(seed(2), 100, 2))))
    store.index.nearest(HERE, EMBEDDER.embed_query("thing"), red, limit=5)
    assert len(listings) == 2
    assert isinstance(listings[1], np.ndarray)
    assert len(listings[1]) == 2

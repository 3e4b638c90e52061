"""Searches with cached vectors answer as those that read every vector."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from app.backends.sqlite import vector_cache
from app.domain.change import ChangeBatch, Delete, Restore
from app.domain.query import MemoryFilter
from tests.app.sqlite.conftest import EMBEDDER, HERE, OpenStore, remember

ALL = MemoryFilter()


def test_a_cache_changes_no_answer(opened: OpenStore) -> None:
    cached, plain = opened(), opened(slab_cache_mb=0)
    texts = [f"tea number {number} of {number % 7} kinds 茶" for number in range(900)]
    remember(cached, *texts[:500])
    for query in ("tea number 7", "茶", "kinds"):
        vector = EMBEDDER.embed_query(query)
        for exact in (False, True, False):
            expected = plain.index.nearest(HERE, vector, ALL, limit=20, exact=exact)
            assert cached.index.nearest(HERE, vector, ALL, limit=20, exact=exact) == expected
    remember(cached, *texts[500:])  # the slab grows
    vector = EMBEDDER.embed_query("tea number 777")
    assert cached.index.nearest(HERE, vector, ALL, limit=20) == plain.index.nearest(HERE, vector, ALL, limit=20)


def test_a_vector_that_came_back_changed_is_read_anew(opened: OpenStore) -> None:
    store = opened()
    memory_id = remember(store, "green tea", "milk").outcomes[0].memory_id
    asked = EMBEDDER.embed_query("green tea")
    first = store.index.nearest(HERE, asked, ALL, limit=2)
    store.memories.commit(ChangeBatch(scope=HERE, changes=(Delete(memory_id=memory_id),)))
    assert [candidate.number for candidate in store.index.nearest(HERE, asked, ALL, limit=2)] == [first[1].number]
    back = Restore(memory_id=memory_id, vector=EMBEDDER.embed_query("something else"))
    store.memories.commit(ChangeBatch(scope=HERE, changes=(back,)))
    found = {candidate.number: candidate.score for candidate in store.index.nearest(HERE, asked, ALL, limit=2)}
    expected = float(np.dot(asked, EMBEDDER.embed_query("something else")))
    assert abs(found[first[0].number] - expected) < 1e-3


def test_threads_fill_one_cache(opened: OpenStore) -> None:
    store = opened()
    remember(store, *[f"text {number} about {number % 13}" for number in range(600)])
    vectors = [EMBEDDER.embed_query(f"text {number}") for number in range(64)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda vector: store.index.nearest(HERE, vector, ALL, limit=10), vectors))
    again = [store.index.nearest(HERE, vector, ALL, limit=10) for vector in vectors]
    assert found == again


def test_a_workspace_grows_over_every_size_of_its_blocks(monkeypatch: pytest.MonkeyPatch, opened: OpenStore) -> None:
    monkeypatch.setattr(vector_cache, "_BLOCK", 64)
    monkeypatch.setattr(vector_cache, "_LEAST", 8)
    cached, plain = opened(), opened(slab_cache_mb=0)
    asked = EMBEDDER.embed_query("text 3 about tea")
    for start in range(0, 300, 23):
        remember(cached, *[f"text {number} about tea" for number in range(start, start + 23)])
        for exact in (True, False):
            expected = plain.index.nearest(HERE, asked, ALL, limit=30, exact=exact)
            assert cached.index.nearest(HERE, asked, ALL, limit=30, exact=exact) == expected

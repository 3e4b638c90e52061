"""A move to another embedding and the index of the nearest: there when the move ends, and only one."""

import pytest

from app.backends.postgres.indexes import COMPARED
from app.domain.embedding import EmbeddingIdentity
from tests.app.contract.samples import ALL, HERE
from tests.app.postgres.search.conftest import OpenStore
from tests.app.postgres.search.vectors import keep, list_indexes, make_clusters, make_queries, recall
from tests.servers.waiting import wait_until

pytestmark = [pytest.mark.xdist_group("postgres"), pytest.mark.slow]

FORMER, LATTER = 16, 48
COUNT = COMPARED + 500
TARGET = EmbeddingIdentity(model="latter", dimensions=LATTER)


def list_kinds(names: dict[str, bool]) -> list[str]:
    """Names of indexes that can be used, without what makes each of them its own."""
    return sorted(name.removeprefix("chunks_vec_nearest_").rpartition("_")[0] for name, valid in names.items() if valid)


@pytest.mark.parametrize("count", [100, COUNT])
def test_a_move_ends_with_the_index_that_is_due(opened: OpenStore, count: int) -> None:
    store = opened(FORMER)
    keep(store, make_clusters(count, FORMER))
    store.keeper.make("chunks_vec_default", FORMER)
    due = count > COMPARED
    assert list_kinds(list_indexes(store)) == (["16_hnsw_16_200"] if due else [])
    assert store.spaces.begin(TARGET) == count
    latter = make_clusters(count, LATTER)
    supplied = 0
    while pending := store.spaces.pending(500):
        places = range(supplied, supplied + len(pending))
        store.spaces.supply([(number, latter[at]) for (number, _), at in zip(pending, places, strict=True)])
        supplied += len(pending)
    store.spaces.cut_over()
    assert list_kinds(list_indexes(store)) == (["48_hnsw_16_200"] if due else [])
    moved = opened(LATTER, model="latter")
    queries = make_queries(latter, 20)
    found = [moved.index.nearest(HERE, query, ALL, limit=10) for query in queries]
    expected = [moved.index.nearest(HERE, query, ALL, limit=10, exact=True) for query in queries]
    assert recall(found, expected) >= 0.95


def test_vectors_that_were_lacking_have_the_index_made(opened: OpenStore) -> None:
    """A store that is filled afterwards gets its index as one into which vectors were written at once."""
    store = opened(FORMER)
    vectors = make_clusters(COUNT, FORMER)
    keep(store, vectors, with_vectors=False)
    assert store.index.nearest(HERE, vectors[0], ALL, limit=5) == []
    after = 0
    while lacking := store.spaces.lacking(500, after=after):
        after = lacking[-1].number
        places = [int(each.text.rpartition(" ")[2]) for each in lacking]
        filled = store.spaces.fill([(each.number, vectors[place]) for each, place in zip(lacking, places, strict=True)])
        assert filled == len(lacking)
    (best,) = store.index.nearest(HERE, vectors[7], ALL, limit=1)
    assert best.score == pytest.approx(1.0, abs=1e-6)
    wait_until(lambda: list_kinds(list_indexes(store)) == ["16_hnsw_16_200"], "the index")

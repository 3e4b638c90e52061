"""Embeddings of every length: what is stored of a vector, and that the index takes it."""

import numpy as np
import pytest

from app.backends.postgres.indexes import begin_name
from app.backends.postgres.nearest import Question, follow, follow_with, look
from app.backends.postgres.selection import select_held
from app.backends.postgres.vectors import pack_vector
from app.domain.embedding import EmbeddingIdentity
from app.errors import SettingsError
from tests.app.contract.samples import ALL, HERE
from tests.app.postgres.search.conftest import OpenStore
from tests.app.postgres.search.vectors import keep, make_clusters, make_index, make_queries

pytestmark = pytest.mark.xdist_group("postgres")

COUNT = 200


@pytest.mark.parametrize("dimensions", [256, 512, 1024, 1536, 3072])
def test_vectors_of_every_length_are_indexed(opened: OpenStore, dimensions: int) -> None:
    store = opened(dimensions)
    vectors = make_clusters(COUNT, dimensions, clusters=5)
    keep(store, vectors)
    make_index(store, dimensions)
    where, values = select_held(None, now_ms=10**15)
    for query in make_queries(vectors, 5):
        expected = store.index.nearest(HERE, query, ALL, limit=20, exact=True)
        question = Question(
            identity=EmbeddingIdentity(model="sample", dimensions=dimensions),
            vector=pack_vector(query),
            where=where,
            values=values,
            limit=20,
        )
        with store.database.read() as connection:
            place = look(connection, HERE, dimensions).place
            assert place is not None
            plan = follow_with(connection, place, question, store.keeper.plan, verb="EXPLAIN ")
            found = follow(connection, place, question, store.keeper.plan)
        assert f"Index Scan using {begin_name(dimensions)}" in str(plan)
        assert [number for number, _ in found] == [candidate.number for candidate in expected]
        assert [score for _, score in found] == [candidate.score for candidate in expected]


@pytest.mark.parametrize("dimensions", [8, 512, 1024, 3072])
def test_a_vector_comes_back_as_it_was_given(opened: OpenStore, dimensions: int) -> None:
    store = opened(dimensions)
    vectors = make_clusters(3, dimensions, clusters=2)
    keep(store, vectors)
    numbers = [candidate.number for candidate in store.index.nearest(HERE, vectors[0], ALL, limit=3)]
    found = store.index.vectors(HERE, sorted(numbers))
    assert np.array_equal(np.stack([found[number] for number in sorted(numbers)]), vectors)


def test_of_equal_vectors_the_older_comes_first(opened: OpenStore) -> None:
    store = opened(16)
    keep(store, np.repeat(make_clusters(1, 16, clusters=1), 30, axis=0))
    found = store.index.nearest(HERE, make_clusters(1, 16, clusters=1)[0], ALL, limit=20, exact=True)
    numbers = [candidate.number for candidate in found]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == 20


def test_more_dimensions_than_an_index_takes_are_refused(opened: OpenStore) -> None:
    with pytest.raises(SettingsError, match="4,000"):
        opened(4001)


def test_a_move_to_more_dimensions_than_an_index_takes_is_refused(opened: OpenStore) -> None:
    store = opened(8)
    with pytest.raises(SettingsError, match="4,000"):
        store.spaces.begin(EmbeddingIdentity(model="large", dimensions=4096))

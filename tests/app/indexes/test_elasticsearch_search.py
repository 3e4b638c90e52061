"""Elasticsearch's search by vectors against numpy: recall below a filter, cosines, ties, and how deep it goes."""

from collections.abc import Iterator

import numpy as np
import pytest

from app.backends.elasticsearch import ElasticsearchIndex
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.query import Comparison, Condition, MemoryFilter
from tests.app.contract.samples import ALL, HERE, IDENTITY, vector_of
from tests.app.indexes.elasticsearch_opening import ServerAddress, asking, make_name, opened
from tests.app.indexes.samples import NOW_MS, entry, numbers

pytestmark = pytest.mark.xdist_group("elasticsearch")

WIDE = EmbeddingIdentity(model="clusters", dimensions=64)
MEMORIES, CLUSTERS = 11_000, 110
TAGGED = MemoryFilter(tags=("tenth",))
PRECISION = 1e-6
"""Single precision, summed over some hundred components."""


def scatter(count: int, seed: int) -> tuple[Vector, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Unit vectors (count, 64) in clusters, and the cluster of each."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((CLUSTERS, WIDE.dimensions))
    labels = random.integers(0, CLUSTERS, count)
    vectors = centres[labels] + 0.7 * random.standard_normal((count, WIDE.dimensions))
    return (vectors / np.linalg.norm(vectors, axis=1)[:, None]).astype(np.float32), labels


VECTORS, LABELS = scatter(MEMORIES, 1)
TENTH = LABELS < CLUSTERS // 10
"""Whole clusters, as what is of one kind lies close together."""
QUERIES = scatter(40, 2)[0]


@pytest.fixture(scope="module")
def many(elasticsearch_server: ServerAddress) -> Iterator[ElasticsearchIndex]:
    """11,000 memories in one segment, so that the graph is searched and not many small parts of it."""
    name = make_name()
    entries = [
        entry(place + 1, "tea", vector=vector, tags=("tenth",) if TENTH[place] else ())
        for place, vector in enumerate(VECTORS)
    ]
    with (
        asking(elasticsearch_server) as client,
        opened(elasticsearch_server, identity=WIDE, index_name=name, num_candidates=100, batch=1000) as index,
    ):
        index.apply(entries)
        client.indices.forcemerge(index=f"{name}-*", max_num_segments=1)
        yield index


def find_closest(query: Vector, mask: np.ndarray[tuple[int], np.dtype[np.bool_]], limit: int) -> list[int]:
    """The numbers of the closest by numpy."""
    places = np.flatnonzero(mask)
    cosines = VECTORS[places] @ query
    return [int(place) + 1 for place in places[np.argsort(-cosines, kind="stable")[:limit]]]


@pytest.mark.parametrize("wanted", [ALL, TAGGED], ids=["all", "tenth"])
def test_nine_of_the_ten_closest_are_found(many: ElasticsearchIndex, wanted: MemoryFilter) -> None:
    mask = TENTH if wanted is TAGGED else np.ones(MEMORIES, np.bool_)
    assert 0.05 < TENTH.mean() < 0.15
    shares = []
    for query in QUERIES:
        found = many.nearest(HERE, query, wanted, limit=10, now_ms=NOW_MS)
        shares.append(len(numbers(found) & set(find_closest(query, mask, 10))) / 10)
        for one in found:
            assert one.score == pytest.approx(float(VECTORS[one.number - 1] @ query), abs=PRECISION)
    assert np.mean(shares) >= 0.9


def test_asked_to_be_exact_it_is_where_a_shard_has_ten_thousand_or_fewer(many: ElasticsearchIndex) -> None:
    assert not many.abilities.exact
    for query in QUERIES[:10]:
        found = many.nearest(HERE, query, TAGGED, limit=50, now_ms=NOW_MS, exact=True)
        assert [one.number for one in found] == find_closest(query, TENTH, 50)


def test_words_go_as_deep_as_the_result_window_and_vectors_to_ten_thousand(many: ElasticsearchIndex) -> None:
    found = many.matching(HERE, "tea", ALL, limit=50_000, now_ms=NOW_MS)
    assert [one.number for one in found] == list(range(1, MEMORIES + 1))
    near = many.nearest(HERE, QUERIES[0], ALL, limit=50_000, now_ms=NOW_MS)
    assert len(numbers(near)) == len(near) == 10_000
    scores = [one.score for one in near]
    assert scores == sorted(scores, reverse=True)


def test_a_smaller_window_is_not_asked_beyond(elasticsearch_server: ServerAddress) -> None:
    with opened(elasticsearch_server, max_result_window=5) as index:
        index.apply([entry(number, "tea") for number in range(1, 21)])
        assert len(index.nearest(HERE, vector_of("tea"), ALL, limit=20, now_ms=NOW_MS)) == 5
        assert len(index.matching(HERE, "tea", ALL, limit=20, now_ms=NOW_MS)) == 5


def test_of_equals_those_of_the_smallest_numbers_are_within_the_limit(elasticsearch_server: ServerAddress) -> None:
    with opened(elasticsearch_server, number_of_shards=3) as index:
        index.apply([entry(number, "tea") for number in range(60, 0, -1)])
        for found in (
            index.nearest(HERE, vector_of("tea"), ALL, limit=7, now_ms=NOW_MS),
            index.matching(HERE, "tea", ALL, limit=7, now_ms=NOW_MS),
        ):
            assert [one.number for one in found] == list(range(1, 8))
            assert len({one.score for one in found}) == 1


@pytest.mark.parametrize("quantization", ["int8", "bbq"])
def test_quantized_vectors_are_ranked_by_the_stored_ones(
    elasticsearch_server: ServerAddress, quantization: str
) -> None:
    with opened(elasticsearch_server, identity=WIDE, quantization=quantization, batch=1000) as index:
        index.apply([entry(place + 1, "tea", vector=vector) for place, vector in enumerate(VECTORS[:1500])])
        mask = np.arange(MEMORIES) < 1500
        for query in QUERIES[:10]:
            found = index.nearest(HERE, query, ALL, limit=20, now_ms=NOW_MS)
            assert len(numbers(found) & set(find_closest(query, mask, 20))) >= 18
            for one in found:
                assert one.score == pytest.approx(float(VECTORS[one.number - 1] @ query), abs=PRECISION)
        assert len(index.nearest(HERE, QUERIES[0], ALL, limit=10_000, now_ms=NOW_MS)) == 1500


def test_vectors_are_kept_at_unit_length_and_one_without_a_direction_is_found_by_its_words(
    elasticsearch_server: ServerAddress,
) -> None:
    with opened(elasticsearch_server) as index:
        index.apply(
            [
                entry(1, "green tea", vector=vector_of("tea") * np.float32(7)),
                entry(2, "tea", vector=np.zeros(IDENTITY.dimensions, np.float32)),
                entry(3, "tea", vector=np.full(IDENTITY.dimensions, np.nan, np.float32)),
            ]
        )
        (found,) = index.nearest(HERE, vector_of("tea") * np.float32(0.5), ALL, limit=5, now_ms=NOW_MS)
        assert found.number == 1
        assert found.score == pytest.approx(1.0, abs=PRECISION)
        assert numbers(index.matching(HERE, "tea", ALL, limit=5, now_ms=NOW_MS)) == {1, 2, 3}
        assert index.count() == 3


def test_a_condition_of_any_length_is_asked(elasticsearch_server: ServerAddress) -> None:
    long = "茶" * 40_000
    stored = "茶" * 5_000
    with opened(elasticsearch_server) as index:
        index.apply([entry(1, "tea", metadata={"x": stored})])
        for comparison, value, expected in (
            (Comparison.EQ, stored, {1}),
            (Comparison.EQ, long, set()),
            (Comparison.NE, long, {1}),
            (Comparison.LT, long, {1}),
            (Comparison.GT, stored[:-1], {1}),
            (Comparison.LTE, stored, {1}),
            (Comparison.GTE, "茶" * 200, {1}),
            (Comparison.GT, "茶茷" + long, set()),
        ):
            wanted = MemoryFilter(conditions=(Condition(key="x", comparison=comparison, values=(value,)),))
            assert numbers(index.nearest(HERE, vector_of("tea"), wanted, limit=5, now_ms=NOW_MS)) == expected

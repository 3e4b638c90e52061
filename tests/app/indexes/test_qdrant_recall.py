"""Recall of the graph and of quantized vectors against the exact search, on Qdrant's own engine."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.backends.qdrant.index import QdrantIndex
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.query import MemoryFilter
from tests.app.contract.samples import ALL, HERE, THERE
from tests.app.indexes.qdrant_backends import over
from tests.app.indexes.qdrant_engine import EngineClient
from tests.app.indexes.samples import NOW_MS, entry

pytestmark = pytest.mark.slow

DIMENSIONS = 512
CLUSTERS = 100
HELD = 4_000
QUERIES = 50
LIMIT = 10
LEAST_RECALL = 0.95
IDENTITY = EmbeddingIdentity(model="clustered", dimensions=DIMENSIONS)


def unit(vectors: NDArray[np.floating[Any]]) -> Vector:
    """Vectors at unit length."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), dtype=np.float32)


@pytest.fixture(scope="module")
def vectors() -> Vector:
    """Vectors (held and queries, dimensions) around some centres, as those of texts on some subjects are."""
    random = np.random.default_rng(7)
    centres = unit(random.standard_normal((CLUSTERS, DIMENSIONS)))
    near = centres[random.integers(0, CLUSTERS, HELD + QUERIES)]
    return unit(near + 0.05 * random.standard_normal((HELD + QUERIES, DIMENSIONS)))


@pytest.fixture
def engine() -> Iterator[EngineClient]:
    """An engine that builds graphs of few vectors, and follows them whatever passes a filter."""
    client = EngineClient(indexing_kb=1_000, full_scan_kb=10)
    yield client
    client.close()


def fill(index: QdrantIndex, vectors: Vector) -> None:
    """Hold all but the queries; every third in another workspace, every fifth with a tag."""
    index.prepare(IDENTITY)
    index.apply(
        [
            entry(
                number,
                "",
                vector=vectors[number],
                scope=HERE if number % 3 else THERE,
                tags=("rare",) if number % 5 == 0 else (),
            )
            for number in range(HELD)
        ]
    )


def measure_recall(index: QdrantIndex, vectors: Vector, wanted: MemoryFilter = ALL) -> float:
    """The part of the ten closest by the exact search that the quick search finds; the exact one agrees with numpy."""
    numbers = np.array([number for number in range(HELD) if number % 3 and (not wanted.tags or number % 5 == 0)])
    found = 0
    for query in vectors[HELD:]:
        exact = index.nearest(HERE, query, wanted, limit=LIMIT, now_ms=NOW_MS, exact=True)
        cosines = vectors[numbers] @ query
        assert {one.number for one in exact} == set(numbers[np.argsort(-cosines)[:LIMIT]].tolist())
        quick = index.nearest(HERE, query, wanted, limit=LIMIT, now_ms=NOW_MS)
        assert [one.score for one in quick] == pytest.approx(
            [float(vectors[one.number] @ query) for one in quick], abs=1e-4
        )
        found += len({one.number for one in exact} & {one.number for one in quick})
    return found / (QUERIES * LIMIT)


@pytest.mark.parametrize(
    ("quantization", "distance"),
    [("none", "cosine"), ("int8", "cosine"), ("binary", "cosine"), ("int8", "euclidean")],
)
def test_the_quick_search_finds_what_the_exact_one_does(
    engine: EngineClient, vectors: Vector, quantization: str, distance: str
) -> None:
    index = over(engine, "recall", quantization=quantization, distance=distance)
    fill(index, vectors)
    engine.optimize()
    assert engine.indexed() == HELD
    assert measure_recall(index, vectors) >= LEAST_RECALL
    assert measure_recall(index, vectors, MemoryFilter(tags=("rare",))) >= LEAST_RECALL


def test_the_parameters_of_the_search_reach_the_engine(engine: EngineClient, vectors: Vector) -> None:
    fill(over(engine, "recall", m=4, ef_construct=4), vectors)
    engine.optimize()

    def search(ef: int) -> float:
        index = over(engine, "recall", m=4, ef_construct=4, ef=ef)
        index.prepare(IDENTITY)
        return measure_recall(index, vectors)

    assert search(LIMIT) < search(2048)


def test_what_came_after_the_graph_was_built_is_found(engine: EngineClient, vectors: Vector) -> None:
    index = over(engine, "recall", quantization="int8")
    fill(index, vectors)
    engine.optimize()
    index.apply([entry(HELD + number, "", vector=vectors[HELD + number]) for number in range(QUERIES)])
    for number in range(QUERIES):
        found = index.nearest(HERE, vectors[HELD + number], ALL, limit=1, now_ms=NOW_MS)
        assert [one.number for one in found] == [HELD + number]
        assert found[0].score == pytest.approx(1.0, abs=1e-4)

"""Searches of Qdrant's engine: distances, equals at the limit, and bounds that it cannot check to the end."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient

from app.backends.qdrant.index import QdrantIndex
from app.domain.indexing import IndexEntry
from app.domain.query import Comparison, Condition
from app.ports import VectorIndex
from tests.app.contract.samples import ALL, COSINE_ERROR, HERE, IDENTITY, vector_of, where
from tests.app.indexes.qdrant_backends import over
from tests.app.indexes.qdrant_engine import EngineClient
from tests.app.indexes.samples import NOW_MS, ask, entry, expect, numbers, rank


@pytest.fixture(params=["engine", "local"])
def client(request: pytest.FixtureRequest) -> Iterator[EngineClient | QdrantClient]:
    """The engine, and local mode."""
    opened = EngineClient() if request.param == "engine" else QdrantClient(":memory:")
    yield opened
    opened.close()


def prepared(client: EngineClient | QdrantClient, **shape: Any) -> QdrantIndex:
    """An index over a client, for the samples' embedding."""
    index = over(client, "memories", is_local=isinstance(client, QdrantClient), **shape)
    index.prepare(IDENTITY)
    return index


def cosines(entries: list[IndexEntry], text: str) -> dict[int, float]:
    """The cosines of entries to a text."""
    query = vector_of(text)
    return {one.number: float(one.vector @ query) for one in entries if one.vector is not None}


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_scores_are_cosines_whatever_the_distance(client: EngineClient | QdrantClient, distance: str) -> None:
    index = prepared(client, distance=distance)
    entries = [entry(number, f"note {number}") for number in range(1, 101)]
    index.apply(entries)
    for text in ("alpha", "note 7", "gamma"):
        found = ask(index, text, limit=20)
        wanted = cosines(entries, text)
        assert [one.number for one in found] == rank(entries, text)[:20]
        assert all(one.score == pytest.approx(wanted[one.number], abs=1e-5) for one in found)


def test_manhattan_finds_its_own_candidates_and_ranks_them_by_cosines(client: EngineClient | QdrantClient) -> None:
    index = prepared(client, distance="manhattan")
    entries = [entry(number, f"note {number}") for number in range(1, 101)]
    index.apply(entries)
    query = vector_of("alpha")
    distances = {one.number: float(np.abs(one.vector - query).sum()) for one in entries if one.vector is not None}
    closest = sorted(distances, key=lambda number: distances[number])[:10]
    wanted = cosines(entries, "alpha")
    found = index.nearest(HERE, query, ALL, limit=10, now_ms=NOW_MS, exact=True)
    assert [one.number for one in found] == sorted(closest, key=lambda number: -wanted[number])
    assert all(one.score == pytest.approx(wanted[one.number], abs=1e-5) for one in found)
    assert [one.number for one in found] != rank(entries, "alpha")[:10]


@pytest.mark.parametrize("distance", ["cosine", "euclidean", "manhattan"])
def test_a_vector_that_is_not_quite_of_unit_length_has_its_cosine(
    client: EngineClient | QdrantClient, distance: str
) -> None:
    index = prepared(client, distance=distance)
    index.apply([entry(1, "tea", vector=vector_of("tea") * np.float32(1.004)), entry(2, "milk")])
    found = index.nearest(HERE, vector_of("tea") * np.float32(0.997), ALL, limit=1, now_ms=NOW_MS)
    assert [one.number for one in found] == [1]
    assert found[0].score == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("distance", ["cosine", "euclidean", "manhattan"])
@pytest.mark.parametrize("exact", [True, False])
def test_of_many_equals_the_smallest_numbers_are_found(
    client: EngineClient | QdrantClient, distance: str, exact: bool
) -> None:
    index = prepared(client, distance=distance)
    index.apply([entry(number, "tea") for number in range(300, 0, -1)])
    index.apply([entry(number, f"note {number}") for number in range(301, 320)])
    for limit in (1, 3, 40):
        found = index.nearest(HERE, vector_of("tea"), ALL, limit=limit, now_ms=NOW_MS, exact=exact)
        assert [one.number for one in found] == list(range(1, limit + 1))
    closest = index.nearest(HERE, vector_of("note 305"), ALL, limit=1, now_ms=NOW_MS, exact=exact)
    assert [one.number for one in closest] == [305]


@pytest.mark.slow
@pytest.mark.parametrize("comparison", [Comparison.GT, Comparison.GTE, Comparison.LT, Comparison.LTE])
def test_bounds_on_long_texts_are_right_though_few_pass(
    client: EngineClient | QdrantClient, comparison: Comparison
) -> None:
    index = prepared(client)
    moments = [f"2026-11-22T10:{number // 60:02}:{number % 60:02}Z" for number in range(600)]
    entries = [
        entry(number, f"note {number}", metadata={"at": [moment, "2025"] if number % 2 else moment})
        for number, moment in enumerate(moments, start=1)
    ]
    index.apply(entries)
    for bound in (moments[590], moments[5], moments[300] + "x", "2026-11-22T1", "2026-11-22T10"):
        wanted = where(Condition(key="at", comparison=comparison, values=(bound,)))
        passing = expect(entries, wanted=wanted)
        assert numbers(ask(index, wanted=wanted, limit=1000)) == passing
        closest = [number for number in rank(entries, "query") if number in passing]
        assert [one.number for one in ask(index, wanted=wanted, limit=5)] == closest[:5]


def test_one_number_of_a_list_must_meet_a_bound_not_two_together(client: EngineClient | QdrantClient) -> None:
    index = prepared(client)
    index.apply(
        [entry(1, "tea", metadata={"x": [1, 9], "y": [5]}), entry(2, "milk", metadata={"x": ["5", 4.5], "y": [2**60]})]
    )
    for low, found in ((4, {1, 2}), (5, {1}), (9, set())):
        assert numbers(ask(index, wanted=where(Condition(key="x", comparison=Comparison.GT, values=(low,))))) == found
    close = where(Condition(key="y", comparison=Comparison.GT, values=(2**60 - 1,)))
    assert numbers(ask(index, wanted=close)) == {2}
    assert ask(index, wanted=where(Condition(key="y", comparison=Comparison.GT, values=(2**60,)))) == []


def test_a_limit_beyond_the_graph_compares_all(client: EngineClient | QdrantClient) -> None:
    index = prepared(client)
    index.apply([entry(number, f"note {number}") for number in range(1, 2601)])
    found = index.nearest(HERE, vector_of("alpha"), ALL, limit=2600, now_ms=NOW_MS)
    assert len(found) == 2600
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_scores_of_local_mode_are_those_of_the_engine() -> None:
    def search(index: VectorIndex) -> list[tuple[int, float]]:
        index.apply([entry(number, f"note {number % 40}") for number in range(1, 121)])
        return [(one.number, one.score) for one in ask(index, "alpha", limit=50)]

    engine, local = EngineClient(), QdrantClient(":memory:")
    one, other = search(prepared(engine)), search(prepared(local))
    assert [number for number, _ in one] == [number for number, _ in other]
    assert [score for _, score in one] == pytest.approx([score for _, score in other], abs=COSINE_ERROR)
    engine.close()
    local.close()

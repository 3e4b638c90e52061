"""Finding the nearest in large and small workspaces of one store, with filters and without."""

from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from app.backends.clock import SteppingClock
from app.backends.postgres import PostgresStore, nearest, open_store
from app.backends.postgres.indexes import begin_name
from app.backends.postgres.nearest import Place, Question, count_compared, follow, follow_with, look
from app.backends.postgres.selection import select_filter, select_held
from app.backends.postgres.vectors import pack_vector
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.memory import Scope
from app.domain.query import Candidate, MemoryFilter
from tests.app.contract.samples import ALL, HERE, THERE
from tests.app.postgres.search.vectors import drop_index, keep, make_clusters, make_queries, recall
from tests.servers.postgres import Databases

pytestmark = pytest.mark.xdist_group("postgres")

IDENTITY = EmbeddingIdentity(model="sample", dimensions=48)
LARGE, MIDDLE, SMALL, SMALLS = 6000, 2500, 40, 20
FAR = "far"
"""A tag of memories that lie in a few clusters, and so away from most questions."""


@pytest.fixture(scope="module")
def vectors() -> Vector:
    """All vectors of the store: those of the large workspace, then the middle one's, then the small ones'."""
    return make_clusters(LARGE + MIDDLE + SMALL * SMALLS, IDENTITY.dimensions)


@pytest.fixture(scope="module")
def store(postgres_server: Databases, vectors: Vector) -> Iterator[PostgresStore]:
    """A store with workspaces of three sizes, of whose vectors the index is made after they were written."""
    dsn = postgres_server.new_database()
    with closing(open_store(dsn, identity=IDENTITY, clock=SteppingClock(), min_pool_size=1)) as opened:
        drop_index(opened)
        centre = vectors[0]
        far = np.argsort(vectors[:LARGE] @ centre)[:300].tolist()
        keep(opened, vectors[:LARGE], tags={"tenth": range(0, LARGE, 10), "half": range(0, LARGE, 2), FAR: far})
        keep(opened, vectors[LARGE : LARGE + MIDDLE], THERE)
        for number in range(SMALLS):
            start = LARGE + MIDDLE + number * SMALL
            keep(opened, vectors[start : start + SMALL], small(number))
        opened.keeper.make("chunks_vec_default", IDENTITY.dimensions)
        with opened.database.read() as connection:
            connection.execute("ANALYZE")
        yield opened
    postgres_server.drop_database(dsn)


def small(number: int) -> Scope:
    return Scope(tenant_id=f"tenant-{number}", workspace_id="small")


def see(store: PostgresStore, vector: Vector, wanted: MemoryFilter = ALL) -> tuple[Place, Question]:
    """The large workspace as a search sees it, and the question for the 100 nearest of those that pass a filter."""
    held, moments = select_held(None, now_ms=SteppingClock().now_ms())
    where, values = select_filter(wanted)
    with store.database.read() as connection:
        place = look(connection, HERE, IDENTITY.dimensions).place
    assert place is not None
    return place, Question(
        identity=IDENTITY, vector=pack_vector(vector), where=held + where, values=[*moments, *values], limit=100
    )


def search(
    store: PostgresStore,
    queries: Vector,
    wanted: MemoryFilter = ALL,
    *,
    scope: Scope = HERE,
    limit: int = 100,
    exact: bool = False,
) -> list[list[Candidate]]:
    return [store.index.nearest(scope, query, wanted, limit=limit, exact=exact) for query in queries]


def test_a_large_workspace_is_searched_along_the_index(store: PostgresStore, vectors: Vector) -> None:
    place, question = see(store, vectors[5])
    assert place.indexed
    assert place.population == LARGE > count_compared(place, 100, narrowed=False)
    with store.database.read() as connection:
        rows = follow_with(connection, place, question, store.keeper.plan, verb="EXPLAIN ")
    plan = "\n".join(line for (line,) in rows)
    assert f"Index Scan using {begin_name(IDENTITY.dimensions)}hnsw_16_200_" in plan
    assert "Seq Scan on chunks" not in plan


@pytest.mark.parametrize("limit", [10, 100])
def test_the_index_finds_what_comparing_all_finds(store: PostgresStore, vectors: Vector, limit: int) -> None:
    queries = make_queries(vectors[:LARGE], 60)
    found = search(store, queries, limit=limit)
    assert {len(candidates) for candidates in found} == {limit}
    assert recall(found, search(store, queries, exact=True)) >= 0.95


@pytest.mark.parametrize("tag", ["half", "tenth", FAR])
@pytest.mark.parametrize("compared", [nearest.COMPARED_NARROWED, 500])
def test_a_filter_keeps_the_recall(
    store: PostgresStore, vectors: Vector, monkeypatch: pytest.MonkeyPatch, tag: str, compared: int
) -> None:
    """Of so few all are compared; where less were, the index would be followed for a half, not for a tenth."""
    monkeypatch.setattr(nearest, "COMPARED_NARROWED", compared)
    queries, wanted = make_queries(vectors[:LARGE], 40), MemoryFilter(tags=(tag,))
    found = search(store, queries, wanted)
    assert {len(candidates) for candidates in found} == {100}
    assert recall(found, search(store, queries, wanted, exact=True)) >= 0.95


def test_the_index_finds_what_a_filter_of_a_tenth_leaves(store: PostgresStore, vectors: Vector) -> None:
    queries, wanted = make_queries(vectors[:LARGE], 40), MemoryFilter(tags=("tenth",))
    found = []
    for query in queries:
        place, question = see(store, query, wanted)
        with store.database.read() as connection:
            rows = follow(connection, place, question, store.keeper.plan, estimate=LARGE / 10)
        found.append([Candidate(number=number, score=score) for number, score in rows])
    assert recall(found, search(store, queries, wanted, exact=True)) >= 0.95


def test_smaller_workspaces_are_searched_as_well(store: PostgresStore, vectors: Vector) -> None:
    queries = make_queries(vectors[:LARGE], 20)
    assert recall(search(store, queries, scope=THERE), search(store, queries, scope=THERE, exact=True)) >= 0.95
    for number in range(0, SMALLS, 7):
        start = LARGE + MIDDLE + number * SMALL
        cosines = np.sort(vectors[start : start + SMALL] @ queries[0])[::-1]
        (found,) = search(store, queries[:1], scope=small(number))
        assert [candidate.score for candidate in found] == pytest.approx(cosines.tolist(), abs=1e-6)


def test_comparing_all_tells_cosines_in_single_precision(store: PostgresStore, vectors: Vector) -> None:
    query = make_queries(vectors[:LARGE], 1)[0]
    cosines = vectors[:LARGE].astype(np.float64) @ query
    (found,) = search(store, query[None], limit=50, exact=True)
    assert [candidate.score for candidate in found] == pytest.approx(np.sort(cosines)[::-1][:50].tolist(), abs=1e-6)


def test_without_its_index_a_store_compares(postgres_server: Databases, dsn: str, vectors: Vector) -> None:
    with closing(open_store(dsn, identity=IDENTITY, clock=SteppingClock(), min_pool_size=1)) as opened:
        drop_index(opened)
        keep(opened, vectors[:300])
        queries = make_queries(vectors[:300], 5)
        assert recall(search(opened, queries), search(opened, queries, exact=True)) == 1.0

"""Filters that leave memories far from the question: what is found of them, whichever way it is looked for."""

from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from app.backends.clock import SteppingClock
from app.backends.postgres import PostgresStore, nearest, open_store
from app.backends.postgres.nearest import Question, compare_few, follow_with, look
from app.backends.postgres.selection import select_filter, select_held
from app.backends.postgres.vectors import pack_vector
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.query import MemoryFilter
from tests.app.contract.samples import HERE
from tests.app.postgres.search.vectors import keep, make_clusters, make_index, make_queries, recall
from tests.servers.postgres import Databases

pytestmark = [pytest.mark.xdist_group("postgres"), pytest.mark.slow]

IDENTITY = EmbeddingIdentity(model="sample", dimensions=256)
COUNT = 20_000
PARTS = {"most": 0.6, "some": 0.3, "tenth": 0.1, "hundredth": 0.01, "thousandth": 0.001}
"""Tags, and the part of the memories that have each: those farthest from the first."""


@pytest.fixture(scope="module")
def vectors() -> Vector:
    """The vectors of the store."""
    return make_clusters(COUNT, IDENTITY.dimensions)


@pytest.fixture(scope="module")
def store(postgres_server: Databases, vectors: Vector) -> Iterator[PostgresStore]:
    """A store with an HNSW index, and tags of memories that lie together."""
    dsn = postgres_server.new_database()
    with closing(open_store(dsn, identity=IDENTITY, clock=SteppingClock(), min_pool_size=1)) as opened:
        order = np.argsort(vectors @ vectors[0])
        opened.keeper.close()  # it would make an index of its own beside this test's
        keep(opened, vectors, tags={tag: order[: int(COUNT * part)].tolist() for tag, part in PARTS.items()})
        make_index(opened, IDENTITY.dimensions)
        with opened.database.read() as connection:
            connection.execute("ANALYZE")
        yield opened
    postgres_server.drop_database(dsn)


@pytest.mark.parametrize("compared", [nearest.COMPARED_NARROWED, 1_000])
@pytest.mark.parametrize("tag", PARTS)
def test_what_lies_far_away_is_found(
    store: PostgresStore, vectors: Vector, monkeypatch: pytest.MonkeyPatch, tag: str, compared: int
) -> None:
    """Of few all are compared; where less were, the index is followed, or given up where it leads elsewhere."""
    wanted = MemoryFilter(tags=(tag,))
    queries = np.concatenate([vectors[:1], make_queries(vectors, 40)])
    expected = [store.index.nearest(HERE, query, wanted, limit=100, exact=True) for query in queries]
    monkeypatch.setattr(nearest, "COMPARED_NARROWED", compared)
    found = [store.index.nearest(HERE, query, wanted, limit=100) for query in queries]
    assert {len(candidates) for candidates in found} == {min(100, int(COUNT * PARTS[tag]))}
    assert recall(found, expected) >= 0.95
    assert recall(found[:1], expected[:1]) >= 0.9  # the question that is the farthest from all of them


def test_the_index_is_given_up_soon_where_it_leads_elsewhere(store: PostgresStore, vectors: Vector) -> None:
    """A row is looked up by its number alone, also by the plan that serves any values."""
    held, moments = select_held(None, now_ms=SteppingClock().now_ms())
    where, values = select_filter(MemoryFilter(tags=("some",)))
    question = Question(
        identity=IDENTITY,
        vector=pack_vector(vectors[0]),
        where=held + where,
        values=[*moments, *values],
        limit=100,
    )
    estimate = COUNT * PARTS["some"]
    with store.database.read() as connection:
        place = look(connection, HERE, IDENTITY.dimensions).place
        assert place is not None
        assert compare_few(connection, place, question, 10 * COUNT) is None
        connection.execute("SET plan_cache_mode = force_generic_plan")
        plan = follow_with(connection, place, question, store.keeper.plan, estimate=estimate, verb="EXPLAIN ")
        rows = follow_with(connection, place, question, store.keeper.plan, estimate=estimate)
        connection.execute("RESET plan_cache_mode")
    assert "Index Scan using chunks_default_pkey" in str(plan)
    assert "Materialize" not in str(plan)
    assert "Bitmap" not in str(plan)
    assert len(rows) < question.limit

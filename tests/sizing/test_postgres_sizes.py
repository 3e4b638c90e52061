"""The layout of pages that the formulas of PostgreSQL assume, on a real server."""

import psycopg
import pytest

from app.backends.clock import SystemClock
from app.backends.postgres import open_store
from app.domain.embedding import EmbeddingIdentity
from sizing.measures import BYTES_PER_GB
from sizing.stores import pgvector_index_gb, postgres_vectors_gb
from tests.app.postgres.search.vectors import keep, make_clusters, make_index
from tests.servers.postgres import Databases

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("postgres")]

MEMORIES = 600
SIZES = """
    SELECT pg_table_size('chunks_vec_default') - pg_relation_size('chunks_vec_default', 'fsm')
           - pg_relation_size('chunks_vec_default', 'vm'),
           (SELECT sum(pg_relation_size(indexrelid)) FROM pg_stat_user_indexes
            WHERE indexrelname LIKE 'chunks\\_vec\\_nearest\\_%')
"""


@pytest.mark.parametrize("dimensions", [512, 768, 1000, 1024, 1536, 2048, 3072])
def test_vectors_and_their_index_take_what_the_formulas_say(postgres_server: Databases, dimensions: int) -> None:
    dsn = postgres_server.new_database()
    identity = EmbeddingIdentity(model="made", dimensions=dimensions)
    store = open_store(dsn, identity=identity, clock=SystemClock(), min_pool_size=1, max_pool_size=2)
    try:
        keep(store, make_clusters(MEMORIES, dimensions))
        make_index(store, dimensions)
        with psycopg.connect(dsn) as connection:
            ((table_bytes, index_bytes),) = connection.execute(SIZES).fetchall()
    finally:
        store.close()
        postgres_server.drop_database(dsn)
    formula_bytes = postgres_vectors_gb(MEMORIES, dimensions) * BYTES_PER_GB
    if dimensions <= 1536:
        assert formula_bytes == pytest.approx(table_bytes, rel=0.1)
    else:
        assert table_bytes <= formula_bytes <= 1.3 * table_bytes
    assert pgvector_index_gb(MEMORIES, dimensions) * BYTES_PER_GB == pytest.approx(float(index_bytes), rel=0.05)

"""The index of the nearest: when it is made, of what kind, and that a build that was given up is taken up again."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier, Event
from typing import Any

import psycopg
import pytest

from app.backends.clock import SteppingClock
from app.backends.postgres import PostgresStore, indexes, open_store
from app.backends.postgres.indexes import COMPARED, IndexPlan
from app.domain.embedding import EmbeddingIdentity, Vector
from tests.app.contract.samples import ALL, HERE, THERE
from tests.app.databases import PATIENT
from tests.app.postgres.search.vectors import keep, list_indexes, make_clusters, make_queries, recall
from tests.servers.postgres import Databases
from tests.servers.waiting import PATIENCE_S, wait_until

pytestmark = [pytest.mark.xdist_group("postgres"), pytest.mark.slow]

DIMENSIONS = 32
IDENTITY = EmbeddingIdentity(model="sample", dimensions=DIMENSIONS)
MANY = 6000
"""More than an index is made of at once, and than the lists of an index of the other kind need."""
IVFFLAT: dict[str, Any] = {"index": "ivfflat", "lists": 100}


@pytest.fixture(scope="module")
def vectors() -> Vector:
    """The vectors of every store here."""
    return make_clusters(MANY, DIMENSIONS)


@pytest.fixture(scope="module")
def filled(postgres_server: Databases, vectors: Vector) -> Iterator[str]:
    """The address of a database with a large workspace that has no index yet."""
    dsn = postgres_server.new_database()
    with opened(dsn) as store:
        keep(store, vectors)
        assert list_indexes(store) == {}
    yield dsn
    postgres_server.drop_database(dsn)


@pytest.fixture
def copy(postgres_server: Databases, filled: str) -> Iterator[str]:
    """The address of a copy of that database."""
    dsn = postgres_server.new_database(filled)
    yield dsn
    postgres_server.drop_database(dsn)


@contextmanager
def opened(dsn: str, **settings: Any) -> Iterator[PostgresStore]:
    """The store of a database."""
    wanted = {**PATIENT, **settings}
    with closing(open_store(dsn, identity=IDENTITY, clock=SteppingClock(), min_pool_size=1, **wanted)) as store:
        yield store


def wait_for_index(store: PostgresStore, begin: str) -> str:
    """The name of the only index, once that is one whose name begins so and which can be used."""

    def is_made() -> bool:
        found = list_indexes(store)
        return list(found.values()) == [True] and next(iter(found)).startswith(f"chunks_vec_nearest_{begin}_")

    wait_until(is_made, lambda: f"the index {begin}, there are {list_indexes(store)}")
    return next(iter(list_indexes(store)))


def count_sessions(postgres_server: Databases, dsn: str) -> int:
    """How many connections there are to a database."""
    with postgres_server.connect() as connection:
        name = dsn.rpartition("/")[2]
        row = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", (name,)).fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def held_up(dsn: str) -> Iterator[psycopg.Connection]:
    """A transaction that has written a vector, for whose end an index that is made beside writers waits."""
    with psycopg.connect(dsn) as connection:
        connection.execute("UPDATE chunks_vec_default SET workspace = workspace WHERE number = 1")
        yield connection
        connection.rollback()


def wait_for_build(store: PostgresStore) -> None:
    wait_until(lambda: list(list_indexes(store).values()) == [False], "the index to be begun")


# -- when it is made


def test_small_workspaces_have_no_index(postgres_server: Databases, vectors: Vector) -> None:
    dsn = postgres_server.new_database()
    for _ in range(2):
        with opened(dsn) as store:
            keep(store, vectors[:500])
            keep(store, vectors[500:1000], THERE)
            store.index.nearest(HERE, vectors[0], ALL, limit=5)
            assert list_indexes(store) == {}
    postgres_server.drop_database(dsn)


def test_a_search_in_a_large_workspace_has_the_index_made(postgres_server: Databases, vectors: Vector) -> None:
    dsn = postgres_server.new_database()
    with opened(dsn) as store:
        keep(store, vectors[:COMPARED])
        store.keeper.make("chunks_vec_default", DIMENSIONS)
        assert list_indexes(store) == {}
        keep(store, vectors[: COMPARED + 1])  # all but the last are there already
        store.index.nearest(HERE, vectors[0], ALL, limit=5)
        wait_for_index(store, f"{DIMENSIONS}_hnsw_16_200")
    postgres_server.drop_database(dsn)


def test_many_writes_have_the_index_made(copy: str, vectors: Vector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "_UNSEARCHED", 400)
    monkeypatch.setattr(indexes.IndexKeeper, "open", lambda keeper: None)
    with opened(copy) as store:
        keep(store, vectors[:399], THERE)
        assert list_indexes(store) == {}
        keep(store, make_clusters(1, DIMENSIONS, seed=3), THERE)
        wait_for_index(store, f"{DIMENSIONS}_hnsw_16_200")


# -- of what kind


def test_other_options_and_other_kinds_are_made_anew(copy: str, vectors: Vector) -> None:
    queries = make_queries(vectors, 40)
    for settings, begin in (
        ({}, "hnsw_16_200"),
        ({"m": 8}, "hnsw_8_200"),
        ({"m": 8, "ef_construction": 64}, "hnsw_8_64"),
        (IVFFLAT, "ivfflat_100"),
        ({"index": "ivfflat", "lists": 50}, "ivfflat_50"),
        ({}, "hnsw_16_200"),
    ):
        with opened(copy, **settings) as store:
            wait_for_index(store, f"{DIMENSIONS}_{begin}")
            found = [store.index.nearest(HERE, query, ALL, limit=10) for query in queries]
            expected = [store.index.nearest(HERE, query, ALL, limit=10, exact=True) for query in queries]
            assert recall(found, expected) >= 0.95, begin


def test_another_way_to_search_is_no_reason_to_make_it_anew(copy: str) -> None:
    names = []
    for settings in ({}, {"ef_search": 40}):
        with opened(copy, **settings) as store:
            names.append(wait_for_index(store, f"{DIMENSIONS}_hnsw_16_200"))
    assert names[0] == names[1]


def test_lists_are_searched_as_widely_as_they_ask_for(copy: str, vectors: Vector) -> None:
    """One list would find half of it: the recall comes from the probes."""
    with opened(copy, **IVFFLAT) as store:
        wait_for_index(store, f"{DIMENSIONS}_ivfflat_100")
        assert store.keeper.plan.probes == 10
        queries = make_queries(vectors, 60)
        found = [store.index.nearest(HERE, query, ALL, limit=100) for query in queries]
        expected = [store.index.nearest(HERE, query, ALL, limit=100, exact=True) for query in queries]
        assert {len(candidates) for candidates in found} == {100}
        assert recall(found, expected) >= 0.97


def test_lists_get_the_memory_that_they_need(copy: str) -> None:
    with psycopg.connect(copy, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET maintenance_work_mem = '1MB'")
    with opened(copy, **IVFFLAT) as store:
        wait_for_index(store, f"{DIMENSIONS}_ivfflat_100")


@pytest.mark.parametrize(("lists", "probes"), [(1, 1), (2, 1), (100, 10), (1000, 32), (32768, 181)])
def test_probes_are_the_square_root_of_the_lists(lists: int, probes: int) -> None:
    assert IndexPlan(method="ivfflat", lists=lists).probes == probes


# -- while others work


def test_memories_are_written_and_found_while_the_index_is_made(copy: str, vectors: Vector) -> None:
    added = make_clusters(20, DIMENSIONS, seed=23)
    with opened(copy) as store, held_up(copy) as holding:
        wait_for_build(store)
        keep(store, added, THERE)
        (best,) = store.index.nearest(THERE, added[3], ALL, limit=1)
        assert best.score == pytest.approx(1.0, abs=1e-6)
        assert len(store.index.nearest(HERE, vectors[3], ALL, limit=100)) == 100
        assert list(list_indexes(store).values()) == [False]
        holding.rollback()
        wait_for_index(store, f"{DIMENSIONS}_hnsw_16_200")
        keep(store, added[:1], THERE)
        (best,) = store.index.nearest(THERE, added[3], ALL, limit=1)
        assert best.score == pytest.approx(1.0, abs=1e-6)


def test_closing_ends_a_build_which_the_next_start_takes_up(postgres_server: Databases, copy: str) -> None:
    with held_up(copy) as holding:
        with opened(copy) as store:
            wait_for_build(store)
            began = time.monotonic()
        assert time.monotonic() - began < PATIENCE_S, "the build that is held up is not waited for"
        wait_until(lambda: count_sessions(postgres_server, copy) == 1, "every connection but the test's to end")
        holding.rollback()
    with opened(copy) as store:
        wait_for_index(store, f"{DIMENSIONS}_hnsw_16_200")  # and the unfinished one is gone
    wait_until(lambda: count_sessions(postgres_server, copy) == 0, "every connection to end")


def test_what_a_given_up_build_left_goes_where_no_index_is_due(postgres_server: Databases, vectors: Vector) -> None:
    dsn = postgres_server.new_database()
    with opened(dsn) as store:
        keep(store, vectors[:100])
        with held_up(dsn), psycopg.connect(dsn, autocommit=True) as other:
            other.execute("SET lock_timeout = '3s'")  # an autovacuum of the table gives way after a second
            with pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute(store.keeper.plan.write("chunks_vec_default", DIMENSIONS, beside=True))
        assert list(list_indexes(store).values()) == [False]
    with opened(dsn) as store:
        assert list_indexes(store) == {}
    postgres_server.drop_database(dsn)


def open_elsewhere(dsn: str, ready: Barrier, done: Event) -> None:
    """In a process of its own: open the store when the other does, and close it when it is told to."""
    ready.wait()
    with opened(dsn):
        ready.wait()
        done.wait()


def test_of_two_processes_that_start_at_once_one_makes_the_index(copy: str) -> None:
    """Both are of use meanwhile, and the one that did not make it sees it."""
    spawning = get_context("spawn")
    ready, done = spawning.Barrier(2, timeout=PATIENCE_S), spawning.Event()
    other = spawning.Process(target=open_elsewhere, args=(copy, ready, done))
    other.start()
    try:
        with held_up(copy) as holding:
            ready.wait()
            with opened(copy) as store:
                ready.wait()
                wait_for_build(store)
                time.sleep(0.5)  # a second one would have begun
                assert len(list_indexes(store)) == 1
                holding.rollback()
                wait_for_index(store, f"{DIMENSIONS}_hnsw_16_200")
                assert store.index.nearest(HERE, make_clusters(1, DIMENSIONS)[0], ALL, limit=1)
    finally:
        done.set()
        other.join(PATIENCE_S)
    assert other.exitcode == 0

"""Vectors that lie in clusters, stores that hold them, and what should be found."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from app.backends.postgres import PostgresStore
from app.backends.postgres.derived import VECTORS
from app.backends.postgres.indexes import drop_nearest
from app.backends.postgres.statements import Connection, select_rows
from app.domain.change import Add, ChangeBatch
from app.domain.embedding import Vector
from app.domain.memory import MemoryDraft, MemoryKind, Scope
from app.domain.query import Candidate
from tests.app.contract.samples import HERE

_PART = 500


def make_clusters(count: int, dimensions: int, *, clusters: int = 60, seed: int = 7) -> Vector:
    """Vectors of unit length around some centres, of which some draw more than others."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((clusters, dimensions))
    chosen = random.choice(clusters, count, p=random.dirichlet(np.full(clusters, 0.5)))
    return _normalise(centres[chosen] + 0.6 * random.standard_normal((count, dimensions)))


def make_queries(vectors: Vector, count: int, *, seed: int = 11) -> Vector:
    """Vectors that are each near one of those given."""
    random = np.random.default_rng(seed)
    near = vectors[random.choice(len(vectors), count, replace=False)]
    return _normalise(near + random.standard_normal(near.shape) / np.sqrt(near.shape[1]))


def _normalise(vectors: NDArray[np.float64]) -> Vector:
    lengths: NDArray[np.float64] = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / lengths, np.float32)


def keep(
    store: PostgresStore,
    vectors: Vector,
    scope: Scope = HERE,
    *,
    tags: Mapping[str, Sequence[int]] | None = None,
    with_vectors: bool = True,
) -> None:
    """Commit a memory for each vector, in their order; tags are given by the places of those that have them."""
    tagged = {tag: frozenset(places) for tag, places in (tags or {}).items()}
    for start in range(0, len(vectors), _PART):
        changes = tuple(
            Add(
                draft=MemoryDraft(
                    kind=MemoryKind.PERSONAL,
                    content=f"memory {place}",
                    tags=tuple(tag for tag, places in tagged.items() if place in places),
                ),
                vector=vectors[place] if with_vectors else None,
            )
            for place in range(start, min(start + _PART, len(vectors)))
        )
        store.memories.commit(ChangeBatch(scope=scope, changes=changes))


def drop_index(store: PostgresStore) -> None:
    """Remove the index of the nearest: many vectors are written sooner without, and the index is made of them."""
    store.database.write(lambda connection: drop_nearest(connection, VECTORS))


def make_index(store: PostgresStore, dimensions: int) -> None:
    """Make the index of the nearest, also of fewer vectors than one is made for."""
    sql = store.keeper.plan.write(VECTORS, dimensions, beside=False)

    def work(connection: Connection) -> None:
        connection.execute(sql)

    store.database.write(work, statement_timeout_s=300.0)


def list_indexes(store: PostgresStore) -> dict[str, bool]:
    """The indexes of the nearest by their names, and whether they can be used."""
    sql = (
        "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE i.indrelid = %s::regclass AND c.relname LIKE %s"
    )
    with store.database.read() as connection:
        return dict(select_rows(connection, sql, (VECTORS, "chunks_vec_nearest_%")))


def recall(found: Sequence[Sequence[Candidate]], expected: Sequence[Sequence[Candidate]], best: int = 10) -> float:
    """The part of the best of each search that another found among its best."""
    hits = wanted = 0
    for one, other in zip(found, expected, strict=True):
        nearest = {candidate.number for candidate in other[:best]}
        hits += len(nearest & {candidate.number for candidate in one[:best]})
        wanted += len(nearest)
    return hits / wanted

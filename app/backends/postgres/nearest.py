"""How the vectors closest to one are found: by comparing all that come into question, or along the index.

Measured at 512 to 1,024 dimensions, a vector that is read and compared takes 3 to 6 microseconds, one that the index
leads to about twice as long, because its neighbours are compared too. The index holds the vectors of all workspaces: to
find 100 of a workspace, or of what a filter leaves, that is a hundredth of all, it is followed for 10,000. So what is
few, by itself or beside all that the index holds, is compared whole, which finds all.

What a filter leaves is compared up to more, because the index leads astray where that lies together and away from what
is searched for. Of more the index is followed for a few times as many as would do if they lay evenly; where that leads
to fewer than were wanted they lie elsewhere, and all that come into question are compared after all. Measured at 40,000
clustered vectors of 256 dimensions and filters that leave 16,000, 24,000 and 32,000 far away, recall@10 is 0.99, 1.00
and 1.00 in 30, 10 and 10 ms (p50; p95 60 to 80), where to compare all takes 60 to 120; at 4,000 and less it is 1.00.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.backends.identities import dump_identity, load_identity
from app.backends.postgres.indexes import COMPARED, IndexPlan, begin_name
from app.backends.postgres.statements import Connection, Row, select_rows
from app.backends.postgres.vectors import PackedVector
from app.domain.embedding import EmbeddingIdentity
from app.domain.memory import Scope

COMPARED_NARROWED = 10_000
"""At most so many of what a filter leaves of a workspace are always compared: in about 50 ms."""
_DEARER = 2
"""What a vector that the index leads to takes, in vectors that are compared."""
_SPARE = 20
"""So many more than are wanted are taken from the index, whose half precision may put one in the wrong place."""
_MISJUDGED = 1.5
"""An estimate of up to so many times what is compared does not keep from trying."""
_WIDENED, _WIDEST = 4, 1000
"""The index is searched so much more widely where it holds more than is in question, as widely as pgvector can."""
_STRAYED = 4
"""Below a filter the index is followed for so many times what leads to enough memories that lie evenly in it."""

_LOOK = (
    "SELECT (SELECT value FROM store_facts WHERE name = 'embedding'), w.number,"
    " (SELECT coalesce(sum(memories), 0)::bigint FROM tallies WHERE workspace = w.number),"
    " (SELECT reltuples::bigint FROM pg_class WHERE oid = 'chunks_vec_default'::regclass),"
    " EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " WHERE i.indrelid = 'chunks_vec_default'::regclass AND i.indisvalid AND starts_with(c.relname, %s))"
    " FROM (SELECT) AS one LEFT JOIN workspaces w ON tenant_id = %s AND workspace_id = %s"
)
_ESTIMATE = "EXPLAIN (FORMAT JSON) SELECT FROM chunks_default WHERE workspace = %s{}"
_SAME = "EXISTS (SELECT FROM store_facts WHERE name = 'embedding' AND value = %s)"
_COMPARE = (
    "SELECT number, 1 - distance FROM (SELECT v.number, v.embedding <=> %s::vector AS distance"
    " FROM chunks_default c JOIN chunks_vec_default v ON v.number = c.number"
    f" WHERE c.workspace = %s{{}} AND {_SAME}) AS found ORDER BY distance, number LIMIT %s"
)
_COMPARE_FEW = (
    "WITH few AS MATERIALIZED (SELECT number FROM chunks_default WHERE workspace = %s{} LIMIT {} + 1)"
    " SELECT NULL, NULL FROM few HAVING count(*) > {} UNION ALL"
    " (SELECT number, 1 - distance FROM (SELECT v.number, v.embedding <=> %s::vector AS distance"
    " FROM few JOIN chunks_vec_default v ON v.number = few.number"
    f" WHERE (SELECT count(*) FROM few) <= {{}} AND {_SAME}) AS found ORDER BY distance, number LIMIT %s)"
)
_FOLLOW = (
    "WITH found AS MATERIALIZED (SELECT v.number, v.embedding <=> %s::vector AS distance"
    " FROM chunks_vec_default v JOIN chunks_default c ON c.number = v.number"
    f" WHERE v.workspace = %s{{}} AND vector_dims(v.embedding) = {{}} AND {_SAME}"
    " ORDER BY v.embedding::halfvec({}) <=> %s::vector::halfvec({}) LIMIT %s)"
    " SELECT number, 1 - distance FROM found ORDER BY distance, number LIMIT %s"
)
_SETTINGS = (
    "SELECT set_config('enable_sort', 'off', true), set_config('enable_seqscan', 'off', true),"
    " set_config('enable_bitmapscan', 'off', true), set_config('enable_material', 'off', true),"
    " set_config('hnsw.ef_search', %s, true), set_config('hnsw.iterative_scan', 'relaxed_order', true),"
    " set_config('hnsw.max_scan_tuples', %s, true), set_config('hnsw.scan_mem_multiplier', '4', true),"
    " set_config('ivfflat.probes', %s, true), set_config('ivfflat.iterative_scan', 'relaxed_order', true)"
)
"""What comes in the order of the index is not sorted again, and each row is looked up by its number: no other plan is
left. The plan for any values, which the server takes when a statement was repeated, would else go through all that a
filter leaves for every row: 0.8 s where this takes 0.02."""
_BY_INDEX = "SELECT set_config('enable_seqscan', 'off', true)"
"""Whoever hopes to find enough soon would else read all workspaces."""

Found = list[tuple[int, float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A workspace, how many memories are in it by the tallies, how many vectors are in the store by its statistics.

    `indexed` says whether the index of the nearest is there.
    """

    workspace: int
    population: int
    total: int
    indexed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """What a search sees first: the store's embedding, the workspace if it is there, perhaps how many are in question.

    The `estimate` is the planner's, of the memories that meet the conditions.
    """

    stamped: EmbeddingIdentity | None
    place: Place | None
    estimate: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is searched for: a vector of an embedding, among the memories that meet conditions, each led by AND."""

    identity: EmbeddingIdentity
    vector: PackedVector
    where: str
    values: Sequence[Any]
    limit: int


def look(connection: Connection, scope: Scope, dimensions: int) -> Sight:
    """The store's embedding and a workspace."""
    return _see(select_rows(connection, _LOOK, (begin_name(dimensions), scope.tenant_id, scope.workspace_id)))


def look_closely(connection: Connection, scope: Scope, workspace: int, question: Question) -> Sight:
    """The same in the same round trip with an estimate of how many memories come into question.

    `workspace` is the number that the workspace had when it was looked at before; if it has another, there is none.
    """
    values = (begin_name(question.identity.dimensions), scope.tenant_id, scope.workspace_id)
    with connection.pipeline():
        looked = connection.execute(_LOOK, values)
        planned = connection.execute(_ESTIMATE.format(question.where), (workspace, *question.values))
    ((plans,),) = planned.fetchall()
    return _see(looked.fetchall(), workspace, float(plans[0]["Plan"]["Plan Rows"]))


def _see(rows: list[Row], workspace: int | None = None, estimate: float | None = None) -> Sight:
    ((stamped, number, population, total, indexed),) = rows
    if number is None:
        return Sight(stamped=load_identity(stamped), place=None)
    # where there are no statistics yet, the workspace is taken for the whole
    place = Place(workspace=number, population=population, total=max(total, population), indexed=indexed)
    return Sight(stamped=load_identity(stamped), place=place, estimate=estimate if number == workspace else None)


def count_compared(place: Place, limit: int, *, narrowed: bool) -> int:
    """How many memories are compared: as many as take no longer than to follow the index to what is wanted of them."""
    as_quick = math.isqrt(_DEARER * (limit + _SPARE) * place.total)
    return max(COMPARED_NARROWED if narrowed else COMPARED, as_quick)


def compare(connection: Connection, place: Place, question: Question) -> Found:
    """The closest of all memories that come into question."""
    stamp = dump_identity(question.identity)
    values = (question.vector, place.workspace, *question.values, stamp, question.limit)
    return _read(select_rows(connection, _COMPARE.format(question.where), values))


def compare_few(connection: Connection, place: Place, question: Question, estimate: float) -> Found | None:
    """The closest of the memories that come into question, an estimated number; None where they are too many."""
    most = count_compared(place, question.limit, narrowed=True)
    if estimate > _MISJUDGED * most:
        return None
    stamp = dump_identity(question.identity)
    values = (place.workspace, *question.values, question.vector, stamp, question.limit)
    rows = _select_with(connection, _BY_INDEX, (), _COMPARE_FEW.format(question.where, most, most, most), values)
    return None if rows and rows[0][0] is None else _read(rows)


def follow(
    connection: Connection, place: Place, question: Question, plan: IndexPlan, *, estimate: float | None = None
) -> Found:
    """The closest that the index leads to; below a filter `estimate` is how many memories it leaves, about."""
    return _read(follow_with(connection, place, question, plan, estimate=estimate))


def follow_with(
    connection: Connection,
    place: Place,
    question: Question,
    plan: IndexPlan,
    *,
    estimate: float | None = None,
    verb: str = "",
) -> list[Row]:
    """The rows of the statement that follows the index; with the verb EXPLAIN the server tells how it would."""
    dimensions, wanted = question.identity.dimensions, question.limit + _SPARE
    astray = _WIDENED * place.population < place.total
    wide = min(_WIDENED * plan.ef_search, _WIDEST) if astray or estimate is not None else plan.ef_search
    most = count_compared(place, question.limit, narrowed=estimate is not None)
    if estimate is not None:
        most = min(most, math.ceil(_STRAYED * wanted * max(place.total / max(estimate, 1), 1)))
    values: tuple[Any, ...] = (question.vector, place.workspace, *question.values)
    values += (dump_identity(question.identity), question.vector, wanted, question.limit)
    sql = verb + _FOLLOW.format(question.where, dimensions, dimensions, dimensions)
    return _select_with(connection, _SETTINGS, (str(wide), str(most), str(plan.probes)), sql, values)


def _select_with(
    connection: Connection, settings: str, chosen: Sequence[str], sql: str, values: Sequence[Any]
) -> list[Row]:
    """The rows of a statement under settings of its own, in one round trip."""
    with connection.pipeline(), connection.transaction():
        connection.execute(settings, chosen or None)
        rows = connection.execute(sql, values)
    return rows.fetchall()


def _read(rows: list[Row]) -> Found:
    return [(int(number), float(cosine)) for number, cosine in rows]

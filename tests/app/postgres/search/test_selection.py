"""Filters as SQL mean what they mean in Python."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backends.documents import dump_json
from app.backends.postgres.selection import select_filter, select_held
from app.backends.postgres.statements import Connection
from app.domain.filters import holds, passes
from app.domain.memory import Layer, Memory, MemoryKind, Origin
from app.domain.query import Comparison, Condition, MemoryFilter
from tests.app.contract.samples import HERE
from tests.servers.postgres import Databases

pytestmark = pytest.mark.xdist_group("postgres")

MEMORY = Memory(
    id="1",
    scope=HERE,
    kind=MemoryKind.PERSONAL,
    layer=Layer.RAW,
    content="tea",
    when_to_use="",
    user_id="",
    author="",
    tags=(),
    metadata={},
    details={},
    score=0.0,
    frequency=0,
    utility=0.0,
    origin=Origin(),
    source_ids=(),
    slot="",
    created_ms=50,
    updated_ms=50,
    valid_from_ms=50,
    valid_to_ms=None,
    deleted_ms=None,
    superseded=False,
    revision_of="",
    seq=1,
    version=1,
    hlc=1,
    node_id="n",
)
_ROW = (
    "SELECT FROM (SELECT %s::text AS kind, %s::text AS layer, %s::text AS author, %s::text AS user_id, %s::text[] AS tags,"
    " %s::jsonb AS facets, %s::bigint AS created_at, %s::bigint AS valid_from, %s::bigint AS valid_to,"
    " %s::bigint AS deleted_at, %s::boolean AS superseded) AS chunks_default"
)

TEXTS = st.sampled_from(["", "a", "B", "é", "tea", "茶", "\uffff", "\U0001f375", "%s", "{}", "'\"\\", "1", "true"])
NUMBERS = st.sampled_from([0, 1, -1, 2**53 + 1, 2**63, -0.0, 0.1, 1.0, 1.5, 1e300, 5e-324, float(2**53)])
SCALARS = st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    st.none() | SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=2)
)
KEYS = st.sampled_from(["k", "x.y", "%s", "{}", "'\"\\", "键"])
CONDITIONS = st.builds(
    Condition, key=KEYS, comparison=st.just(Comparison.EXISTS), values=st.booleans().map(lambda value: (value,))
) | st.builds(
    Condition,
    key=KEYS,
    comparison=st.sampled_from([each for each in Comparison if each not in (Comparison.EXISTS, Comparison.IN)]),
    values=SCALARS.map(lambda value: (value,)),
)
MOMENTS = st.none() | st.integers(48, 52)


@pytest.fixture(scope="module")
def connection(postgres_server: Databases) -> Iterator[Connection]:
    """A connection to a server with no store in it."""
    with psycopg.connect(postgres_server.dsn, autocommit=True) as opened:
        yield opened


def evaluate(connection: Connection, memory: Memory, where: str, values: list[Any]) -> bool:
    """Whether a memory meets the conditions of a WHERE clause."""
    row = (
        memory.kind.value,
        memory.layer.value,
        memory.author,
        memory.user_id,
        list(memory.tags),
        dump_json(memory.metadata),
        memory.created_ms,
        memory.valid_from_ms,
        memory.valid_to_ms,
        memory.deleted_ms,
        memory.superseded,
    )
    return connection.execute(f"{_ROW} WHERE true{where}", (*row, *values)).fetchone() is not None


@given(metadata=st.dictionaries(KEYS, VALUES, max_size=2), condition=CONDITIONS)
def test_a_condition_means_the_same(connection: Connection, metadata: dict[str, Any], condition: Condition) -> None:
    memory, wanted = replace(MEMORY, metadata=metadata), MemoryFilter(conditions=(condition,))
    assert evaluate(connection, memory, *select_filter(wanted)) is passes(memory, wanted)


@given(value=VALUES, wanted=st.lists(SCALARS, min_size=1, max_size=3).map(tuple))
def test_one_of_several_values_means_the_same(connection: Connection, value: Any, wanted: tuple[Any, ...]) -> None:
    memory = replace(MEMORY, metadata={"k": value})
    one_of = MemoryFilter(conditions=(Condition(key="k", comparison=Comparison.IN, values=wanted),))
    assert evaluate(connection, memory, *select_filter(one_of)) is passes(memory, one_of)


@given(
    tags=st.lists(st.sampled_from(["a", "b", "茶", "NULL", "{}"]), unique=True).map(tuple),
    user_id=st.sampled_from(["", "ann", "bob"]),
    wanted=st.builds(
        MemoryFilter,
        kinds=st.lists(st.sampled_from(MemoryKind), max_size=2).map(tuple),
        layers=st.lists(st.sampled_from(Layer), max_size=1).map(tuple),
        authors=st.sampled_from([(), ("",), ("me", "")]),
        user_ids=st.sampled_from([(), ("ann",), ("ann", ""), ("",)]),
        tags=st.lists(st.sampled_from(["a", "茶", "NULL"]), max_size=2).map(tuple),
        created_from_ms=MOMENTS,
        created_to_ms=MOMENTS,
    ),
)
def test_the_other_parts_of_a_filter_mean_the_same(
    connection: Connection, tags: tuple[str, ...], user_id: str, wanted: MemoryFilter
) -> None:
    memory = replace(MEMORY, tags=tags, user_id=user_id)
    assert evaluate(connection, memory, *select_filter(wanted)) is passes(memory, wanted)


@given(
    memory=st.builds(
        lambda **times: replace(MEMORY, **times),
        created_ms=st.integers(48, 52),
        valid_from_ms=st.integers(48, 52),
        valid_to_ms=MOMENTS,
        deleted_ms=MOMENTS,
        superseded=st.booleans(),
    ),
    as_of_ms=MOMENTS,
    now_ms=st.integers(48, 52),
)
def test_what_holds_means_the_same(connection: Connection, memory: Memory, as_of_ms: int | None, now_ms: int) -> None:
    held = holds(memory, as_of_ms, now_ms=now_ms)
    assert evaluate(connection, memory, *select_held(as_of_ms, now_ms=now_ms)) is held

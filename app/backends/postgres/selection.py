"""A memory filter as SQL over `chunks_`, for searches and for listings: what `app.domain.filters` means by it.

The columns are those of `chunks_` alone and stand without the table's name. Tags, equal values and their negation are
found by indexes; other conditions are looked up in the rows that the rest of a statement leaves.
"""

from collections.abc import Mapping
from typing import Any

from app.backends.documents import dump_json
from app.domain.query import Comparison, Condition, MemoryFilter, Scalar

_ORDERS: Mapping[Comparison, str] = {
    Comparison.GT: ">",
    Comparison.GTE: ">=",
    Comparison.LT: "<",
    Comparison.LTE: "<=",
}
_HOLDS_ONE = (
    "CASE jsonb_typeof(facets -> %s) WHEN '{sort}' THEN {scalar}"
    " WHEN 'array' THEN EXISTS (SELECT FROM jsonb_array_elements(facets -> %s) AS each"
    " WHERE jsonb_typeof(each) = '{sort}' AND {element}) ELSE false END"
)
"""A value of the sort of what it is compared with, or a list with one; a key that is missing has no sort."""


def select_filter(memory_filter: MemoryFilter) -> tuple[str, list[Any]]:
    """The conditions to add to a WHERE clause, each led by AND, and their values."""
    parts: list[str] = []
    values: list[Any] = []

    def require(sql: str, *bound: object) -> None:
        parts.append(f" AND {sql}")
        values.extend(bound)

    for column, wanted in (
        ("kind", [kind.value for kind in memory_filter.kinds]),
        ("layer", [layer.value for layer in memory_filter.layers]),
        ("author", list(memory_filter.authors)),
        ("user_id", list(memory_filter.user_ids)),
    ):
        if wanted:
            require(f"{column} = ANY(%s::text[])", wanted)
    if memory_filter.user_ids and "" not in memory_filter.user_ids:
        require("user_id <> ''")  # for the index of users, which leaves out ''
    if memory_filter.created_from_ms is not None:
        require("created_at >= %s::bigint", memory_filter.created_from_ms)
    if memory_filter.created_to_ms is not None:
        require("created_at < %s::bigint", memory_filter.created_to_ms)
    if memory_filter.tags:
        require("tags @> %s::text[]", list(memory_filter.tags))
    for condition in memory_filter.conditions:
        sql, bound = _select_condition(condition)
        require(sql, *bound)
    return "".join(parts), values


def select_held(as_of_ms: int | None, *, now_ms: int) -> tuple[str, list[Any]]:
    """The same for the memories that are searched: those that stand now, or that held as of a moment."""
    if as_of_ms is None:
        return (
            " AND deleted_at IS NULL AND NOT superseded AND (valid_to IS NULL OR valid_to > %s::bigint)"
            # what is planned waits for its time; a wall clock that ran back hides nothing that was said
            " AND valid_from <= greatest(created_at, %s::bigint)"
        ), [now_ms, now_ms]
    return (" AND deleted_at IS NULL AND valid_from <= %s::bigint AND (valid_to IS NULL OR %s::bigint < valid_to)"), [
        as_of_ms,
        as_of_ms,
    ]


def _select_condition(condition: Condition) -> tuple[str, list[Any]]:
    match condition.comparison:
        case Comparison.EXISTS:
            return f"{'' if condition.values[0] else 'NOT '}facets ? %s", [condition.key]
        case Comparison.EQ | Comparison.IN | Comparison.NE:
            equal = [
                dump_json({condition.key: each}) for value in condition.values for each in (value, [value])
            ]  # an object holds another whose list has the elements of its own
            negated = "NOT " if condition.comparison is Comparison.NE else ""
            return f"{negated}({' OR '.join(['facets @> %s::jsonb'] * len(equal))})", list(equal)
        case _:
            return _select_order(condition.key, condition.values[0], _ORDERS[condition.comparison])


def _select_order(key: str, value: Scalar, order: str) -> tuple[str, list[Any]]:
    """A value, or one of a list, of the same sort and in this order to another; texts by their code points."""
    if isinstance(value, str):
        sort, scalar, element = "string", "facets ->> %s", "each #>> '{}'"
        given, bound = 'COLLATE "C" {} %s::text', value
    else:
        sort, scalar, element = "boolean" if isinstance(value, bool) else "number", "facets -> %s", "each"
        given, bound = "{} %s::jsonb", dump_json(value)
    compared = given.format(order)
    sql = _HOLDS_ONE.format(sort=sort, scalar=f"{scalar} {compared}", element=f"{element} {compared}")
    return sql, [key, key, bound, key, bound]

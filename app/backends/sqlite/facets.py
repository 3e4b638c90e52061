"""The index of tags and metadata: which memories have a value."""

from collections.abc import Iterable, Iterator
from itertools import chain
from math import inf

import apsw
import numpy as np
from numpy.typing import NDArray

from app.backends.sqlite.statements import select_numbers
from app.domain.memory import JsonObject
from app.domain.query import Comparison, Condition, Scalar

TAG, SCALAR, TRUTH, OTHER = "#", ".", "?", "!"
"""What a name begins with: tags, then metadata keys by the type of their value. OTHER marks keys without a scalar."""
Facet = tuple[int, str, Scalar, int]
_INT64, _FLOAT = 2**63, 2**1023
_OPERATORS = {Comparison.GT: ">", Comparison.GTE: ">=", Comparison.LT: "<", Comparison.LTE: "<="}


def list_facets(workspace: int, number: int, tags: tuple[str, ...], metadata: JsonObject) -> Iterator[Facet]:
    """The index rows of a memory: its tags, and its metadata's first level.

    A list counts as each of its scalars, so that a condition holds when one of them meets it.
    """
    for tag in dict.fromkeys(tags):
        yield workspace, TAG, tag, number
    for key, value in metadata.items():
        values = value if isinstance(value, list | tuple) else (value,)
        named = {name_value(key, scalar) for scalar in values if isinstance(scalar, str | int | float)}
        for name, scalar in named or {(OTHER + key, 1)}:
            yield workspace, name, scalar, number


def name_value(key: str, value: Scalar) -> tuple[str, Scalar]:
    """The name and value under which a scalar is indexed: true and false are not the numbers 1 and 0."""
    if isinstance(value, bool):
        return TRUTH + key, int(value)
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        value = float(value) if abs(value) < _FLOAT else (inf if value > 0 else -inf)
    return SCALAR + key, value


def insert_facets(connection: apsw.Connection, facets: Iterable[Facet]) -> None:
    """Add index rows; one that is there already stays."""
    connection.executemany("INSERT OR IGNORE INTO chunks_facets_default VALUES (?, ?, ?, ?)", facets)


def delete_facets(connection: apsw.Connection, facets: Iterable[Facet]) -> None:
    """Remove index rows."""
    connection.executemany(
        "DELETE FROM chunks_facets_default WHERE workspace = ? AND name = ? AND value = ? AND number = ?", facets
    )


def find_numbers(
    connection: apsw.Connection,
    workspace: int,
    where: str,
    values: tuple[Scalar, ...],
    *,
    among: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """The numbers of the memories with a facet that a selection names, of all or among some."""
    if among is not None and not len(among):
        return np.empty(0, np.int64)
    listed = "" if among is None else f" AND number IN ({','.join(map(str, among.tolist()))})"
    sql = f"SELECT number FROM chunks_facets_default WHERE workspace = ? AND {where}{listed}"
    return select_numbers(connection, sql, (workspace, *values))


def is_met_by(condition: Condition) -> bool:
    """Whether a condition holds for the rows that its selection lists, or for all others."""
    if condition.comparison is Comparison.EXISTS:
        return bool(condition.values[0])
    return condition.comparison is not Comparison.NE


def select_condition(condition: Condition) -> tuple[str, tuple[Scalar, ...]]:
    """A condition over the index's name and value, and what is bound."""
    match condition.comparison:
        case Comparison.EXISTS:
            return "name IN (?, ?, ?)", tuple(prefix + condition.key for prefix in (SCALAR, TRUTH, OTHER))
        case Comparison.EQ | Comparison.IN | Comparison.NE:
            pairs = [name_value(condition.key, value) for value in condition.values]
            return f"(name, value) IN (VALUES {', '.join(['(?, ?)'] * len(pairs))})", tuple(chain(*pairs))
        case _:
            name, value = name_value(condition.key, condition.values[0])
            kind = "'text'" if isinstance(value, str) else "'integer', 'real'"
            return f"name = ? AND value {_OPERATORS[condition.comparison]} ? AND typeof(value) IN ({kind})", (
                name,
                value,
            )

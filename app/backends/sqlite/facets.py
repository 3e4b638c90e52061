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


def _numbers(connection: apsw.Connection, where: str, values: tuple[Scalar, ...]) -> NDArray[np.int64]:
    return select_numbers(connection, f"SELECT number FROM chunks_facets_default WHERE {where}", values)


def find_tagged(connection: apsw.Connection, workspace: int, tag: str) -> NDArray[np.int64]:
    """The numbers of the memories with a tag."""
    return _numbers(connection, "workspace = ? AND name = ? AND value = ?", (workspace, TAG, tag))


def find_meeting(connection: apsw.Connection, workspace: int, condition: Condition) -> tuple[NDArray[np.int64], bool]:
    """The numbers that a condition lists, and whether they are the ones that meet it or that fail it."""
    where, bound = select_condition(condition)
    return _numbers(connection, f"workspace = ? AND {where}", (workspace, *bound)), is_met_by(condition)


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

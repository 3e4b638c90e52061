"""What an expression of Prometheus asks for: its series, and the labels that it filters and groups by."""

from collections.abc import Iterator
from typing import Any

import promql_parser


def list_selectors(expression: str) -> list[tuple[str, frozenset[str]]]:
    """Each series with the labels that are asked of it: its matchers, and what the aggregations around it group by."""
    return list(_walk(promql_parser.parse(expression), frozenset()))


def _walk(node: Any, grouped: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node.name or "", grouped | {matcher.name for matcher in node.matchers.matchers}
    elif isinstance(node, promql_parser.MatrixSelector):
        yield from _walk(node.vector_selector, grouped)
    elif isinstance(node, promql_parser.AggregateExpr):
        labels = frozenset(node.modifier.labels) if node.modifier else frozenset()
        yield from _walk(node.expr, grouped | labels)
    elif isinstance(node, promql_parser.BinaryExpr):
        yield from _walk(node.lhs, grouped)
        yield from _walk(node.rhs, grouped)
    elif isinstance(node, promql_parser.Call):
        for each in node.args:
            yield from _walk(each, grouped)
    elif isinstance(node, (promql_parser.ParenExpr, promql_parser.UnaryExpr)):
        yield from _walk(node.expr, grouped)
    elif not isinstance(node, (promql_parser.NumberLiteral, promql_parser.StringLiteral)):
        raise TypeError(f"no way into {type(node).__name__}")

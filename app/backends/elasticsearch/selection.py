"""Filters and moments as queries that only include or exclude; `app.domain.filters` says what they mean."""

from typing import Any

from app.backends.elasticsearch.facets import select_condition
from app.domain.memory import Scope
from app.domain.query import MemoryFilter

Query = dict[str, Any]


def name_workspace(scope: Scope) -> str:
    """A workspace as one keyword; ids have no slash."""
    return f"{scope.tenant_id}/{scope.workspace_id}"


def select_workspace(scope: Scope) -> Query:
    """All of a workspace."""
    return {"term": {"workspace": name_workspace(scope)}}


def select(scope: Scope, wanted: MemoryFilter, *, now_ms: int, as_of_ms: int | None) -> Query:
    """What of a workspace passes a filter and holds now or held at a moment."""
    included: list[Query] = [select_workspace(scope)]
    excluded: list[Query] = []
    for field, values in (
        ("kind", [kind.value for kind in wanted.kinds]),
        ("layer", [layer.value for layer in wanted.layers]),
        ("author", list(wanted.authors)),
        ("user_id", list(wanted.user_ids)),
    ):
        if values:
            included.append({"terms": {field: values}})
    included += [{"term": {"tags": tag}} for tag in wanted.tags]
    if wanted.created_from_ms is not None:
        included.append({"range": {"created_ms": {"gte": wanted.created_from_ms}}})
    if wanted.created_to_ms is not None:
        included.append({"range": {"created_ms": {"lt": wanted.created_to_ms}}})
    for condition in wanted.conditions:
        query, is_met = select_condition(scope, condition)
        (included if is_met else excluded).append(query)
    if as_of_ms is None:
        excluded += [
            {"term": {"superseded": True}},
            {"range": {"valid_to_ms": {"lte": now_ms}}},
            {"range": {"planned_ms": {"gt": now_ms}}},
        ]
    else:
        included.append({"range": {"valid_from_ms": {"lte": as_of_ms}}})
        excluded.append({"range": {"valid_to_ms": {"lte": as_of_ms}}})
    return {"bool": {"filter": included, "must_not": excluded}}

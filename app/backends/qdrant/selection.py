"""Filters and moments as conditions of Qdrant, meaning what `app.domain.filters` says.

Whether a key has a value is a match of the word for it (`order.fact`); which value is larger, a range over places
(`order.place`). A place holds twelve bytes of a text: where a bound has as many, Qdrant lets those pass whose place is
the same, and `Selection.admits` compares the whole texts, which such points carry.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from qdrant_client import models

from app.backends.qdrant.order import Place, fact, place
from app.backends.qdrant.points import ordered_name, workspace_of
from app.domain.memory import Scope
from app.domain.query import Comparison, Condition, MemoryFilter

_BOUNDS: Mapping[Comparison, Callable[[Any, Any], bool]] = {
    Comparison.GT: operator.gt,
    Comparison.GTE: operator.ge,
    Comparison.LT: operator.lt,
    Comparison.LTE: operator.le,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """A bound on the texts of a key that a place does not tell in full."""

    name: str
    comparison: Comparison
    place: Place

    def admits(self, ordered: list[dict[str, Any]]) -> bool:
        """Whether one of the places of a point is within the bound."""
        mine = (self.place.high, self.place.low, self.place.text)
        return any(
            _BOUNDS[self.comparison]((one["high"], one["low"], one.get("text", "")), mine)
            for one in ordered
            if one["name"] == self.name
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The condition that Qdrant checks, and what it leaves to be checked of the points that it returns."""

    condition: models.Filter
    bounds: tuple[Bound, ...] = ()

    @property
    def fields(self) -> list[str]:
        """What is to be returned of a point's payload to check it."""
        return ["ordered"] if self.bounds else []

    def admits(self, payload: Mapping[str, Any] | None) -> bool:
        """Whether a point that Qdrant let pass is meant."""
        return all(bound.admits((payload or {}).get("ordered", [])) for bound in self.bounds)


def select(scope: Scope, wanted: MemoryFilter, *, mark: str, now_ms: int, as_of_ms: int | None) -> Selection:
    """What selects the memories of a workspace that hold and pass, in the collection of a mark."""
    must: list[models.Condition] = [_match("workspace", workspace_of(scope, mark)), *_hold(now_ms, as_of_ms)]
    must_not: list[models.Condition] = []
    listed = {
        "kind": [kind.value for kind in wanted.kinds],
        "layer": [layer.value for layer in wanted.layers],
        "author": list(wanted.authors),
        "user_id": list(wanted.user_ids),
    }
    must += [_match_any(field, values) for field, values in listed.items() if values]
    must += [_match("tags", tag) for tag in wanted.tags]
    if wanted.created_from_ms is not None or wanted.created_to_ms is not None:
        must.append(_within("created_ms", gte=wanted.created_from_ms, lt=wanted.created_to_ms))
    bounds = []
    for condition in wanted.conditions:
        if condition.comparison in _BOUNDS:
            bound = place(condition.values[0])
            if bound is None:
                raise TypeError(f"a bound of sort {type(condition.values[0]).__name__}")
            must.append(_beyond(condition, bound))
            if bound.text:
                name = ordered_name(condition.key, bound.sort)
                bounds.append(Bound(name=name, comparison=condition.comparison, place=bound))
        else:
            words, negated = _words(condition)
            (must_not if negated else must).append(words)
    return Selection(condition=models.Filter(must=must, must_not=must_not or None), bounds=tuple(bounds))


def _hold(now_ms: int, as_of_ms: int | None) -> list[models.Condition]:
    """What holds now, or as of a moment; `opens_ms` is when a planned memory begins, and never for a superseded one."""
    if as_of_ms is None:
        return [_within("opens_ms", lte=now_ms), _within("valid_to_ms", gt=now_ms)]
    return [_within("valid_from_ms", lte=as_of_ms), _within("valid_to_ms", gt=as_of_ms)]


def _words(condition: Condition) -> tuple[models.Condition, bool]:
    """The condition that asks for words, and whether it must not hold."""
    if condition.comparison is Comparison.EXISTS:
        return _match("keys", condition.key), not condition.values[0]
    words = [word for value in condition.values if (word := fact(condition.key, value)) is not None]
    return _match_any("facts", words), condition.comparison is Comparison.NE


def _beyond(condition: Condition, bound: Place) -> models.Condition:
    """One of the key's values is beyond the bound, or at its place where that does not tell."""
    operand = condition.comparison
    upwards = operand in (Comparison.GT, Comparison.GTE)
    further = "gt" if upwards else "lt"
    last = further + "e" if bound.text or operand in (Comparison.GTE, Comparison.LTE) else further
    same_high: list[models.Condition] = [
        _within("high", gte=bound.high, lte=bound.high),
        _within("low", **{last: bound.low}),
    ]
    beyond = models.Filter(should=[_within("high", **{further: bound.high}), models.Filter(must=same_high)])
    name = _match("name", ordered_name(condition.key, bound.sort))
    return models.NestedCondition(nested=models.Nested(key="ordered", filter=models.Filter(must=[name, beyond])))


def _match(field: str, value: str) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))


def _match_any(field: str, values: list[str]) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchAny(any=values))


def _within(field: str, **bounds: int | None) -> models.FieldCondition:
    return models.FieldCondition(key=field, range=models.Range(**bounds))

"""Memories as Chroma's metadata, and filters as its `where`.

A `where` knows equality, lists of texts, and ranges of numbers. So a record has the list of what it is equal to
("facets"), the least and the greatest number under each key, and as one text the facts that a filter looks at. A
`where` may let through what does not pass (a range of texts, a statement that has ended); that is left out by the
facts. It never keeps out what passes.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, TypeAlias

from app.domain.memory import Json, Layer, Memory, MemoryKind, Origin, Scope
from app.domain.query import Comparison, Condition, MemoryFilter, Scalar

Record: TypeAlias = dict[str, Any]
"""Chroma's metadata of a record: texts, numbers, truth values and lists of texts."""
Where: TypeAlias = dict[str, Any]
"""What Chroma is to find: a key with what it is compared with, or several of these under $and or $or."""

NEVER_MS = 1 << 62
"""The end of what has none."""
_FACTS, _FACETS, _PLACE, _STANDING = "facts", "facets", "place", "standing"
_RANGES = {
    Comparison.GT: ("high", "$gte"),
    Comparison.GTE: ("high", "$gte"),
    Comparison.LT: ("low", "$lte"),
    Comparison.LTE: ("low", "$lte"),
}
"""The ends are let through, since Chroma compares in double precision."""


def write_record(memory: Memory) -> Record:
    """The record of a memory. `standing` is its workspace unless it is superseded, so most searches need one key."""
    place = _name_place(memory.scope)
    record: Record = {
        _PLACE: place,
        "kind": memory.kind.value,
        "layer": memory.layer.value,
        "author": memory.author,
        "user": memory.user_id,
        "created": memory.created_ms,
        "from": memory.valid_from_ms,
        "to": NEVER_MS if memory.valid_to_ms is None else memory.valid_to_ms,
        _FACTS: json.dumps(_list_facts(memory), ensure_ascii=False, separators=(",", ":")),
    }
    if not memory.superseded:
        record[_STANDING] = place
    facets = {_name_tag(tag) for tag in memory.tags}
    for key, value in memory.metadata.items():
        facets.add(_name_key(key))
        elements = list(_list_elements(value))
        facets |= {_name_value(key, element) for element in elements}
        numbers = [_to_double(one) for one in elements if not isinstance(one, bool | str)]
        if numbers:
            record[_name_range("low", key)], record[_name_range("high", key)] = min(numbers), max(numbers)
    record[_FACETS] = sorted(facets) or ["none"]
    return record


def replace_record(record: Record, before: Mapping[str, Any]) -> Record:
    """The record that takes another's place: Chroma keeps what is not said to be none."""
    return {**dict.fromkeys(before.keys() - record.keys()), **record}


def read_facts(record: Mapping[str, Any], scope: Scope) -> Memory:
    """A memory with what filters and moments look at; everything else is empty."""
    facts = json.loads(record[_FACTS])
    return Memory(
        id="",
        scope=scope,
        kind=MemoryKind(facts["kind"]),
        layer=Layer(facts["layer"]),
        content="",
        when_to_use="",
        user_id=facts["user"],
        author=facts["author"],
        tags=tuple(facts["tags"]),
        metadata=facts["metadata"],
        details={},
        score=0.0,
        frequency=0,
        utility=0.0,
        origin=Origin(),
        source_ids=(),
        slot="",
        created_ms=facts["created"],
        updated_ms=facts["created"],
        valid_from_ms=facts["from"],
        valid_to_ms=facts["to"],
        deleted_ms=None,
        superseded=facts["superseded"],
        revision_of="",
        seq=0,
        version=1,
        hlc=0,
        node_id="",
    )


def _list_facts(memory: Memory) -> dict[str, Json]:
    return {
        "kind": memory.kind.value,
        "layer": memory.layer.value,
        "author": memory.author,
        "user": memory.user_id,
        "tags": memory.tags,
        "metadata": memory.metadata,
        "created": memory.created_ms,
        "from": memory.valid_from_ms,
        "to": memory.valid_to_ms,
        "superseded": memory.superseded,
    }


def select(scope: Scope, wanted: MemoryFilter, *, as_of_ms: int | None) -> Where:
    """A `where` that every memory meets that passes the filter and holds now, or as of a moment."""
    parts: list[Where] = [{(_STANDING if as_of_ms is None else _PLACE): _name_place(scope)}]
    if as_of_ms is not None:
        parts += [{"from": {"$lte": as_of_ms}}, {"to": {"$gt": as_of_ms}}]
    for key, listed in (
        ("kind", [kind.value for kind in wanted.kinds]),
        ("layer", [layer.value for layer in wanted.layers]),
        ("author", list(wanted.authors)),
        ("user", list(wanted.user_ids)),
    ):
        if listed:
            parts.append({key: {"$in": listed}})
    parts += [_has(_name_tag(tag)) for tag in wanted.tags]
    if wanted.created_from_ms is not None:
        parts.append({"created": {"$gte": wanted.created_from_ms}})
    if wanted.created_to_ms is not None:
        parts.append({"created": {"$lt": wanted.created_to_ms}})
    parts += [_meet(condition) for condition in wanted.conditions]
    return parts[0] if len(parts) == 1 else {"$and": parts}


def _meet(condition: Condition) -> Where:
    key, comparison, value = condition.key, condition.comparison, condition.values[0]
    if comparison is Comparison.EXISTS:
        return _has(_name_key(key)) if value else _has_not(_name_key(key))
    if comparison is Comparison.NE:
        return _has_not(_name_value(key, value))
    if comparison in (Comparison.EQ, Comparison.IN):
        equal = [_has(_name_value(key, one)) for one in dict.fromkeys(condition.values)]
        return equal[0] if len(equal) == 1 else {"$or": equal}
    if isinstance(value, bool | str):
        return _has(_name_key(key))
    end, operator = _RANGES[comparison]
    return {_name_range(end, key): {operator: _to_double(value)}}


def _has(facet: str) -> Where:
    return {_FACETS: {"$contains": facet}}


def _has_not(facet: str) -> Where:
    return {_FACETS: {"$not_contains": facet}}


def _list_elements(value: Json) -> Iterator[Scalar]:
    """What a condition compares of a value: itself, or the elements of a list, where they are no objects."""
    elements = value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
    for element in elements:
        if isinstance(element, bool | int | float | str):
            yield element


def _to_double(number: float) -> float:
    """A number in double precision, which keeps the order but may make two of one."""
    return float(number)


def _name_place(scope: Scope) -> str:
    """A workspace as one text; no id has a slash in it."""
    return f"{scope.tenant_id}/{scope.workspace_id}"


def _name_tag(tag: str) -> str:
    return f"tag {_digest(tag)}"


def _name_key(key: str) -> str:
    return f"key {_digest(key)}"


def _name_value(key: str, value: Scalar) -> str:
    """A value under a key: the same for those that are equal, as 1 and 1.0 are, and True and 1 are not."""
    if isinstance(value, str):
        return f"text {_digest(key, value)}"
    if isinstance(value, bool):
        return f"truth {_digest(key, str(value))}"
    whole = isinstance(value, int) or value.is_integer()
    return f"number {_digest(key, str(int(value)) if whole else repr(value))}"


def _name_range(end: str, key: str) -> str:
    return f"{end} {_digest(key)}"


def _digest(*parts: str) -> str:
    """A short name of any length of text; two that share it are told apart by the facts."""
    return sha256("\x00".join(parts).encode()).hexdigest()[:24]

"""Which memories pass a filter, and which held at a moment."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.domain.memory import Json, Memory
from app.domain.query import Comparison, Condition, MemoryFilter, Scalar

_ORDERS: Mapping[Comparison, Callable[[Any, Any], bool]] = {
    Comparison.GT: operator.gt,
    Comparison.GTE: operator.ge,
    Comparison.LT: operator.lt,
    Comparison.LTE: operator.le,
}


def passes(memory: Memory, memory_filter: MemoryFilter) -> bool:
    """Whether every part that the filter gives holds for a memory."""
    wanted = memory_filter
    return (
        (not wanted.kinds or memory.kind in wanted.kinds)
        and (not wanted.layers or memory.layer in wanted.layers)
        and (not wanted.authors or memory.author in wanted.authors)
        and (not wanted.user_ids or memory.user_id in wanted.user_ids)
        and set(wanted.tags) <= set(memory.tags)
        and (wanted.created_from_ms is None or memory.created_ms >= wanted.created_from_ms)
        and (wanted.created_to_ms is None or memory.created_ms < wanted.created_to_ms)
        and all(_meets(memory, condition) for condition in wanted.conditions)
    )


def holds(memory: Memory, as_of_ms: int | None, *, now_ms: int) -> bool:
    """Whether a memory is searched: now, which leaves superseded ones out, or as of a moment, which does not."""
    if memory.deleted_ms is not None:
        return False
    if as_of_ms is None:
        if memory.superseded or (memory.valid_to_ms is not None and memory.valid_to_ms <= now_ms):
            return False
        # what is planned waits for its time; a wall clock that ran back hides nothing that was said
        return memory.valid_from_ms <= max(memory.created_ms, now_ms)
    return memory.valid_from_ms <= as_of_ms and (memory.valid_to_ms is None or as_of_ms < memory.valid_to_ms)


def _meets(memory: Memory, condition: Condition) -> bool:
    """Whether a memory meets a condition; a list does when one of its elements does."""
    present = condition.key in memory.metadata
    if condition.comparison is Comparison.EXISTS:
        return present is bool(condition.values[0])
    if not present:
        return condition.comparison is Comparison.NE
    value = memory.metadata[condition.key]
    elements = value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
    if condition.comparison is Comparison.NE:
        return not any(_equal(element, condition.values[0]) for element in elements)
    return any(_compare(element, condition) for element in elements)


def _compare(value: Json, condition: Condition) -> bool:
    if condition.comparison in (Comparison.EQ, Comparison.IN):
        return any(_equal(value, wanted) for wanted in condition.values)
    wanted = condition.values[0]
    return _sort(value) == _sort(wanted) and _ORDERS[condition.comparison](value, wanted)


def _equal(value: Json, wanted: Scalar) -> bool:
    return _sort(value) == _sort(wanted) and value == wanted


def _sort(value: Json) -> str:
    """What a value can be compared with; truth values are not numbers here, though Python counts them so."""
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else ""

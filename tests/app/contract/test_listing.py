"""Pages and filters, by every way of finding memories."""

from collections.abc import Callable

import pytest

from app.backends.clock import SteppingClock
from app.domain.change import Delete
from app.domain.memory import JsonObject, Layer, MemoryKind
from app.domain.query import Comparison, Condition, MemoryFilter, Scalar
from app.errors import InvalidRequest
from tests.app.contract.backends import Backend
from tests.app.contract.samples import (
    ALL,
    FOREIGN,
    HERE,
    NOWHERE,
    THERE,
    add,
    change,
    changed,
    finders,
    scan_all,
    texts,
    updating,
    where,
)

C = Comparison


def test_a_listing_is_in_the_order_of_ids_in_pages_of_any_size(backend: Backend, clock: SteppingClock) -> None:
    for number in range(23):
        add(backend, f"note {number}")
        clock.step()
        add(backend, f"note {number}", scope=THERE)
    everything = scan_all(backend, limit=100)
    assert texts(everything) == [f"note {number}" for number in range(23)]
    assert [memory.id for memory in everything] == sorted(memory.id for memory in everything)
    for limit in (1, 5, 22, 23, 24):
        assert scan_all(backend, limit=limit) == everything
    assert backend.memories.scan(HERE, ALL, limit=23).next_cursor == ""
    assert scan_all(backend, NOWHERE) == []


def test_a_listing_of_one_millisecond_is_in_the_order_of_ids(backend: Backend) -> None:
    added = [add(backend, f"note {number}").id for number in range(20)]
    assert [memory.id for memory in scan_all(backend, limit=3)] == sorted(added)


def test_pages_are_stable_while_others_write(backend: Backend, clock: SteppingClock) -> None:
    first = [add(backend, f"note {number}") for number in range(20)]
    doomed = max(first, key=lambda memory: memory.id)
    seen = []
    cursor = ""
    for turn in range(30):
        page = backend.memories.scan(HERE, ALL, limit=3, cursor=cursor)
        seen += [memory.id for memory in page.items]
        if not page.next_cursor:
            break
        cursor = page.next_cursor
        add(backend, f"late note {turn}", created_ms=1, id=f"{turn:032x}")
        change(backend, Delete(memory_id=page.items[-1].id))
        change(backend, updating(doomed, content=f"changed {turn}"))
    assert seen == sorted(seen)
    assert len(seen) == len(set(seen))
    assert {memory.id for memory in first} <= set(seen)


def test_a_filtered_listing_has_full_pages(backend: Backend) -> None:
    for number in range(30):
        add(backend, f"note {number}", tags=("even",) if number % 2 == 0 else ())
    page = backend.memories.scan(HERE, MemoryFilter(tags=("even",)), limit=10)
    assert len(page.items) == 10
    assert page.next_cursor
    assert len(scan_all(backend, limit=4, wanted=MemoryFilter(tags=("even",)))) == 15


def cursor_of_memories(backend: Backend) -> str:
    return backend.memories.scan(THERE, ALL, limit=1).next_cursor


def cursor_of_another_tenant(backend: Backend) -> str:
    return backend.memories.scan(FOREIGN, ALL, limit=1).next_cursor


def cursor_of_users(backend: Backend) -> str:
    return backend.users.list_users(HERE, limit=1).next_cursor


def cursor_of_workspaces(backend: Backend) -> str:
    return backend.workspaces.list_workspaces(HERE.tenant_id, limit=1).next_cursor


@pytest.mark.parametrize(
    "foreign", [cursor_of_memories, cursor_of_another_tenant, cursor_of_users, cursor_of_workspaces]
)
def test_a_cursor_of_another_listing_is_refused(backend: Backend, foreign: Callable[[Backend], str]) -> None:
    for scope in (HERE, THERE, FOREIGN):
        for name in ("ann", "bob"):
            add(backend, name, scope=scope)
            backend.users.put_user(scope, name, name=None, metadata=None)
    cursor = foreign(backend)
    assert cursor
    with pytest.raises(InvalidRequest):
        backend.memories.scan(HERE, ALL, limit=1, cursor=cursor)


@pytest.mark.parametrize("cursor", ["x", "é", "AAAA", "0" * 32, "'; DROP TABLE chunks; --", "%00", "====", "a" * 5000])
def test_a_cursor_of_nobody_is_refused_by_every_listing(backend: Backend, cursor: str) -> None:
    add(backend, "note")
    with pytest.raises(InvalidRequest):
        backend.memories.scan(HERE, ALL, limit=1, cursor=cursor)
    with pytest.raises(InvalidRequest):
        backend.users.list_users(HERE, limit=1, cursor=cursor)
    with pytest.raises(InvalidRequest):
        backend.workspaces.list_workspaces(HERE.tenant_id, limit=1, cursor=cursor)


def test_filters_by_kind_layer_author_user_and_tags(backend: Backend) -> None:
    add(backend, "word one", kind=MemoryKind.PERSONAL, user_id="ann", author="x", tags=("a", "b"))
    add(backend, "word two", kind=MemoryKind.TASK, user_id="bob", author="y", tags=("b", "标签"))
    add(backend, "word three", kind=MemoryKind.TOOL, layer=Layer.RAW, tags=("A", "b,c"))
    cases: list[tuple[MemoryFilter, set[str]]] = [
        (ALL, {"one", "two", "three"}),
        (MemoryFilter(kinds=(MemoryKind.TASK,)), {"two"}),
        (MemoryFilter(kinds=(MemoryKind.TASK, MemoryKind.TOOL)), {"two", "three"}),
        (MemoryFilter(kinds=(MemoryKind.WORKING,)), set()),
        (MemoryFilter(layers=(Layer.RAW,)), {"three"}),
        (MemoryFilter(layers=(Layer.RAW, Layer.DISTILLED)), {"one", "two", "three"}),
        (MemoryFilter(authors=("x",)), {"one"}),
        (MemoryFilter(authors=("x", "y", "z")), {"one", "two"}),
        (MemoryFilter(authors=("X",)), set()),
        (MemoryFilter(authors=("",)), {"three"}),
        (MemoryFilter(user_ids=("bob",)), {"two"}),
        (MemoryFilter(user_ids=("bob", "")), {"two", "three"}),
        (MemoryFilter(tags=("b",)), {"one", "two"}),
        (MemoryFilter(tags=("a", "b")), {"one"}),
        (MemoryFilter(tags=("a", "标签")), set()),
        (MemoryFilter(tags=("标签",)), {"two"}),
        (MemoryFilter(tags=("A",)), {"three"}),
        (MemoryFilter(tags=("b,c",)), {"three"}),
        (MemoryFilter(tags=("c",)), set()),
        (MemoryFilter(kinds=(MemoryKind.PERSONAL, MemoryKind.TASK), tags=("b",), authors=("y",)), {"two"}),
        (MemoryFilter(kinds=(MemoryKind.PERSONAL,), authors=("y",)), set()),
    ]
    for wanted, expected in cases:
        for found in finders(backend, "word", wanted=wanted):
            assert found == {f"word {name}" for name in expected}, wanted


def test_filters_by_the_time_of_creation(backend: Backend) -> None:
    for created_ms in (1000, 2000, 3000):
        add(backend, f"word {created_ms}", created_ms=created_ms)
    for from_ms, to_ms, expected in [
        (None, None, {1000, 2000, 3000}),
        (2000, None, {2000, 3000}),
        (2001, None, {3000}),
        (None, 2000, {1000}),
        (None, 2001, {1000, 2000}),
        (1000, 3000, {1000, 2000}),
        (3000, 1000, set()),
    ]:
        for found in finders(backend, "word", wanted=MemoryFilter(created_from_ms=from_ms, created_to_ms=to_ms)):
            assert found == {f"word {created_ms}" for created_ms in expected}, (from_ms, to_ms)


VALUES: dict[str, JsonObject] = {
    "missing": {"other": 5},
    "null": {"key": None},
    "true": {"key": True},
    "false": {"key": False},
    "zero": {"key": 0},
    "five": {"key": 5},
    "half": {"key": 5.5},
    "minus": {"key": -5},
    "text five": {"key": "5"},
    "empty": {"key": ""},
    "apple": {"key": "apple"},
    "Banana": {"key": "Banana"},
    "茶": {"key": "茶"},
    "object": {"key": {"key": 5}},
    "list": {"key": ["apple", 7]},
}
"""By name the metadata on which each condition is tried."""
EVERY = frozenset(VALUES)


@pytest.mark.parametrize(
    ("comparison", "values", "expected"),
    [
        (C.EQ, (5,), {"five"}),
        (C.EQ, (5.0,), {"five"}),
        (C.EQ, ("5",), {"text five"}),
        (C.EQ, ("apple",), {"apple", "list"}),
        (C.EQ, ("APPLE",), set()),
        (C.EQ, ("",), {"empty"}),
        (C.EQ, ("茶",), {"茶"}),
        (C.EQ, (True,), {"true"}),
        (C.EQ, (False,), {"false"}),
        (C.EQ, (0,), {"zero"}),
        (C.EQ, (1,), set()),
        (C.EQ, (7,), {"list"}),
        (C.NE, (5,), EVERY - {"five"}),
        (C.NE, ("apple",), EVERY - {"apple", "list"}),
        (C.NE, (True,), EVERY - {"true"}),
        (C.IN, (5, "apple", False), {"five", "apple", "list", "false"}),
        (C.IN, ("nothing",), set()),
        (C.GT, (5,), {"half", "list"}),
        (C.GTE, (5,), {"five", "half", "list"}),
        (C.LT, (0,), {"minus"}),
        (C.LTE, (0,), {"minus", "zero"}),
        (C.LT, (5.25,), {"minus", "zero", "five"}),
        (C.GT, ("apple",), {"茶"}),
        (C.GTE, ("apple",), {"apple", "茶", "list"}),
        (C.LT, ("apple",), {"empty", "text five", "Banana"}),
        (C.LTE, ("Banana",), {"empty", "text five", "Banana"}),
        (C.EXISTS, (True,), EVERY - {"missing"}),
        (C.EXISTS, (False,), {"missing"}),
    ],
)
def test_conditions_on_metadata(
    backend: Backend, comparison: Comparison, values: tuple[Scalar, ...], expected: set[str]
) -> None:
    for name, metadata in VALUES.items():
        add(backend, f"word {name}", metadata=metadata)
    wanted = where(Condition(key="key", comparison=comparison, values=values))
    for found in finders(backend, "word", wanted=wanted):
        assert {text.removeprefix("word ") for text in found} == expected


@pytest.mark.parametrize(
    "key", ["a.b", 'quo"te', "it's", "$", "a b", "键", "[0]", "#", "key%", "back\\slash", "", "x" * 200]
)
def test_any_text_is_a_key(backend: Backend, key: str) -> None:
    add(backend, "word one", metadata={key: "v"})
    add(backend, "word two", metadata={"a": {"b": "v"}}, tags=("v",))
    for comparison, value in ((C.EQ, "v"), (C.EXISTS, True), (C.GTE, "v")):
        for found in finders(backend, "word", wanted=where(Condition(key=key, comparison=comparison, values=(value,)))):
            assert found == {"word one"}


def test_several_conditions_must_all_hold(backend: Backend) -> None:
    for number in range(6):
        add(backend, f"word {number}", metadata={"n": number, "even": number % 2 == 0})
    wanted = where(
        Condition(key="n", comparison=C.GT, values=(1,)),
        Condition(key="n", comparison=C.LTE, values=(4,)),
        Condition(key="even", comparison=C.EQ, values=(True,)),
    )
    for found in finders(backend, "word", wanted=wanted):
        assert found == {"word 2", "word 4"}


def test_filters_follow_updates(backend: Backend) -> None:
    memory = add(backend, "word", tags=("a",), metadata={"n": 1}, author="x")
    memory = changed(backend, updating(memory, tags=("b",), metadata={"m": 1}, author="y"))
    gone = [
        MemoryFilter(tags=("a",)),
        MemoryFilter(authors=("x",)),
        where(Condition(key="n", comparison=C.EXISTS, values=(True,))),
    ]
    there = [
        MemoryFilter(tags=("b",)),
        MemoryFilter(authors=("y",)),
        where(Condition(key="m", comparison=C.EQ, values=(1,))),
    ]
    for expected, filters in ((set(), gone), ({"word"}, there)):
        for wanted in filters:
            for found in finders(backend, "word", wanted=wanted):
                assert found == expected

"""Items of the 0.2 API and lines of dumps, there and back."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.memory import Layer, Memory, MemoryDraft, MemoryKind, Origin
from app.errors import InvalidRequest
from app.service.items import read_item, read_line, write_item, write_line
from tests.app.service.test_ranking import memory

ID = "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b"
TIMES = st.integers(-62_135_596_800_000, 253_402_300_799_999)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=4)

UPSTREAM: dict[str, dict[str, Any]] = {
    "task": {
        "workspace_id": "u1",
        "memory_id": "3f2504e04f8941d39a0c0305e82c3301",
        "memory_type": "task",
        "when_to_use": "when a build fails",
        "content": "read the first error",
        "score": 0.9,
        "time_created": "2026-02-12 08:30:00",
        "time_modified": "2026-02-13 09:00:01",
        "author": "qwen3",
        "metadata": {"freq": 3, "utility": 2, "tool": "make"},
    },
    "personal": {
        "workspace_id": "u1",
        "memory_id": "3f2504e04f8941d39a0c0305e82c3302",
        "memory_type": "personal",
        "when_to_use": "",
        "content": "I like coffee",
        "score": 0.0,
        "time_created": "2026-02-12 08:30:00",
        "time_modified": "2026-02-12 08:30:00",
        "author": "",
        "metadata": {"freq": 0, "utility": 0},
        "target": "user",
        "reflection_subject": "drinks",
    },
    "tool": {
        "workspace_id": "u1",
        "memory_id": "3f2504e04f8941d39a0c0305e82c3303",
        "memory_type": "tool",
        "when_to_use": "web_search",
        "content": "",
        "score": 0.5,
        "time_created": "2026-02-12 08:30:00",
        "time_modified": "2026-02-12 08:30:00",
        "author": "",
        "metadata": {},
        "tool_call_results": [{"tool_name": "web_search", "success": True, "token_cost": 5}],
    },
}


@pytest.mark.parametrize("kind", list(UPSTREAM))
def test_an_item_of_the_old_api_reads_and_writes_the_same(kind: str) -> None:
    item = UPSTREAM[kind]
    draft = read_item(item)
    again = write_item(stored(draft, item["workspace_id"]))
    expected = {**item, "metadata": {"freq": 0, "utility": 0.0, **item["metadata"]}}
    assert again == expected
    assert list(again) == list(item), "clients may rely on the order of the fields"


def test_what_an_item_means() -> None:
    draft = read_item(UPSTREAM["task"])
    assert (draft.kind, draft.layer, draft.id) == (MemoryKind.TASK, Layer.DISTILLED, UPSTREAM["task"]["memory_id"])
    assert (draft.frequency, draft.utility, draft.metadata) == (3, 2.0, {"tool": "make"})
    assert draft.created_ms == 1_770_885_000_000
    assert draft.updated_ms == 1_770_973_201_000
    assert read_item(UPSTREAM["personal"]).details == {"target": "user", "reflection_subject": "drinks"}
    assert read_item(UPSTREAM["tool"]).details == {"tool_call_results": UPSTREAM["tool"]["tool_call_results"]}


def stored(draft: MemoryDraft, workspace_id: str = "w") -> Memory:
    """The memory that a store makes of a draft, as far as items show it."""
    made = memory(draft.id or ID)
    return replace(
        made,
        scope=replace(made.scope, workspace_id=workspace_id),
        **{
            name: getattr(draft, name)
            for name in (
                "kind", "layer", "content", "when_to_use", "user_id", "author", "tags", "metadata", "details",
                "score", "frequency", "utility", "origin", "source_ids", "slot", "valid_to_ms",
            )
        },
        created_ms=draft.created_ms or 0,
        updated_ms=draft.updated_ms or 0,
        valid_from_ms=draft.valid_from_ms or 0,
    )  # fmt: skip


@given(
    kind=st.sampled_from(MemoryKind),
    layer=st.sampled_from(Layer),
    texts=st.tuples(TEXT, TEXT, TEXT, TEXT, TEXT),
    tags=st.lists(TEXT, max_size=3).map(tuple),
    objects=st.tuples(OBJECTS, OBJECTS),
    numbers=st.tuples(st.floats(-1e6, 1e6), st.integers(0, 10**9), st.floats(-1e6, 1e6)),
    times=st.tuples(TIMES, TIMES, TIMES, st.none() | TIMES),
    lines=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
    counters=st.dictionaries(st.sampled_from(["freq", "utility"]), JSON),
)
def test_a_line_of_ours_carries_everything(
    kind: MemoryKind,
    layer: Layer,
    texts: tuple[str, str, str, str, str],
    tags: tuple[str, ...],
    objects: tuple[dict[str, Any], dict[str, Any]],
    numbers: tuple[float, int, float],
    times: tuple[int, int, int, int | None],
    lines: tuple[int, int],
    counters: dict[str, Any],
) -> None:
    written = replace(
        memory(ID, layer, ID),
        kind=kind,
        content=texts[0],
        when_to_use=texts[1],
        user_id=texts[2],
        author=texts[3],
        slot=texts[4],
        tags=tags,
        metadata={**objects[0], **counters},
        details=objects[1],
        score=numbers[0],
        frequency=numbers[1],
        utility=numbers[2],
        origin=Origin(path=texts[4], source=texts[3], start_line=lines[0], end_line=lines[1]),
        created_ms=times[0],
        updated_ms=times[1],
        valid_from_ms=times[2],
        valid_to_ms=times[3],
    )
    draft = read_line(json.dumps(write_line(written)))
    assert draft.id == written.id
    for name in (
        "kind", "layer", "content", "when_to_use", "user_id", "author", "slot", "tags", "metadata", "score",
        "frequency", "utility", "origin", "source_ids", "created_ms", "updated_ms", "valid_from_ms", "valid_to_ms",
    ):  # fmt: skip
        assert getattr(draft, name) == getattr(written, name), name
    # An item shows these whether they are there or not, so that an empty one may be left out.
    shown = {"target": "", "reflection_subject": "", "tool_call_results": []}
    assert {**shown, **draft.details} == {**shown, **written.details}


def test_the_score_of_a_search_stands_in_for_the_stored_one() -> None:
    assert write_item(memory(ID), score=0.25)["score"] == 0.25
    assert write_item(replace(memory(ID), score=0.5))["score"] == 0.5


def test_years_before_1000_are_written_with_four_digits() -> None:
    item = write_item(replace(memory(ID), created_ms=-62_135_596_800_000))
    assert item["time_created"] == "0001-01-01 00:00:00"
    assert read_item({**item, "content": "x"}).created_ms == -62_135_596_800_000


@pytest.mark.parametrize(
    ("memory_id", "kept"),
    [
        (ID, ID),
        ("3F2504E0-4F89-41D3-9A0C-0305E82C3301", "3f2504e04f8941d39a0c0305e82c3301"),
        ("0123456789abcdef", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_ids_that_can_be_kept_are_kept(memory_id: str | None, kept: str) -> None:
    assert read_item({**UPSTREAM["task"], "memory_id": memory_id}).id == kept


def test_least_fields_and_texts_of_json() -> None:
    draft = read_item({"memory_type": "task", "content": "x", "metadata": '{"freq": 2, "a": 1}', "when_to_use": None})
    assert (draft.frequency, draft.metadata, draft.created_ms, draft.id) == (2, {"a": 1}, None, "")
    assert read_item({"memory_type": "task", "content": "x", "metadata": None, "score": None}).score == 0.0
    assert read_item({"memory_type": "task", "content": "x", "time_created": ""}).created_ms is None
    zoned = read_item({"memory_type": "task", "content": "x", "time_created": "2026-02-12T08:30:00+01:00"})
    assert zoned.created_ms == 1_770_881_400_000


def test_what_was_superseded_without_an_end_ended_when_it_was_changed() -> None:
    line = write_line(replace(memory(ID), content="x", superseded=True, updated_ms=5_000, created_ms=1_000))
    assert read_item(line).valid_to_ms == 5_000


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "the line is no JSON"),
        ("{", "the line is no JSON"),
        ("[" * 100_000, "the line is no JSON"),
        ("[]", "the line holds a list: a memory is a JSON object"),
        ('"x"', "the line holds a str"),
        ("{}", "memory_type: Field required"),
        ('{"memory_type": "task"}', "content: Field required"),
        ('{"memory_type": "identity", "content": "x"}', "memory_type: Input should be 'personal', 'task'"),
        ('{"memory_type": "task", "content": 5}', "content: Input should be a valid string"),
        ('{"memory_type": "task", "content": "x", "score": NaN}', "NaN is no JSON number"),
        ('{"memory_type": "task", "content": "x", "score": "high"}', "score: Input should be a valid number"),
        ('{"memory_type": "task", "content": "x", "metadata": [1]}', "metadata: Input should be a valid dictionary"),
        ('{"memory_type": "task", "content": "x", "metadata": "{"}', "metadata: "),
        ('{"memory_type": "task", "content": "x", "metadata": {"freq": -1}}', "metadata.freq is '-1'"),
        ('{"memory_type": "task", "content": "x", "metadata": {"freq": 1.5}}', "metadata.freq is '1.5'"),
        ('{"memory_type": "task", "content": "x", "metadata": {"freq": 1e999}}', "metadata.freq is 'inf'"),
        ('{"memory_type": "task", "content": "x", "metadata": {"freq": true}}', "metadata.freq is 'True'"),
        ('{"memory_type": "task", "content": "x", "metadata": {"utility": "a"}}', "metadata.utility is 'a'"),
        (
            '{"memory_type": "task", "content": "x", "time_created": "yesterday"}',
            "time_created: Value error, 'yesterday'",
        ),
        ('{"memory_type": "task", "content": "x", "time_created": 5}', "time_created: Value error, give a time"),
        ('{"memory_type": "task", "content": "x", "reme": {"tags": "a"}}', "reme.tags: Input should be a valid list"),
        ('{"memory_type": "task", "content": "x", "reme": {"created_ms": 1.5}}', "reme.created_ms: Input should be"),
        ('{"memory_type": "task", "content": "x", "reme": {"layer": "deep"}}', "reme.layer: Input should be"),
    ],
)
def test_lines_that_cannot_be_used_say_why(line: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read_line(line)
    assert message in refusal.value.message

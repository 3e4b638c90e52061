"""What other memory software wrote becomes memories, and an import takes every line that is made of it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.memory import Layer, MemoryDraft, MemoryKind
from app.errors import InvalidRequest
from app.service.foreign import FORMATS, REME, convert, looks_like_ours
from app.service.items import read_line
from app.service.limits import check_draft

UUID = "0190c7e5-1d87-7f3c-9f0e-6c1b2a3d4e5f"
MEM0 = {
    "results": [
        {
            "id": UUID,
            "memory": "Ana likes green tea",
            "user_id": "ana",
            "agent_id": "waiter",
            "run_id": "r1",
            "hash": "0123",
            "metadata": {"place": "Lisbon"},
            "categories": ["food", "preferences"],
            "created_at": "2025-03-01T10:00:00-08:00",
            "updated_at": "2025-03-02T10:00:00Z",
        },
        {"id": "x", "memory": "  "},
    ]
}
GRAPH = {
    "group_id": "ana",
    "nodes": [
        {"uuid": "n1", "name": "Ana", "labels": ["Person"], "summary": "A tea drinker.", "name_embedding": [0.1]},
        {"uuid": "n2", "name": "Lisbon", "summary": ""},
    ],
    "edges": [
        {
            "uuid": "e1",
            "name": "LIVES_IN",
            "fact": "Ana lives in Lisbon",
            "fact_embedding": [0.1, 0.2],
            "source_node_uuid": "n1",
            "target_node_uuid": "n2",
            "episodes": ["p1"],
            "created_at": "2024-05-01T00:00:00Z",
            "valid_at": "2024-01-01T00:00:00Z",
            "invalid_at": "2025-01-01T00:00:00Z",
        }
    ],
    "episodes": [
        {"uuid": "p1", "name": "talk", "source": "message", "content": "I live in Lisbon", "valid_at": "2024-01-01"}
    ],
}
AGENT_FILE = {
    "agents": [
        {
            "name": "helper",
            "block_ids": ["block-1"],
            "messages": [
                {"id": "message-0", "role": "system", "content": "You are an agent."},
                {
                    "id": "message-1",
                    "role": "user",
                    "content": [{"type": "text", "text": "I am vegetarian."}],
                    "created_at": "2025-08-08T14:49:23.121741+00:00",
                },
                {"id": "message-2", "role": "tool", "content": "secret of a tool"},
                {"id": "message-3", "role": "assistant", "content": "Noted."},
            ],
        }
    ],
    "blocks": [
        {"id": "block-0", "label": "unused", "value": "of nobody"},
        {"id": "block-1", "label": "human", "description": "who the user is", "value": "Name: Ana\nDiet: vegetarian"},
    ],
    "tools": [{"id": "tool-0"}, {"id": "tool-1"}],
    "files": [],
    "sources": [],
    "mcp_servers": [],
    "groups": [],
}
FORMER_AGENT_FILE = {
    "agent_type": "memgpt_agent",
    "name": "old",
    "core_memory": [{"label": "human", "value": "Ben is a pilot", "created_at": "2025-04-01T03:47:27"}],
    "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
    "tools": [{"name": "send"}],
}
NODE_03 = {
    "memory_id": "0123456789abcdef",
    "memory_type": "procedural",
    "memory_target": "deploy",
    "when_to_use": "before a deployment",
    "content": "Run the migrations first",
    "message_time": "2026-03-01 08:00:00",
    "ref_memory_id": "",
    "time_created": "2026-03-01 09:00:00",
    "time_modified": "2026-03-01 09:30:00",
    "author": "qwen",
    "score": 0.8,
    "vector": [0.1] * 4,
    "metadata": {"freq": 3, "utility": 2, "team": "ops"},
}


def read(document: Any, form: str = "auto", **options: str) -> list[MemoryDraft]:
    text = document if isinstance(document, str) else json.dumps(document)
    return [check_draft(read_line(line)) for line in convert(text, form, **options).lines]


def moment(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc,arg-type]


def test_mem0_keeps_people_times_and_categories() -> None:
    converted = convert(json.dumps(MEM0))
    assert converted.form == "mem0"
    [draft] = [read_line(line) for line in converted.lines]
    assert (draft.content, draft.user_id, draft.author) == ("Ana likes green tea", "ana", "waiter")
    assert draft.id == UUID.replace("-", "")
    assert draft.tags == ("food", "preferences")
    assert draft.metadata == {"place": "Lisbon", "run_id": "r1"}
    assert (draft.created_ms, draft.updated_ms) == (moment(2025, 3, 1, 18), moment(2025, 3, 2, 10))
    assert converted.left_out == {"without a text": 1}


def test_points_of_mem0s_vector_store_are_read() -> None:
    [draft] = read([{"id": UUID, "payload": {"data": "Ana likes tea", "user_id": "ana", "mood": "calm"}, "score": 1}])
    assert (draft.content, draft.user_id, draft.metadata) == ("Ana likes tea", "ana", {"mood": "calm"})


def test_a_graph_keeps_when_facts_held_and_what_they_rest_on() -> None:
    fact, summary, episode = read(GRAPH)
    assert (fact.content, fact.tags, fact.user_id) == ("Ana lives in Lisbon", ("LIVES_IN",), "ana")
    assert (fact.valid_from_ms, fact.valid_to_ms) == (moment(2024, 1, 1), moment(2025, 1, 1))
    assert fact.metadata == {"subject": "Ana", "object": "Lisbon"}
    assert (episode.layer, episode.content, episode.user_id) == (Layer.RAW, "I live in Lisbon", "ana")
    assert fact.source_ids == (episode.id,)
    assert (summary.when_to_use, summary.content, summary.tags) == ("Ana", "A tea drinker.", ("Person",))
    assert convert(json.dumps(GRAPH)).form == "graphiti"
    lines = "\n".join(json.dumps(edge) for edge in GRAPH["edges"])
    assert [draft.content for draft in read(lines, "zep")] == ["Ana lives in Lisbon"]


def test_an_agent_file_gives_its_blocks_and_what_was_said() -> None:
    converted = convert(json.dumps(AGENT_FILE), user_id="ana")
    block, said, answered = (read_line(line) for line in converted.lines)
    assert converted.form == "letta"
    assert (block.content, block.when_to_use) == ("Name: Ana\nDiet: vegetarian", "who the user is")
    assert (block.tags, block.author, block.layer) == (("letta", "human"), "helper", Layer.DISTILLED)
    assert (said.content, said.layer, said.author) == ("I am vegetarian.", Layer.RAW, "user")
    assert (said.origin.path, said.origin.start_line, answered.origin.start_line) == ("letta/helper", 2, 4)
    assert {draft.user_id for draft in (block, said, answered)} == {"ana"}
    assert {what: count for what, count in converted.left_out.items() if count} == {
        "tools": 2,
        "messages of tools and instructions": 2,
    }


def test_an_agent_file_of_the_former_form_is_read() -> None:
    block, said = read(FORMER_AGENT_FILE)
    assert (block.content, block.created_ms) == ("Ben is a pilot", moment(2025, 4, 1, 3, 47, 27))
    assert said.content == "Hello"


def test_nodes_of_reme_03_keep_counters_and_leave_vectors() -> None:
    [draft] = read(NODE_03)
    assert (draft.kind, draft.content, draft.when_to_use) == (
        MemoryKind.TASK,
        "Run the migrations first",
        "before a deployment",
    )
    assert (draft.frequency, draft.utility, draft.metadata, draft.score) == (3, 2.0, {"team": "ops"}, 0.8)
    assert (draft.tags, draft.created_ms) == (("deploy",), moment(2026, 3, 1, 8))
    [personal] = read({**NODE_03, "memory_type": "personal", "memory_target": "ana"})
    assert (personal.kind, personal.user_id) == (MemoryKind.PERSONAL, "ana")
    [history] = read({"memory_list": [{**NODE_03, "memory_type": "history"}]})
    assert history.layer is Layer.RAW


def test_plain_lines_and_objects() -> None:
    lines = '"just a text"\n{"text": "茶", "user": "ana", "tags": "food", "mood": 3, "timestamp": 1700000000}\n'
    first, second = read(lines)
    assert first.content == "just a text"
    assert (second.content, second.user_id, second.tags, second.metadata) == ("茶", "ana", ("food",), {"mood": 3})
    assert second.created_ms == 1_700_000_000_000
    assert [draft.content for draft in read(["a", "b"])] == ["a", "b"]


def test_a_list_of_our_own_items_is_read_as_lines() -> None:
    items = [{"memory_type": "task", "content": text} for text in ("one", "two")]
    assert [draft.content for draft in read(items)] == ["one", "two"]
    assert convert(json.dumps(items)).form == REME


@pytest.mark.parametrize("document", [MEM0, GRAPH, AGENT_FILE, FORMER_AGENT_FILE, NODE_03])
def test_the_same_file_gives_the_same_ids(document: Any) -> None:
    first, second = read(document), read(document)
    assert [draft.id for draft in first] == [draft.id for draft in second]
    assert all(draft.id for draft in first)
    assert len({draft.id for draft in first}) == len(first)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds nothing"),
        ("{oops", "line 1 is no JSON"),
        ('{"a": 1}', "format of the file is not known"),
        ("17", "format of the file is not known"),
        ("[]", "format of the file is not known"),
        ("[" * 100_000, "nested too deep|no JSON"),
    ],
)
def test_what_is_no_known_file_is_told(text: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        convert(text)


def test_our_own_lines_need_not_be_read_whole() -> None:
    assert looks_like_ours('{"memory_type": "task", "content": "x"}')
    assert looks_like_ours("nonsense")
    assert not looks_like_ours(json.dumps(NODE_03))
    assert not looks_like_ours(json.dumps(MEM0))
    assert not looks_like_ours('"a text"')


KEYS = [
    "agents",
    "blocks",
    "content",
    "created_at",
    "edges",
    "episodes",
    "fact",
    "id",
    "label",
    "memory",
    "memory_type",
    "messages",
    "metadata",
    "nodes",
    "results",
    "role",
    "tags",
    "text",
    "user_id",
    "uuid",
    "value",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("auto", REME)])
@given(document=JSON)
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_document_brings_a_reader_down(form: str, document: Any) -> None:
    for line in convert(json.dumps(document), form).lines:
        item = json.loads(line)
        assert item["content"].strip() == item["content"] != ""

"""Search and conversations under /v1: filters, modes, limits, explanations."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.v1.filters import read_filter
from app.api.v1.requests import FilterIn
from app.domain.memory import MemoryKind
from app.domain.query import Comparison, Condition
from app.errors import InvalidRequest

Start = Callable[..., TestClient]
WS = "/v1/workspaces/ws"


@pytest.fixture
def filled(client: TestClient) -> TestClient:
    memories = [
        {"type": "personal", "content": "likes coffee in the morning", "user_id": "ada", "metadata": {"rank": 3}},
        {"type": "personal", "content": "likes coffee at night", "user_id": "bob", "metadata": {"rank": 7, "ok": True}},
        {"type": "task", "content": "grind coffee before brewing", "when_to_use": "making coffee", "tags": ["kitchen"]},
        {"type": "tool", "content": "the coffee machine needs water", "author": "eve", "metadata": {"rank": "high"}},
    ]
    assert client.post(f"{WS}/memories:batch", json={"memories": memories}).status_code == 200
    return client


def search(client: TestClient, **body: Any) -> list[str]:
    answer = client.post(f"{WS}/search", json={"query": "coffee", **body})
    assert answer.status_code == 200, answer.text
    return [hit["memory"]["content"] for hit in answer.json()["hits"]]


def test_what_is_found_is_described(filled: TestClient) -> None:
    body = filled.post(f"{WS}/search", json={"query": "coffee at night", "explain": True}).json()
    best = body["hits"][0]
    assert best["memory"]["content"] == "likes coffee at night"
    assert 0 < best["score"] <= 1
    assert best["explanation"]["vector_rank"] == 1
    assert body["mode"] == "hybrid"
    assert {"embed", "vector", "keyword"} <= set(body["legs_ms"])
    plain = filled.post(f"{WS}/search", json={"query": "coffee"}).json()
    assert plain["hits"][0]["explanation"] is None


def test_nothing_found_is_an_empty_list(client: TestClient) -> None:
    answer = client.post("/v1/workspaces/empty/search", json={"query": "x"})
    assert (answer.status_code, answer.json()["hits"]) == (200, [])


@pytest.mark.parametrize("mode", ["hybrid", "vector", "keyword", "exact"])
def test_modes(filled: TestClient, mode: str) -> None:
    assert len(search(filled, mode=mode)) == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "count"),
    [
        ({"top_k": 2}, 2),
        ({"types": ["personal"]}, 2),
        ({"types": ["personal", "task"]}, 3),
        ({"filter": {"types": ["tool"]}}, 1),
        ({"filter": {"users": ["ada"]}}, 1),
        ({"filter": {"authors": ["eve"]}}, 1),
        ({"filter": {"tags": ["kitchen"]}}, 1),
        ({"filter": {"layers": ["raw"]}}, 0),
        ({"filter": {"until": "2001-01-01T00:00:00Z"}}, 0),
        ({"filter": {"since": "2001-01-01T00:00:00Z"}}, 4),
        ({"filter": {"metadata": {"rank": 3}}}, 1),
        ({"filter": {"metadata": {"rank": {"gte": 3, "lt": 7}}}}, 1),
        ({"filter": {"metadata": {"rank": {"in": [3, 7]}}}}, 2),
        ({"filter": {"metadata": {"rank": {"exists": True}}}}, 3),
        ({"filter": {"metadata": {"rank": {"exists": False}}}}, 1),
        ({"filter": {"metadata": {"ok": True, "rank": {"gt": 1}}}}, 1),
        ({"filter": {"metadata": {"rank": {"ne": 3}}}}, 3),
        ({"min_score": 1.0, "mode": "vector"}, 0),
        ({"mmr_lambda": 0.5, "top_k": 3}, 3),
        ({"half_life_days": 1}, 4),
        ({"as_of": "2001-01-01T00:00:00Z"}, 0),
        ({"as_of": "2999-01-01T00:00:00Z"}, 4),
    ],
)
def test_parameters(filled: TestClient, body: dict[str, Any], count: int) -> None:
    assert len(search(filled, **body)) == count


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"query": ""}, 422),
        ({"query": " "}, 400),
        ({"query": "x", "top_k": 0}, 422),
        ({"query": "x", "top_k": 201}, 422),
        ({"query": "x", "min_score": 2}, 422),
        ({"query": "x", "mmr_lambda": -1}, 422),
        ({"query": "x", "half_life_days": 0}, 422),
        ({"query": "x", "mode": "magic"}, 422),
        ({"query": "x", "as_of": "soon"}, 422),
        ({"query": "x", "filter": {"metadata": {"a": {}}}}, 400),
        ({"query": "x", "filter": {"metadata": {"a": {"like": 1}}}}, 422),
        ({"query": "x", "filter": {"metadata": {"a": {"gt": True}}}}, 400),
        ({"query": "x", "filter": {"metadata": {"a": None}}}, 422),
        ({"query": "x", "filter": {"metadata": {"a": {"in": []}}}}, 422),
        ({"query": "x", "filter": {"metadata": {"": 1}}}, 422),
        ({"query": "x", "types": ["task"], "filter": {"types": ["tool"]}}, 400),
        ({"query": "x", "limit": 3}, 422),
        ([], 422),
    ],
)
def test_refused(client: TestClient, body: Any, status: int) -> None:
    answer = client.post(f"{WS}/search", json=body)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_largest_top_k_is_a_setting(open_client: Start) -> None:
    client = open_client(access={"max_top_k": 7})
    assert client.post(f"{WS}/search", json={"query": "x", "top_k": 7}).status_code == 200
    assert client.post(f"{WS}/search", json={"query": "x", "top_k": 8}).status_code == 400
    assert client.post("/retrieve_task_memory", json={"query": "x", "top_k": 8}).status_code == 400
    document = client.get("/openapi.json").json()
    assert document["components"]["schemas"]["SearchIn"]["properties"]["top_k"]["maximum"] == 7


def test_the_half_life_of_a_query_beats_the_setting(open_client: Start) -> None:
    client = open_client(search={"half_life_days": 0.001})
    old = "2001-01-01T00:00:00Z"
    memory = {"type": "task", "content": "brew coffee", "valid_from": old}
    assert client.post(f"{WS}/memories", json=memory).status_code == 201

    def score(**body: Any) -> float:
        hits = client.post(f"{WS}/search", json={"query": "coffee", **body}).json()["hits"]
        return float(hits[0]["score"])

    assert score() < 0.001
    assert score(half_life_days=None) > 0.4


def test_a_filter_becomes_conditions() -> None:
    document = FilterIn.model_validate({"metadata": {"a": 1, "b": {"gte": 2, "exists": True, "in": ["x", 1]}}})
    assert read_filter(document).conditions == (
        Condition(key="a", comparison=Comparison.EQ, values=(1,)),
        Condition(key="b", comparison=Comparison.IN, values=("x", 1)),
        Condition(key="b", comparison=Comparison.GTE, values=(2,)),
        Condition(key="b", comparison=Comparison.EXISTS, values=(True,)),
    )


def test_types_of_values_are_kept() -> None:
    document = FilterIn.model_validate({"metadata": {"a": True, "b": 1, "c": 1.0, "d": "1"}})
    values = [condition.values[0] for condition in read_filter(document).conditions]
    assert [type(value) for value in values] == [bool, int, float, str]


def test_types_stand_in_one_place() -> None:
    assert read_filter(None, (MemoryKind.TASK,)).kinds == (MemoryKind.TASK,)
    with pytest.raises(InvalidRequest, match="one place"):
        read_filter(FilterIn(types=(MemoryKind.TOOL,)), (MemoryKind.TASK,))


def test_a_conversation_is_kept_raw_and_distilled(client: TestClient) -> None:
    body = {
        "kind": "personal",
        "user_id": "ada",
        "messages": [
            {"role": "user", "content": "I like coffee", "created_at": "2026-11-01T08:00:00Z"},
            {"role": "assistant", "content": [{"type": "text", "text": "Noted."}, {"type": "image", "url": "x"}]},
        ],
    }
    answer = client.post(f"{WS}/conversations", json=body)
    assert answer.status_code == 200
    remembered = answer.json()
    assert remembered["extractor"] == "rule"
    assert [memory["content"] for memory in remembered["memories"]] == ["I like coffee"]
    assert remembered["memories"][0]["source_ids"] == remembered["raw_ids"][:1]
    raw = client.get(f"{WS}/memories?layer=raw").json()["items"]
    raw.sort(key=lambda memory: memory["origin"]["start_line"])
    assert [memory["content"] for memory in raw] == ["I like coffee", "Noted."]
    assert raw[0]["valid_from"] == "2026-11-01T08:00:00.000Z"
    assert search(client)[:1] == ["I like coffee"]


def test_a_run_of_a_task(client: TestClient) -> None:
    body = {
        "kind": "task",
        "score": 1.0,
        "task_id": "t1",
        "messages": [
            {"role": "user", "content": "Deploy the service to staging"},
            {"role": "assistant", "content": "Drained the node first, then rolled out. The deployment succeeded."},
        ],
    }
    answer = client.post(f"{WS}/conversations", json=body)
    assert answer.status_code == 200
    assert len(answer.json()["raw_ids"]) == 2
    assert all(memory["type"] == "task" for memory in answer.json()["memories"])


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "personal", "messages": []},
        {"kind": "gossip", "messages": [{"role": "user", "content": "x"}]},
        {"kind": "personal"},
        {"kind": "task", "messages": [{"role": "user", "content": "x"}], "score": 3},
        {"kind": "task", "messages": [{"role": "", "content": "x"}]},
    ],
)
def test_a_malformed_conversation(client: TestClient, body: dict[str, Any]) -> None:
    assert client.post(f"{WS}/conversations", json=body).status_code == 422

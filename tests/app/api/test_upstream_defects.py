"""Each defect that ReMe 0.2 to 0.4 were seen to have, and that this service has not."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.app.api.world import make_app, make_client
from tests.standin import KEY, model_server

Start = Callable[..., TestClient]
TASK: dict[str, Any] = {"content": "Drain the node first", "when_to_use": "deploying a node", "score": 0.8}
TALK = [{"messages": [{"role": "user", "content": "I like coffee"}]}]
CALL = {
    "create_time": "2026-11-20 10:00:00",
    "tool_name": "search",
    "input": {"q": "tea"},
    "output": "three results",
    "token_cost": 12,
    "success": True,
    "time_cost": 0.4,
}


def files_outside(working_dir: Path) -> set[Path]:
    """Files beside the service's own folder."""
    return {path for path in working_dir.rglob("*") if path.is_file() and ".reme" not in path.parts}


def list_numbers(value: Any) -> Iterator[list[Any]]:
    """Lists of numbers anywhere in an answer, as a vector would be."""
    if isinstance(value, dict):
        for each in value.values():
            yield from list_numbers(each)
    elif isinstance(value, list):
        if value and all(isinstance(each, float) for each in value):
            yield value
        for each in value:
            yield from list_numbers(each)


@pytest.mark.parametrize("path", ["../escape", "/escape", "a/../../escape", "~root/../.."])
def test_1_and_2_no_path_of_a_client_leaves_the_data_directory(client: TestClient, tmp_path: Path, path: str) -> None:
    client.post("/add_task_memory", json={"workspace_id": "u1", "memory_list": [TASK]})
    bodies: list[dict[str, Any]] = [
        {"workspace_id": "u1", "action": "dump", "path": path},
        {"workspace_id": "u1", "action": "load", "path": path},
        {"workspace_id": path, "action": "copy", "src_workspace_id": "u1"},
        {"workspace_id": path, "action": "dump", "path": "backup"},
    ]
    for body in bodies:
        answer = client.post("/vector_store", json=body)
        assert 400 <= answer.status_code < 500, body
        assert answer.json()["success"] is False
    assert files_outside(tmp_path) == set()


def test_3_another_workspace_finds_nothing(client: TestClient) -> None:
    client.post("/summary_personal_memory", json={"workspace_id": "u1", "trajectories": TALK})
    for path in ("/retrieve_personal_memory", "/retrieve_task_memory", "/search"):
        answer = client.post(path, json={"workspace_id": "zzz", "query": "coffee"}).json()
        assert "coffee" not in str(answer["answer"])
        assert not answer["metadata"].get("memory_list")


def test_4_the_vector_store_lists_and_refuses_what_it_does_not_know(client: TestClient) -> None:
    client.post("/add_task_memory", json={"workspace_id": "u1", "memory_list": [TASK]})
    listed = client.post("/vector_store", json={"workspace_id": "u1", "action": "list"})
    assert listed.status_code == 200
    assert TASK["content"] in listed.text
    unknown = client.post("/vector_store", json={"workspace_id": "u1", "action": "explode"})
    assert 400 <= unknown.status_code < 500
    assert unknown.json()["success"] is False


def test_5_what_the_rule_names_is_deleted(client: TestClient) -> None:
    tasks = [TASK, {**TASK, "content": "Tell the others", "when_to_use": "before a change"}]
    kept = client.post("/add_task_memory", json={"workspace_id": "u1", "memory_list": tasks}).json()
    used = {"workspace_id": "u1", "memory_dicts": kept["metadata"]["memory_list"], "update_utility": False}
    client.post("/record_task_memory", json=used)
    rule = {"workspace_id": "u1", "freq_threshold": 1, "utility_threshold": 0.5}
    done = client.post("/delete_task_memory", json=rule).json()
    assert done["metadata"]["update_result"]["deleted_count"] == 2
    found = client.post("/retrieve_task_memory", json={"workspace_id": "u1", "query": "deploying a node"}).json()
    assert found["metadata"]["memory_list"] == []


def test_6_a_failure_is_no_success(client: TestClient) -> None:
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("/vector_store", {"workspace_id": "u1", "action": "load", "path": "missing"}),
        ("/add_task_memory", {"workspace_id": "u1", "memory_list": [{**TASK, "memory_type": "nonsense"}]}),
        ("/retrieve_task_memory", {"workspace_id": "u1"}),
    ]
    for path, body in wrong:
        answer = client.post(path, json=body)
        assert 400 <= answer.status_code < 500, path
        assert answer.json().get("success", False) is False
    listed = client.get("/v1/workspaces/u1/memories")
    assert listed.status_code == 404 or listed.json()["items"] == []


def test_7_no_item_carries_its_vector(client: TestClient) -> None:
    client.post("/add_task_memory", json={"workspace_id": "u1", "memory_list": [TASK]})
    answers = [
        client.post("/retrieve_task_memory", json={"workspace_id": "u1", "query": "deploying"}),
        client.post("/v1/workspaces/u1/search", json={"query": "deploying"}),
        client.post("/vector_store", json={"workspace_id": "u1", "action": "list"}),
    ]
    for answer in answers:
        assert TASK["content"] in answer.text
        assert not list(list_numbers(answer.json()))


def test_8_recording_a_use_leaves_the_score(client: TestClient) -> None:
    client.post("/add_task_memory", json={"workspace_id": "u1", "memory_list": [TASK]})
    found = client.post("/retrieve_task_memory", json={"workspace_id": "u1", "query": "node"}).json()["metadata"]
    used = {"workspace_id": "u1", "memory_dicts": found["memory_list"], "update_utility": True}
    client.post("/record_task_memory", json=used)
    (stored,) = client.get("/v1/workspaces/u1/memories").json()["items"]
    assert stored["score"] == TASK["score"]
    assert (stored["frequency"], stored["utility"]) == (1, 1.0)


def test_9_types_do_not_leak_into_one_another(client: TestClient) -> None:
    client.post("/add_task_memory", json={"workspace_id": "u1", "memory_list": [{**TASK, "content": "coffee first"}]})
    client.post("/summary_personal_memory", json={"workspace_id": "u1", "trajectories": TALK})
    personal = client.post("/retrieve_personal_memory", json={"workspace_id": "u1", "query": "coffee"}).json()
    task = client.post("/retrieve_task_memory", json={"workspace_id": "u1", "query": "coffee"}).json()
    assert {item["memory_type"] for item in personal["metadata"]["memory_list"]} == {"personal"}
    assert {item["memory_type"] for item in task["metadata"]["memory_list"]} == {"task"}


def test_10_without_a_model_the_rules_answer_at_once(client: TestClient) -> None:
    answer = client.post("/summary_task_memory", json={"workspace_id": "u1", "trajectories": TALK})
    assert answer.status_code == 200
    assert answer.json()["metadata"]["extractor"] == "rule"


def test_11_a_judges_nonsense_loses_no_call(tmp_path: Path) -> None:
    with model_server() as server:
        server.script(*["certainly! here is my evaluation" for _ in range(20)])
        llm = {"default": {"model_name": "m", "api_base": server.address, "api_key": KEY}}
        with make_client(make_app(tmp_path, llm=llm)) as client:
            body = {"workspace_id": "u1", "tool_call_results": [CALL]}
            kept = client.post("/add_tool_call_result", json=body).json()
            assert kept["metadata"]["deduplication_stats"]["added"] == 1
            told = client.post("/summary_tool_memory", json={"workspace_id": "u1", "tool_names": "search"})
            assert told.json()["success"] is True
            found = client.post("/retrieve_tool_memory", json={"workspace_id": "u1", "tool_names": "search"}).json()
            assert found["metadata"]["memory_list"][0]["tool_call_results"][0]["output"] == CALL["output"]


def test_12_errors_are_seen_and_keys_are_asked_for(tmp_path: Path) -> None:
    app = make_app(tmp_path, access={"mode": "required"})
    with make_client(app) as client:
        answer = client.post("/search", json={"query": "x"}, headers={"Origin": "http://evil.example"})
        assert answer.status_code == 401
        assert "access-control-allow-origin" not in answer.headers


def test_13_metrics_readiness_request_ids_and_pages(client: TestClient) -> None:
    for number in range(3):
        body = {"type": "personal", "content": f"fact {number}"}
        assert client.post("/v1/workspaces/u1/memories", json=body).headers["x-request-id"]
    assert "reme_http_requests_total" in client.get("/metrics").text
    assert client.get("/readyz").status_code == 200
    page = client.get("/v1/workspaces/u1/memories?limit=2").json()
    rest = client.get(f"/v1/workspaces/u1/memories?limit=2&cursor={page['next_cursor']}").json()
    assert (len(page["items"]), len(rest["items"])) == (2, 1)

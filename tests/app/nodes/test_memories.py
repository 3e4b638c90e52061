"""Memories: what one node acknowledged, the other finds, changes and does not do twice."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.app.nodes.conftest import Nodes

pytestmark = pytest.mark.xdist_group("postgres")

WS = "/v1/workspaces/team:one"
MODES = ("hybrid", "vector", "keyword", "exact")
BIRDS = ("heron", "kestrel", "wagtail", "dunnock", "siskin", "avocet", "whimbrel", "bittern")


def add(client: TestClient, content: str, **fields: Any) -> dict[str, Any]:
    answer = client.post(f"{WS}/memories", json={"type": "personal", "content": content, **fields})
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["memory"])


def search(client: TestClient, query: str, mode: str = "hybrid") -> list[str]:
    """The contents of what is found, best first."""
    answer = client.post(f"{WS}/search", json={"query": query, "mode": mode, "top_k": 5})
    assert answer.status_code == 200, answer.text
    return [hit["memory"]["content"] for hit in answer.json()["hits"]]


def test_a_search_on_one_node_sees_what_another_has_acknowledged(nodes: Nodes) -> None:
    for number, bird in enumerate(BIRDS):
        writer, reader = nodes[number % 2], nodes[(number + 1) % 2]
        content = f"A {bird} nests by the {number}th pond"
        memory = add(writer, content)
        for mode in MODES:
            assert search(reader, content, mode)[0] == content, mode
        assert reader.get(f"{WS}/memories/{memory['id']}").json() == memory
    assert all(node.get(WS).json()["contents"]["memories"] == len(BIRDS) for node in nodes)


def test_changes_and_deletions_are_seen_on_the_other_node(nodes: Nodes) -> None:
    one, other = nodes
    path = f"{WS}/memories/{add(one, 'The heron nests by the pond')['id']}"
    assert other.patch(path, json={"content": "The kestrel hovers"}, headers={"If-Match": '"1"'}).status_code == 200
    late = one.patch(path, json={"content": "The heron left"}, headers={"If-Match": '"1"'})
    assert late.status_code in (409, 412)
    for mode in MODES:
        assert search(one, "The kestrel hovers", mode) == ["The kestrel hovers"], mode
    assert one.delete(path).status_code == 204
    assert other.get(path).status_code == 404
    for mode in MODES:
        assert search(other, "The kestrel hovers", mode) == [], mode


@pytest.mark.parametrize("path", ["memories", "memories:batch"])
def test_a_request_that_is_repeated_on_the_other_node_is_replayed(nodes: Nodes, path: str) -> None:
    one, other = nodes
    memory = {"type": "personal", "content": "The heron nests by the pond"}
    body = memory if path == "memories" else {"memories": [memory]}
    headers = {"Idempotency-Key": "once"}
    first = one.post(f"{WS}/{path}", json=body, headers=headers)
    again = other.post(f"{WS}/{path}", json=body, headers=headers)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert {**again.json(), "replayed": False} == first.json()
    changed = {**memory, "content": "x"}
    refused = other.post(
        f"{WS}/{path}", json=changed if path == "memories" else {"memories": [changed]}, headers=headers
    )
    assert refused.status_code == 409


def together(nodes: Nodes, call: Any, times: int = 8) -> Sequence[Any]:
    """What calls on both nodes at once return."""
    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(lambda number: call(nodes[number % 2], number), range(times)))


def test_one_request_on_both_nodes_at_once_writes_once(nodes: Nodes) -> None:
    body = {"memories": [{"type": "task", "content": f"Step {number}"} for number in range(5)]}

    def send(node: TestClient, _: int) -> Any:
        return node.post(f"{WS}/memories:batch", json=body, headers={"Idempotency-Key": "once"})

    answers = together(nodes, send)
    assert [answer.status_code for answer in answers] == [200] * len(answers)
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    first = answers[0].json()
    assert all({**answer.json(), "replayed": 0} == {**first, "replayed": 0} for answer in answers)
    assert nodes[0].get(WS).json()["contents"]["memories"] == 5


def test_one_text_on_both_nodes_at_once_is_one_memory(nodes: Nodes) -> None:
    def send(node: TestClient, number: int) -> Any:
        memory = {"type": "personal", "content": "The heron nests by the pond", "tags": [f"t{number}"]}
        return node.post(f"{WS}/memories", json=memory).json()

    answers = together(nodes, send)
    assert sorted(answer["state"] for answer in answers) == ["created"] + ["duplicate"] * (len(answers) - 1)
    assert len({answer["memory"]["id"] for answer in answers}) == 1
    (item,) = nodes[1].get(f"{WS}/memories").json()["items"]
    assert sorted(item["tags"]) == [f"t{number}" for number in range(len(answers))]


def test_users_and_workspaces_are_seen_on_the_other_node_at_once(nodes: Nodes) -> None:
    one, other = nodes
    assert one.post("/v1/workspaces", json={"id": "team:one", "name": "One"}).status_code == 201
    assert other.post("/v1/workspaces", json={"id": "team:one"}).status_code == 409
    assert other.get(WS).json()["name"] == "One"
    assert other.put(f"{WS}/users/ada", json={"name": "Ada"}).status_code in (200, 201)
    assert [user["name"] for user in one.get(f"{WS}/users").json()["items"]] == ["Ada"]
    assert one.delete(f"{WS}/users/ada").status_code == 200
    assert other.get(f"{WS}/users/ada").status_code == 404
    add(one, "The heron nests by the pond")
    assert other.delete(WS).status_code == 200
    assert one.get(WS).status_code == 404
    assert search(one, "The heron nests by the pond") == []


def test_what_both_nodes_did_is_counted_together(nodes: Nodes) -> None:
    for number, bird in enumerate(BIRDS):
        add(nodes[number % 2], bird)
    for node in nodes:
        search(node, "heron")
    for node in nodes:  # a node writes its counts every two seconds, and when it is asked
        node.get("/v1/usage")
    reports = [node.get("/v1/usage").json()["lines"] for node in nodes]
    assert reports[0] == reports[1]
    calls = {line["operation"]: line["calls"] for line in reports[0]}
    assert (calls["add"], calls["retrieve"]) == (len(BIRDS), 2)

"""Memories under /v1: one at a time, in batches, in pages, over time."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.app.api.world import services_of
from tests.servers.waiting import wait_until

Start = Callable[..., TestClient]
WS = "/v1/workspaces/ws"
COFFEE = {"type": "personal", "content": "Prefers coffee", "user_id": "ada", "tags": ["drinks"], "metadata": {"n": 1}}


def add(client: TestClient, **fields: Any) -> dict[str, Any]:
    answer = client.post(f"{WS}/memories", json={**COFFEE, **fields})
    assert answer.status_code in (200, 201), answer.text
    return dict(answer.json()["memory"])


def test_a_memory_is_kept_read_changed_deleted_and_restored(client: TestClient) -> None:
    answer = client.post(f"{WS}/memories", json=COFFEE)
    assert answer.status_code == 201
    memory = answer.json()["memory"]
    assert answer.json()["state"] == "created"
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Location"] == f"{WS}/memories/{memory['id']}"
    assert {**memory, **COFFEE} == memory

    path = answer.headers["Location"]
    assert client.get(path).json() == memory
    changed = client.patch(path, json={"content": "Prefers tea", "valid_to": "2030-01-01T00:00:00Z"})
    assert (changed.json()["content"], changed.json()["version"], changed.headers["ETag"]) == ("Prefers tea", 2, '"2"')
    assert changed.json()["valid_to"] == "2030-01-01T00:00:00.000Z"

    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.delete(path).status_code == 404
    restored = client.post(f"{path}/restore")
    assert (restored.status_code, restored.json()["content"]) == (200, "Prefers tea")
    assert client.post(f"{path}/restore").status_code == 200
    assert client.post(f"{WS}/memories/{'0' * 32}/restore").status_code == 404


def test_the_same_memory_again_is_a_duplicate(client: TestClient) -> None:
    first = add(client)
    answer = client.post(f"{WS}/memories", json=COFFEE)
    assert (answer.status_code, answer.json()["state"], answer.json()["memory"]["id"]) == (
        200,
        "duplicate",
        first["id"],
    )


def test_a_change_or_a_restoring_makes_no_duplicate(client: TestClient) -> None:
    tea, milk = add(client, content="tea"), add(client, content="milk")
    path = f"{WS}/memories/{milk['id']}"
    answers = [client.patch(path, json={"content": "tea"})]
    client.delete(path)
    twin = add(client, content="milk")
    answers.append(client.post(f"{path}/restore"))
    for answer, other in zip(answers, (tea, twin), strict=True):
        assert (answer.status_code, answer.json()["type"]) == (409, "/docs#problem-already-exists")
        assert other["id"] in answer.json()["detail"]


def test_a_statement_ends_after_it_begins(client: TestClient) -> None:
    memory = add(client, valid_from="2030-01-02T00:00:00Z")
    answer = client.patch(f"{WS}/memories/{memory['id']}", json={"valid_to": "2030-01-02T00:00:00Z"})
    assert (answer.status_code, answer.json()["type"]) == (400, "/docs#problem-invalid-request")
    assert answer.json()["detail"].count("1893542400000") == 2
    path = f"{WS}/memories/{memory['id']}"
    assert client.patch(path, json={"valid_to": "2031-01-01T00:00:00Z"}).json()["valid_to"] is not None
    assert client.patch(path, json={"author": "me"}).json()["valid_to"] is not None
    assert client.patch(path, json={"valid_to": None}).json()["valid_to"] is None


def test_a_slot_is_superseded_by_what_is_newer(client: TestClient) -> None:
    old = add(client, content="Lives in Oslo", slot="home")
    answer = client.post(f"{WS}/memories", json={**COFFEE, "content": "Lives in Rome", "slot": "home"})
    assert answer.json()["superseded_ids"] == [old["id"]]


@pytest.mark.parametrize(
    "field", ["id", "version", "created_at", "frequency", "utility", "seq", "tenant_id", "workspace_id", "superseded"]
)
def test_what_is_ours_cannot_be_set(client: TestClient, field: str) -> None:
    answer = client.post(f"{WS}/memories", json={**COFFEE, field: 1})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["location"] == ["body", field]
    memory = add(client)
    if field != "version":
        assert client.patch(f"{WS}/memories/{memory['id']}", json={field: 1}).status_code == 422


class TestVersions:
    """A change that insists on a version meets a 409 where another came first."""

    @pytest.mark.parametrize("how", ["header", "body", "both"])
    def test_conflict(self, client: TestClient, how: str) -> None:
        path = f"{WS}/memories/{add(client)['id']}"
        assert self.change(client, path, how, 1).status_code == 200
        refused = self.change(client, path, how, 1)
        assert (refused.status_code, refused.json()["type"]) == (409, "/docs#problem-version-conflict")
        assert self.change(client, path, how, 2).status_code == 200

    @staticmethod
    def change(client: TestClient, path: str, how: str, version: int) -> Any:
        headers = {} if how == "body" else {"If-Match": f'"{version}"'}
        body = {"score": version / 10} if how == "header" else {"score": version / 10, "version": version}
        return client.patch(path, json=body, headers=headers)

    def test_deleting(self, client: TestClient) -> None:
        path = f"{WS}/memories/{add(client)['id']}"
        assert client.delete(path, headers={"If-Match": '"7"'}).status_code == 409
        assert client.delete(path, headers={"If-Match": '"1"'}).status_code == 204

    @pytest.mark.parametrize("tag", ["3", 'W/"1"', '"1", "2"', '"x"', '""', '"' + "9" * 30 + '"', '"²"'])
    def test_malformed(self, client: TestClient, tag: str) -> None:
        path = f"{WS}/memories/{add(client)['id']}"
        answer = client.patch(path, json={"score": 1}, headers=[(b"If-Match", tag.encode())])
        assert answer.status_code == 400

    def test_contradicting(self, client: TestClient) -> None:
        path = f"{WS}/memories/{add(client)['id']}"
        assert client.patch(path, json={"score": 1, "version": 2}, headers={"If-Match": '"1"'}).status_code == 400

    def test_any(self, client: TestClient) -> None:
        path = f"{WS}/memories/{add(client)['id']}"
        assert client.patch(path, json={"score": 1}, headers={"If-Match": "*"}).status_code == 200


class TestPages:
    """A listing in pages, with every filter."""

    def test_pages_hold_everything_once(self, client: TestClient) -> None:
        ids = [add(client, content=f"memory {number}")["id"] for number in range(7)]
        seen, cursor = [], ""
        for _ in range(4):
            page = client.get(f"{WS}/memories", params={"limit": 2, "cursor": cursor}).json()
            seen += [item["id"] for item in page["items"]]
            cursor = page["next_cursor"]
        assert seen == ids
        assert cursor == ""

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("", "abcd"),
            ("type=task", "b"),
            ("type=task&type=tool", "bc"),
            ("author=eve", "b"),
            ("user=bob", "c"),
            ("user=bob&user=ada", "abcd"),
            ("tag=drinks", "abd"),
            ("tag=drinks&tag=hot", "d"),
            ("layer=raw", "d"),
            ("since=2000-01-01T00:00:00Z", "abcd"),
            ("until=2000-01-01T00:00:00Z", ""),
            ("since=2999-01-01", ""),
            ("type=working", ""),
        ],
    )
    def test_filters(self, client: TestClient, query: str, found: str) -> None:
        add(client, content="a")
        add(client, content="b", type="task", author="eve")
        add(client, content="c", type="tool", user_id="bob", tags=[])
        add(client, content="d", layer="raw", tags=["drinks", "hot"])
        page = client.get(f"{WS}/memories?{query}").json()
        assert "".join(item["content"] for item in page["items"]) == found

    @pytest.mark.parametrize("query", ["limit=0", "limit=1001", "type=odd", "since=yesterday", "since=5", "layer=x"])
    def test_refused(self, client: TestClient, query: str) -> None:
        assert client.get(f"{WS}/memories?{query}").status_code == 422

    def test_a_foreign_cursor(self, client: TestClient) -> None:
        assert client.get(f"{WS}/memories?cursor=nonsense").status_code == 400

    def test_the_largest_page_is_a_setting(self, open_client: Start) -> None:
        client = open_client(access={"max_page": 10})
        assert client.get(f"{WS}/memories?limit=10").status_code == 200
        assert client.get(f"{WS}/memories?limit=11").status_code == 400

    def test_superseded_ones_on_request(self, client: TestClient) -> None:
        add(client, content="Lives in Oslo", slot="home")
        add(client, content="Lives in Rome", slot="home")
        texts = [item["content"] for item in client.get(f"{WS}/memories?superseded=true").json()["items"]]
        assert "Lives in Oslo" in texts


class TestBatches:
    """Up to a thousand at once, all or none, now or later."""

    def test_states(self, client: TestClient) -> None:
        memories = [{**COFFEE, "content": text} for text in ("a", "b", "a")]
        body = client.post(f"{WS}/memories:batch", json={"memories": memories}).json()
        assert body["states"] == {"created": 2, "duplicate": 1}
        assert [outcome["state"] for outcome in body["outcomes"]] == ["created", "created", "duplicate"]
        assert body["outcomes"][0]["id"] == body["outcomes"][2]["id"]

    @pytest.mark.parametrize("count", [0, 1001])
    def test_size(self, client: TestClient, count: int) -> None:
        memories = [{"type": "task", "content": str(number)} for number in range(count)]
        assert client.post(f"{WS}/memories:batch", json={"memories": memories}).status_code == 422

    def test_all_or_none(self, client: TestClient) -> None:
        memories = [COFFEE, {**COFFEE, "content": "x", "metadata": {"k" * 100: 1}}]
        assert client.post(f"{WS}/memories:batch", json={"memories": memories}).status_code == 400
        assert client.get(f"{WS}/memories").json()["items"] == []

    @pytest.mark.parametrize("prefer", ["respond-async", "wait=5, Respond-Async;x=1"])
    def test_later(self, client: TestClient, prefer: str) -> None:
        answer = client.post(f"{WS}/memories:batch", json={"memories": [COFFEE]}, headers={"Prefer": prefer})
        assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "respond-async")
        assert answer.json()["state"] == "queued"
        job = answer.headers["Location"]
        wait_until(lambda: client.get(job).json()["state"] == "done", lambda: f"the end of {client.get(job).text}")
        assert client.get(job).json()["result"]["states"] == {"created": 1}
        assert [item["content"] for item in client.get(f"{WS}/memories").json()["items"]] == ["Prefers coffee"]

    def test_a_job_that_is_not_there(self, client: TestClient) -> None:
        assert client.get(f"{WS}/jobs/{'0' * 32}").status_code == 404

    def test_without_asking_nothing_is_queued(self, client: TestClient) -> None:
        answer = client.post(f"{WS}/memories:batch", json={"memories": [COFFEE]}, headers={"Prefer": "wait=1"})
        assert answer.status_code == 200


class TestIdempotency:
    """The same key with the same request writes once."""

    @pytest.mark.parametrize("path", ["memories", "memories:batch"])
    def test_replay(self, client: TestClient, path: str) -> None:
        body = COFFEE if path == "memories" else {"memories": [COFFEE]}
        headers = {"Idempotency-Key": "once-1"}
        first = client.post(f"{WS}/{path}", json=body, headers=headers)
        second = client.post(f"{WS}/{path}", json=body, headers=headers)
        assert "Idempotency-Replayed" not in first.headers
        assert second.headers["Idempotency-Replayed"] == "true"
        assert {**second.json(), "replayed": False} == first.json()
        other = client.post(
            f"{WS}/{path}", content=json.dumps(body) + " ", headers={**headers, "Content-Type": "application/json"}
        )
        assert (other.status_code, other.json()["type"]) == (409, "/docs#problem-idempotency-conflict")

    def test_conversations(self, client: TestClient) -> None:
        body = {"kind": "personal", "messages": [{"role": "user", "content": "I like coffee"}]}
        answers = [
            client.post(f"{WS}/conversations", json=body, headers={"Idempotency-Key": "k"}).json() for _ in range(2)
        ]
        assert [memory["id"] for memory in answers[0]["memories"]] == [
            memory["id"] for memory in answers[1]["memories"]
        ]
        assert client.get(WS).json()["contents"]["memories"] == 2

    def test_a_workspace(self, client: TestClient) -> None:
        body = {"id": "new", "name": "New", "metadata": {"a": 1}}
        headers = {"Idempotency-Key": "k"}
        assert client.post("/v1/workspaces", json=body, headers=headers).status_code == 201
        assert client.post("/v1/workspaces", json=body, headers=headers).status_code == 200
        assert client.post("/v1/workspaces", json=body).status_code == 409
        assert client.post("/v1/workspaces", json={**body, "name": "x"}, headers=headers).status_code == 409

    @pytest.mark.slow
    @pytest.mark.parametrize("backend", ["memory", "sqlite"])
    @pytest.mark.parametrize("purged", [False, True])
    def test_replay_after_a_deletion(self, open_client: Start, backend: str, purged: bool) -> None:
        client = open_client(store={"backend": backend})
        headers = {"Idempotency-Key": "k"}
        first = client.post(f"{WS}/memories", json=COFFEE, headers=headers)
        batch = client.post(f"{WS}/memories:batch", json={"memories": [COFFEE]}, headers={"Idempotency-Key": "b"})
        assert client.delete(first.headers["Location"]).status_code == 204
        if purged:
            client.post(f"{WS}/purge", json={"everything": True})
        again = client.post(f"{WS}/memories", json=COFFEE, headers=headers)
        assert again.status_code == 201
        assert again.headers["Location"] == first.headers["Location"]
        assert again.json() == {
            "state": "created",
            "id": first.json()["memory"]["id"],
            "superseded_ids": [],
            "replayed": True,
        }
        repeated = client.post(f"{WS}/memories:batch", json={"memories": [COFFEE]}, headers={"Idempotency-Key": "b"})
        assert repeated.json() == {**batch.json(), "replayed": True}

    def test_a_job(self, client: TestClient) -> None:
        headers = {"Idempotency-Key": "k", "Prefer": "respond-async"}
        first, again = (
            client.post(f"{WS}/memories:batch", json={"memories": [COFFEE]}, headers=headers) for _ in range(2)
        )
        assert (first.status_code, again.status_code) == (202, 202)
        assert again.headers["Location"] == first.headers["Location"]
        other = client.post(f"{WS}/memories:batch", json={"memories": [COFFEE, COFFEE]}, headers=headers)
        assert (other.status_code, other.json()["type"]) == (409, "/docs#problem-idempotency-conflict")

    def test_uses(self, client: TestClient) -> None:
        body = {"ids": [add(client)["id"]], "utility": 1.0}
        answers = [
            client.post(f"{WS}/memories:record-use", json=body, headers={"Idempotency-Key": "k"}) for _ in range(2)
        ]
        assert answers[0].json() == answers[1].json()
        assert answers[1].json()["memories"][0]["frequency"] == 1
        other = client.post(
            f"{WS}/memories:record-use", json={**body, "utility": 2.0}, headers={"Idempotency-Key": "k"}
        )
        assert (other.status_code, other.json()["type"]) == (409, "/docs#problem-idempotency-conflict")

    def test_a_key_is_not_issued_under_one(self, client: TestClient) -> None:
        body = {"name": "loader", "role": "reader", "workspaces": ["*"]}
        for path in ("", f"/{'0' * 32}/rotate"):
            answer = client.post(f"/v1/admin/keys{path}", json=body, headers={"Idempotency-Key": "k"})
            assert answer.status_code == 400
            assert "Idempotency-Key" in answer.json()["detail"]
        assert client.get("/v1/admin/keys").json() == {"items": []}

    @pytest.mark.parametrize("key", [b"with blank", "é".encode(), b"x" * 256])
    def test_malformed(self, client: TestClient, key: bytes) -> None:
        answer = client.post(f"{WS}/memories", json=COFFEE, headers=[(b"Idempotency-Key", key)])
        assert answer.status_code == 422


def test_uses_are_counted_and_judge(client: TestClient) -> None:
    good, poor = add(client, content="good", type="task"), add(client, content="poor", type="task")
    for _ in range(2):
        for memory, utility in ((good, 1.0), (poor, 0.0)):
            body = {"ids": [memory["id"], "0" * 32], "utility": utility}
            used = client.post(f"{WS}/memories:record-use", json=body).json()["memories"]
            assert [item["id"] for item in used] == [memory["id"]]
    assert (used[0]["frequency"], used[0]["utility"], used[0]["version"]) == (2, 0.0, 1)
    thresholds = {"frequency_threshold": 2, "utility_threshold": 0.5}
    assert client.post(f"{WS}/memories:delete-unused", json={**thresholds, "types": ["tool"]}).json() == {"ids": []}
    assert client.post(f"{WS}/memories:delete-unused", json=thresholds).json() == {"ids": [poor["id"]]}
    assert client.post(f"{WS}/memories:delete-unused", json=thresholds).json() == {"ids": []}


class TestErasure:
    """For good, and only what was named."""

    def test_one_user(self, client: TestClient) -> None:
        add(client, content="a", user_id="ada")
        bobs = add(client, content="b", user_id="bob")
        assert client.post(f"{WS}/purge", json={"user_id": "ada"}).json() == {"erased": 1}
        assert [item["id"] for item in client.get(f"{WS}/memories").json()["items"]] == [bobs["id"]]
        assert client.delete(f"{WS}/memories?purge=true&user=bob").json() == {"erased": 1}

    def test_old_tombstones(self, client: TestClient) -> None:
        memory = add(client)
        client.delete(f"{WS}/memories/{memory['id']}")
        assert client.post(f"{WS}/purge", json={"deleted_before": "2000-01-01T00:00:00Z"}).json() == {"erased": 0}
        assert client.post(f"{WS}/purge", json={"deleted_before": "2999-01-01T00:00:00Z"}).json() == {"erased": 1}
        assert client.post(f"{WS}/memories/{memory['id']}/restore").status_code == 404

    def test_everything_must_be_said(self, client: TestClient) -> None:
        add(client)
        assert client.post(f"{WS}/purge", json={}).status_code == 400
        assert client.post(f"{WS}/purge", json={"user_id": "a", "everything": True}).status_code == 400
        assert client.post(f"{WS}/purge", json={"everything": False}).status_code == 422
        assert client.delete(f"{WS}/memories").status_code == 422
        assert client.delete(f"{WS}/memories?purge=false").status_code == 422
        assert client.post(f"{WS}/purge", json={"everything": True}).json() == {"erased": 1}
        assert client.delete(f"{WS}/memories?purge").json() == {"erased": 0}


def test_a_receipt_is_scoped_to_its_workspace(client: TestClient) -> None:
    headers = {"Idempotency-Key": "same"}
    for workspace in ("one", "two"):
        answer = client.post(f"/v1/workspaces/{workspace}/memories", json=COFFEE, headers=headers)
        assert answer.status_code == 201
    assert len(services_of(client).store.workspaces.list_workspaces("default", limit=10).items) == 2

"""Workspaces, users, keys and use under /v1."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from sizing.workload_document import read_workload
from tests.app.api.world import services_of

Start = Callable[..., TestClient]
WS = "/v1/workspaces/team:one"


def test_a_workspace_from_beginning_to_end(client: TestClient) -> None:
    made = client.post("/v1/workspaces", json={"id": "team:one", "name": "One", "metadata": {"a": 1}})
    assert (made.status_code, made.headers["Location"]) == (201, WS)
    assert client.post("/v1/workspaces", json={"id": "team:one"}).status_code == 409
    client.post(f"{WS}/memories", json={"type": "personal", "content": "abc"})
    described = client.get(WS).json()
    assert (described["name"], described["contents"]["memories"]) == ("One", 1)
    assert described["contents"]["by_kind"] == {"personal": 1}
    changed = client.patch(WS, json={"name": "Two"}).json()
    assert (changed["name"], changed["metadata"]) == ("Two", {"a": 1})
    assert client.delete(WS).json() == {"erased": 1}
    assert client.get(WS).status_code == 404
    assert client.patch(WS, json={"name": "x"}).status_code == 404
    assert client.delete(WS).status_code == 404


def test_workspaces_are_listed_in_pages(client: TestClient) -> None:
    for name in "cab":
        client.post("/v1/workspaces", json={"id": name})
    first = client.get("/v1/workspaces?limit=2").json()
    assert [item["id"] for item in first["items"]] == ["a", "b"]
    second = client.get("/v1/workspaces", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert ([item["id"] for item in second["items"]], second["next_cursor"]) == (["c"], "")


@pytest.mark.slow
@pytest.mark.parametrize("workspace_id", ["../evil", "a/b", ".x", "", "a" * 129, "a b", "é", "-x"])
def test_ids_that_may_be_paths_are_refused(client: TestClient, workspace_id: str) -> None:
    assert client.post("/v1/workspaces", json={"id": workspace_id}).status_code == 422
    assert client.get(f"/v1/workspaces/{workspace_id}/memories").status_code in (404, 422)


def test_a_user_from_beginning_to_end(client: TestClient) -> None:
    path = f"{WS}/users/ada@example.com"
    made = client.post(f"{WS}/users", json={"id": "ada@example.com", "name": "Ada", "metadata": {"a": 1}})
    assert (made.status_code, made.json()["id"]) == (200, "ada@example.com")
    assert client.patch(path, json={"name": "Countess"}).json()["metadata"] == {"a": 1}
    assert client.put(path, json={"name": "Ada"}).json()["metadata"] == {}
    assert client.patch(path, json={}).status_code == 400
    assert client.get(path).json()["name"] == "Ada"
    assert client.patch(f"{WS}/users/nobody", json={"name": "x"}).status_code == 404
    client.post(f"{WS}/memories", json={"type": "personal", "content": "abc", "user_id": "ada@example.com"})
    assert client.delete(path).json() == {"erased": 1}
    assert client.get(path).status_code == 404
    assert client.delete(path).status_code == 404


def test_users_are_listed_in_pages(client: TestClient) -> None:
    for name in "cab":
        client.put(f"{WS}/users/{name}", json={})
    first = client.get(f"{WS}/users?limit=2").json()
    assert [item["id"] for item in first["items"]] == ["a", "b"]
    second = client.get(f"{WS}/users", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [item["id"] for item in second["items"]] == ["c"]


def test_keys_are_issued_rotated_and_revoked(open_client: Start) -> None:
    client = open_client(access={"overlap_days": 0, "key_days": 5})
    admin = client.post("/v1/admin/keys", json={"name": "admin", "role": "admin", "workspaces": ["*"]}).json()
    headers = {"X-API-Key": admin["secret"]}
    body = {"name": "loader", "role": "user", "workspaces": ["team:*"], "days": 3}
    issued = client.post("/v1/admin/keys", json=body, headers=headers)
    assert issued.status_code == 201
    key = issued.json()
    assert key["secret"].startswith("rk_")
    assert (key["role"], key["workspaces"], key["tenant"]) == ("user", ["team:*"], "default")
    own = {"X-API-Key": key["secret"]}
    assert client.get("/v1/workspaces", headers=own).status_code == 200
    rotated = client.post(f"/v1/admin/keys/{key['id']}/rotate", headers=headers)
    assert rotated.status_code == 201
    assert client.get("/v1/workspaces", headers=own).status_code == 401, "no overlap was granted"
    new = rotated.json()
    assert client.get("/v1/workspaces", headers={"X-API-Key": new["secret"]}).status_code == 200
    revoked = client.delete(f"/v1/admin/keys/{new['id']}", headers=headers)
    assert revoked.json()["revoked_at"]
    assert client.get("/v1/workspaces", headers={"X-API-Key": new["secret"]}).status_code == 401
    listed = client.get("/v1/admin/keys", headers=headers).json()["items"]
    assert [item["name"] for item in listed] == ["admin", "loader", "loader"]
    assert listed[1]["replaced_by"] == new["id"]
    assert not [item for item in listed if "secret" in item]
    assert client.post(f"/v1/admin/keys/{new['id']}/rotate", headers=headers).status_code == 400
    assert client.delete(f"/v1/admin/keys/{'0' * 32}", headers=headers).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"name": "", "role": "user", "workspaces": ["*"]},
        {"name": "k", "role": "king", "workspaces": ["*"]},
        {"name": "k", "role": "user", "workspaces": []},
        {"name": "k", "role": "user", "workspaces": ["*"], "days": 0},
        {"name": "k", "role": "user", "workspaces": ["*"], "secret": "rk_1"},
    ],
)
def test_a_malformed_key(client: TestClient, body: dict[str, Any]) -> None:
    assert client.post("/v1/admin/keys", json=body).status_code == 422


@pytest.mark.usefixtures("midday")
def test_use_is_reported_and_becomes_a_workload(client: TestClient) -> None:
    for number in range(3):
        client.post(f"{WS}/memories", json={"type": "task", "content": f"abc {number}"})
    client.post(f"{WS}/search", json={"query": "abc"})
    report = client.get("/v1/usage").json()
    lines = {line["operation"]: line for line in report["lines"]}
    assert (lines["add"]["calls"], lines["add"]["items"]) == (3, 3)
    assert lines["retrieve"]["calls"] == 1
    assert report["cost_usd"] == 0
    assert {day["workspace_id"] for day in report["days"]} == {"team:one"}
    workload = client.get("/v1/usage?format=workload").json()
    assert read_workload(workload).name == "metered-use"
    day = report["from_day"]
    assert client.get(f"/v1/usage?from={day}&to={day}&workspace=team:one").json()["lines"] == report["lines"]
    assert client.get("/v1/usage?to=2001-01-01").json()["lines"] == []


@pytest.mark.parametrize(
    ("query", "status"),
    [("from=yesterday", 422), ("from=2026-13-01", 400), ("from=2026-02-02&to=2026-02-01", 400), ("format=csv", 422)],
)
def test_malformed_days(client: TestClient, query: str, status: int) -> None:
    assert client.get(f"/v1/usage?{query}").status_code == status


def test_nothing_metered_is_no_workload(client: TestClient) -> None:
    assert client.get("/v1/usage?format=workload&to=2001-01-01").status_code == 400


class TestTransfers:
    """Whole workspaces as lines, streamed both ways."""

    def test_there_and_back(self, client: TestClient) -> None:
        memories = [
            {"type": "task", "content": f"memory {number} " + "x" * 200, "tags": ["a"]} for number in range(600)
        ]
        client.post(f"{WS}/memories:batch", json={"memories": memories})
        exported = client.get(f"{WS}/export")
        assert exported.headers["Content-Type"] == "application/x-ndjson"
        assert exported.headers["Content-Disposition"] == 'attachment; filename="team:one.jsonl"'
        assert len(exported.content.splitlines()) == 600
        headers = {"Content-Type": "application/x-ndjson; charset=utf-8"}
        report = client.post("/v1/workspaces/copy/import", content=exported.content, headers=headers).json()
        assert (report["read"], report["created"], report["rejected_lines"]) == (600, 600, 0)
        again = client.post("/v1/workspaces/copy/import", content=exported.content, headers=headers).json()
        assert (again["created"], again["duplicates"]) == (0, 600)
        assert client.get("/v1/workspaces/copy/export").text.replace('"copy"', '"team:one"') == exported.text

    def test_an_empty_workspace(self, client: TestClient) -> None:
        assert client.get("/v1/workspaces/none/export").content == b""
        headers = {"Content-Type": "application/jsonl"}
        assert client.post("/v1/workspaces/none/import", content=b"", headers=headers).json()["read"] == 0

    def test_lines_that_cannot_be_used_are_told(self, client: TestClient) -> None:
        lines = [
            '{"memory_type":"task","content":"good","when_to_use":"w"}',
            "{broken",
            "",
            '{"memory_type":"odd","content":"x"}',
            '{"memory_type":"task","content":"no line end"}',
        ]
        body = "\n".join(lines).encode()
        headers = {"Content-Type": "application/x-ndjson"}
        report = client.post("/v1/workspaces/new/import", content=body, headers=headers).json()
        assert (report["read"], report["created"], report["rejected_lines"]) == (4, 2, 2)
        assert [entry["line"] for entry in report["rejected"]] == [2, 4]

    def test_characters_may_be_cut_between_chunks(self, client: TestClient) -> None:
        line = '{"memory_type":"personal","content":"喜欢咖啡"}\n'.encode()
        headers = {"Content-Type": "application/x-ndjson"}
        chunks = (line[at : at + 1] for at in range(len(line)))
        assert client.post("/v1/workspaces/zh/import", content=chunks, headers=headers).json()["created"] == 1
        assert client.get("/v1/workspaces/zh/memories").json()["items"][0]["content"] == "喜欢咖啡"

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("content", "media_type", "status"),
        [
            (b'{"a":1}', "application/json", 415),
            (b'{"a":1}', "text/plain", 415),
            (b"\xff\xfe\n", "application/x-ndjson", 400),
            (b"x" * 4_100_000, "application/x-ndjson", 400),
        ],
    )
    def test_refused(self, client: TestClient, content: bytes, media_type: str, status: int) -> None:
        answer = client.post("/v1/workspaces/new/import", content=content, headers={"Content-Type": media_type})
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")

    def test_an_export_that_breaks_off_is_not_taken_for_whole(
        self, client: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def lines(*_: object) -> Any:
            for number in range(5000):
                yield {"n": number, "text": "x" * 100}
            raise OSError("the disk is gone")

        monkeypatch.setattr(type(services_of(client).transfers), "export", lines)
        with pytest.raises(OSError, match="gone"):
            client.get(f"{WS}/export")

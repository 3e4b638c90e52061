"""What the 0.2 API does here that the golden pairs do not show: differences on purpose, odd bodies, limits."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.compat.dumps import Dumps, locate_dump, write_dump
from app.domain.access import LOCAL_ADMIN, Role
from app.domain.memory import Scope
from app.errors import InvalidRequest, StoreError
from tests.app.api.world import services_of
from tests.servers.waiting import PATIENCE_S

Start = Callable[..., TestClient]
TASK = {"content": "Drain the node first", "when_to_use": "deploying", "score": 0.8}


def post(client: TestClient, path: str, /, **body: Any) -> dict[str, Any]:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_the_pair_of_the_java_client(client: TestClient) -> None:
    said = {"trajectories": [{"messages": [{"role": "user", "content": "I like coffee"}]}]}
    kept = post(client, "/summary_personal_memory", workspace_id="u1", **said)
    assert (kept["answer"], kept["success"]) == ("", True)
    assert kept["metadata"]["deleted_memory_ids"] == []
    assert kept["metadata"]["update_result"] == {"deleted_count": 0, "inserted_count": 1}
    assert kept["metadata"]["extractor"] == "rule"
    found = post(client, "/retrieve_personal_memory", workspace_id="u1", query="coffee", top_k=5)
    assert found["answer"] == "I like coffee"
    item = found["metadata"]["memory_list"][0]
    assert set(item) == {
        "workspace_id", "memory_id", "memory_type", "when_to_use", "content", "score", "time_created",
        "time_modified", "author", "metadata", "target", "reflection_subject",
    }  # fmt: skip


def test_unknown_fields_are_accepted(client: TestClient) -> None:
    post(client, "/retrieve_task_memory", query="x", llm="gpt", metadata={"a": 1}, messages=[], enable_llm_rerank=True)


def test_messages_do_for_trajectories(client: TestClient) -> None:
    blocks = [{"type": "text", "text": "I like tea"}, {"type": "image_url", "image_url": {"url": "x"}}, "and cake"]
    messages = [{"role": "user", "content": blocks, "time_created": "2026-11-01 08:00:00", "tool_calls": []}]
    post(client, "/summary_personal_memory", messages=messages)
    raw = client.get("/v1/workspaces/default/memories?layer=raw").json()["items"]
    assert [item["content"] for item in raw] == ["I like tea\nand cake"]
    assert raw[0]["valid_from"] == "2026-11-01T08:00:00.000Z"


def test_a_time_that_is_none_is_no_failure(client: TestClient) -> None:
    for moment in ("yesterday", 1700000000, None, "9999-12-31T23:59:59-14:00"):
        messages = [{"role": "user", "content": f"I like tea {moment}", "time_created": moment}]
        post(client, "/summary_personal_memory", messages=messages)


def test_the_stored_score_is_kept(client: TestClient) -> None:
    post(client, "/add_task_memory", memory_list=[TASK])
    item = post(client, "/retrieve_task_memory", query="deploying")["metadata"]["memory_list"][0]
    assert item["score"] == pytest.approx(1.0, abs=1e-6), "the similarity"
    post(client, "/record_task_memory", workspace_id="default", memory_dicts=[item], update_utility=True)
    kept = client.get("/v1/workspaces/default/memories").json()["items"][0]
    assert (kept["score"], kept["frequency"], kept["utility"]) == (0.8, 1, 1.0)


def test_a_search_stays_within_its_type(client: TestClient) -> None:
    memories = [{"type": kind, "content": f"coffee {kind}"} for kind in ("personal", "task", "tool", "working")]
    client.post("/v1/workspaces/default/memories:batch", json={"memories": memories})
    for kind in ("personal", "task"):
        items = post(client, f"/retrieve_{kind}_memory", query="coffee")["metadata"]["memory_list"]
        assert [item["memory_type"] for item in items] == [kind]


def test_five_are_returned_when_nobody_says(client: TestClient) -> None:
    memories = [{"type": "task", "content": f"coffee {number}"} for number in range(9)]
    client.post("/v1/workspaces/default/memories:batch", json={"memories": memories})
    assert len(post(client, "/retrieve_task_memory", query="coffee")["metadata"]["memory_list"]) == 5
    assert len(post(client, "/retrieve_task_memory", query="coffee", top_k=9)["metadata"]["memory_list"]) == 9


@pytest.mark.parametrize("top_k", [0, -1, 201])
def test_a_wrong_top_k_is_told(client: TestClient, top_k: int) -> None:
    answer = client.post("/retrieve_task_memory", json={"query": "x", "top_k": top_k})
    assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert "1 to 200" in answer.json()["answer"]


class TestWorkspaceId:
    """Colons pass, paths do not, and nothing stands for "default" only where no key is needed."""

    @pytest.mark.parametrize("workspace_id", ["tenant-a:project-1", "user@example.com", "a" * 128])
    def test_allowed(self, client: TestClient, workspace_id: str) -> None:
        post(client, "/retrieve_task_memory", workspace_id=workspace_id, query="x")

    @pytest.mark.parametrize("workspace_id", ["../evil", "a/b", "..", ".hidden", "a" * 129, "a b", " ", "a\x00"])
    @pytest.mark.parametrize("path", ["/retrieve_task_memory", "/status"])
    def test_refused(self, client: TestClient, path: str, workspace_id: str) -> None:
        answer = client.post(path, json={"workspace_id": workspace_id, "query": "x"})
        assert (answer.status_code, answer.json()["success"]) == (400, False)

    def test_default_while_open(self, client: TestClient) -> None:
        post(client, "/add_task_memory", workspace_id="", memory_list=[TASK])
        assert client.get("/v1/workspaces").json()["items"][0]["id"] == "default"

    @pytest.mark.parametrize(
        ("workspaces", "status"), [(("*",), 400), (("u1", "u2"), 400), (("u*",), 400), (("u1",), 200)]
    )
    def test_with_a_key(self, client: TestClient, workspaces: tuple[str, ...], status: int) -> None:
        _, secret = services_of(client).keys.issue(LOCAL_ADMIN, name="k", role=Role.USER, workspaces=workspaces)
        answer = client.post("/retrieve_task_memory", json={"query": "x"}, headers={"X-API-Key": secret})
        assert answer.status_code == status


@pytest.mark.parametrize("flow", ["summary_personal_memory", "summary_task_memory"])
def test_a_turn_that_only_calls_tools_has_no_content(client: TestClient, flow: str) -> None:
    messages = [
        {"role": "user", "content": "I like green tea"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "function": {"name": "f"}}]},
        {"role": "tool", "content": "kettle is on"},
    ]
    answer = client.post(f"/{flow}", json={"workspace_id": "u1", "trajectories": [{"messages": messages}]})
    assert answer.status_code == 200, answer.text
    raw = client.get("/v1/workspaces/u1/memories?layer=raw").json()["items"]
    kept = ["I like green tea", "kettle is on"] if flow == "summary_task_memory" else ["I like green tea"]
    assert sorted(item["content"] for item in raw) == sorted(kept)


def test_a_repeated_request_with_an_idempotency_key(client: TestClient) -> None:
    headers = {"Idempotency-Key": "once"}
    first = client.post("/add_task_memory", json={"memory_list": [TASK]}, headers=headers)
    second = client.post("/add_task_memory", json={"memory_list": [TASK]}, headers=headers)
    assert first.json() == second.json()
    other = client.post("/add_task_memory", json={"memory_list": [{**TASK, "content": "x"}]}, headers=headers)
    assert (other.status_code, other.json()["metadata"]["error"]) == (409, "idempotency-conflict")


class TestDumps:
    """Files in the data directory and nowhere else."""

    def dump(self, client: TestClient, path: str | None, workspace_id: str = "u1") -> Any:
        body = {"workspace_id": workspace_id, "action": "dump", "path": path}
        return client.post("/vector_store", json=body)

    def test_erasures_reach_dumps(self, client: TestClient, tmp_path: Path) -> None:
        for path in ("/v1/workspaces/ws/users/ann", "/v1/workspaces/ws/memories?purge=true&user=ann"):
            body = {"type": "personal", "content": "secretword", "user_id": "ann"}
            assert client.post("/v1/workspaces/ws/memories", json=body).status_code == 201
            assert self.dump(client, "backup", "ws").json()["metadata"] == {"action_result": {"size": 1}}
            assert client.delete(path).status_code == 200
            assert (tmp_path / ".reme/dumps/default/backup/ws.jsonl").read_bytes() == b""
        for path in ("/v1/workspaces/ws/memories?purge=true", "/v1/workspaces/ws"):
            assert self.dump(client, "backup", "ws").status_code == 200
            assert client.delete(path).status_code == 200
            assert not list((tmp_path / ".reme/dumps").rglob("*.jsonl"))

    def test_the_file_is_upstreams(self, client: TestClient, tmp_path: Path) -> None:
        post(client, "/add_task_memory", workspace_id="a:b", memory_list=[TASK])
        assert self.dump(client, "backup/today", "a:b").json()["metadata"] == {"action_result": {"size": 1}}
        file = tmp_path / ".reme/dumps/default/backup/today/a%3Ab.jsonl"
        item = json.loads(file.read_text())
        assert (item["workspace_id"], item["content"]) == ("a:b", TASK["content"])
        assert not list(file.parent.glob("*.partial"))
        loaded = post(client, "/vector_store", workspace_id="a:b", action="load", path="backup/today")
        assert loaded["metadata"]["action_result"] == {"size": 0, "duplicates": 1, "rejected": 0}

    @pytest.mark.slow
    @pytest.mark.parametrize("path", ["..", "../..", "/etc", "a/../../b", "/", "x" * 2000, "a\x00b"])
    @pytest.mark.parametrize("action", ["dump", "load"])
    def test_outside(self, client: TestClient, tmp_path: Path, path: str, action: str) -> None:
        before = sorted(tmp_path.rglob("*"))
        answer = client.post("/vector_store", json={"workspace_id": "u1", "action": action, "path": path})
        assert (answer.status_code, answer.json()["success"]) == (400, False)
        assert sorted(tmp_path.rglob("*")) == before

    def test_a_link_does_not_lead_outside(self, client: TestClient, tmp_path: Path) -> None:
        assert self.dump(client, ".").status_code == 200
        (tmp_path / "outside").mkdir()
        (tmp_path / ".reme/dumps/default/link").symlink_to(tmp_path / "outside")
        assert self.dump(client, "link").status_code == 400

    def test_tenants_are_apart(self, tmp_path: Path) -> None:
        assert locate_dump(tmp_path, "acme", "", "ws") != locate_dump(tmp_path, "umbrella", "", "ws")
        with pytest.raises(InvalidRequest):
            locate_dump(tmp_path, "acme", "../umbrella", "ws")

    def test_an_absolute_path_inside_is_allowed(self, client: TestClient, tmp_path: Path) -> None:
        assert self.dump(client, str(tmp_path / ".reme/dumps/default/here")).status_code == 200

    def test_a_disk_that_fails_leaves_no_file(
        self, client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("app.api.compat.dumps.os.fsync", fail)
        answer = self.dump(client, ".")
        assert (answer.status_code, answer.json()["metadata"]["error"]) == (507, "store-full")
        assert "free some space" in answer.json()["answer"]
        assert [path for path in (tmp_path / ".reme").rglob("*") if path.is_file()] == []

    @pytest.mark.parametrize("path", ["x" * 300, "a/" + "é" * 150, "u1.jsonl", "u1.jsonl/deeper", "\ud800"])
    @pytest.mark.parametrize("action", ["dump", "load"])
    def test_a_path_that_no_folder_can_have(self, client: TestClient, path: str, action: str) -> None:
        assert self.dump(client, ".").status_code == 200
        body = json.dumps({"workspace_id": "u1", "action": action, "path": path})
        answer = client.post("/vector_store", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["metadata"]["error"]) == (400, "invalid-request")

    def test_a_workspace_whose_name_is_too_long_for_a_file(self, client: TestClient) -> None:
        names = ["a" + ":" * 127, "a" + ":" * 126 + "@"]
        for name in names:
            post(client, "/add_task_memory", workspace_id=name, memory_list=[{**TASK, "content": name}])
            assert self.dump(client, ".", name).json()["metadata"] == {"action_result": {"size": 1}}
        for name in names:
            loaded = post(client, "/vector_store", workspace_id=name, action="load", path=".")
            assert loaded["metadata"]["action_result"] == {"size": 0, "duplicates": 1, "rejected": 0}

    def test_dumps_of_a_workspace_at_once_are_each_whole(self, tmp_path: Path) -> None:
        def lines(text: str, entered: Event, other: Event) -> Iterator[dict[str, str]]:
            yield {"content": text}
            entered.set()
            assert other.wait(PATIENCE_S)
            yield {"content": text}

        file, one, two = tmp_path / "u1.jsonl", Event(), Event()
        with ThreadPoolExecutor(2) as threads:
            dumps = [
                threads.submit(write_dump, file, lines("one", one, two)),
                threads.submit(write_dump, file, lines("two, which is longer", two, one)),
            ]
            assert [dump.result(PATIENCE_S) for dump in dumps] == [2, 2]
        kept = [json.loads(line)["content"] for line in file.read_text().splitlines()]
        assert kept in (["one"] * 2, ["two, which is longer"] * 2)
        assert list(tmp_path.iterdir()) == [file]

    def test_an_erased_workspace_leaves_no_dump(self, tmp_path: Path) -> None:
        for workspace_id in ("u1", "u1.x", "u2"):
            for path in ("", "a/b"):
                write_dump(locate_dump(tmp_path, "acme", path, workspace_id), iter([{"content": "tea"}]))
        write_dump(locate_dump(tmp_path, "umbrella", "", "u1"), iter([{"content": "tea"}]))
        cut_short = tmp_path / f"dumps/acme/a/u1.{'0' * 32}.partial"
        cut_short.write_bytes(b"tea")
        dumps = Dumps(tmp_path)
        assert dumps.forget(Scope(tenant_id="acme", workspace_id="u1")) == 2
        assert dumps.forget(Scope(tenant_id="acme", workspace_id="u1")) == 0
        assert dumps.forget(Scope(tenant_id="nobody", workspace_id="u1")) == 0
        left = {str(file.relative_to(tmp_path / "dumps")) for file in tmp_path.rglob("*") if file.is_file()}
        kept = {f"acme/{path}{name}.jsonl" for path in ("", "a/b/") for name in ("u1.x", "u2")}
        assert left == kept | {"umbrella/u1.jsonl"}

    def test_an_erased_user_is_taken_out_of_dumps(self, tmp_path: Path) -> None:
        def line(content: str, **fields: object) -> dict[str, Any]:
            return {"memory_type": "personal", "content": content, **fields}

        file, other = (locate_dump(tmp_path, "acme", path, "u1") for path in ("", "other"))
        write_dump(
            file,
            iter(
                [
                    line("one", reme={"user_id": "ann"}),
                    line("two", reme={"user_id": "anna"}),
                    line("three", user_id=" ann "),
                    line("four"),
                ]
            ),
        )
        write_dump(other, iter([line("five", reme={"user_id": "bob"})]))
        for each in (file, other):
            each.write_bytes(each.read_bytes() + b"{broken\n")
        before = other.read_bytes()
        scope, dumps = Scope(tenant_id="acme", workspace_id="u1"), Dumps(tmp_path)
        assert dumps.forget(scope, user_id="nobody") == 0
        assert dumps.forget(scope, user_id="ann") == 1
        assert [json.loads(each)["content"] for each in file.read_text().splitlines()] == ["two", "four"]
        assert other.read_bytes() == before
        assert dumps.forget(scope, user_id="ann") == 0
        assert not list(tmp_path.rglob("*.partial"))

    def test_a_dump_that_an_erasure_overtakes_fails(self, tmp_path: Path) -> None:
        def lines() -> Iterator[dict[str, str]]:
            yield {"content": "tea"}
            Dumps(tmp_path).forget(Scope(tenant_id="acme", workspace_id="u1"), user_id="ann")

        with pytest.raises(StoreError, match="its workspace was erased"):
            write_dump(locate_dump(tmp_path, "acme", "a", "u1"), lines())
        assert [file for file in tmp_path.rglob("*") if file.is_file()] == []

    def test_a_dump_that_cannot_be_read(self, client: TestClient, tmp_path: Path) -> None:
        self.dump(client, ".")
        file = tmp_path / ".reme/dumps/default/u1.jsonl"
        body = {"workspace_id": "u1", "action": "load", "path": "."}
        for content in (b"\xff\xfe\n", b"{broken\n"):
            file.write_bytes(content)
            assert client.post("/vector_store", json=body).status_code == 400


def test_action_results_as_python_on_request(open_client: Start) -> None:
    client = open_client(compat={"repr": True})
    post(client, "/add_task_memory", memory_list=[TASK])
    copied = post(client, "/vector_store", workspace_id="u2", action="copy", src_workspace_id="default")
    assert copied["metadata"]["action_result"] == "{'size': 1}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"action": "copy"}, "src_workspace_id"),
        ({"action": "delete_ids"}, "memory_ids"),
        ({"action": "delete_ids", "memory_ids": ["x"]}, "32 hexadecimal"),
        ({"action": ""}, "copy, delete"),
    ],
)
def test_an_action_says_what_it_lacks(client: TestClient, body: dict[str, Any], words: str) -> None:
    answer = client.post("/vector_store", json=body)
    assert answer.status_code == 400
    assert words in answer.json()["answer"]


def test_a_validation_failure_has_fastapis_shape(client: TestClient) -> None:
    answer = client.post("/retrieve_task_memory", json={"top_k": 3, "workspace_id": "u1"})
    assert answer.status_code == 422
    detail = answer.json()["detail"][0]
    assert (detail["type"], detail["loc"], detail["msg"]) == ("missing", ["body", "query"], "Field required")
    assert detail["input"] == {"top_k": 3, "workspace_id": "u1"}


def test_a_number_that_is_none_is_answered_in_json(client: TestClient) -> None:
    content = b'{"top_k": NaN, "query": "x"}'
    answer = client.post("/retrieve_task_memory", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert json.loads(answer.text, parse_constant=pytest.fail)["detail"][0]["input"] == "nan"


def test_a_refusal_repeats_only_so_much(client: TestClient) -> None:
    many = client.post("/summary_task_memory", json={"trajectories": [7] * 5000})
    assert len(many.json()["detail"]) == 100
    large = client.post("/retrieve_task_memory", json={"top_k": ["x" * 10_000], "query": 5})
    assert large.json()["detail"][1]["input"] == "..."
    assert len(large.content) < 5000


def test_a_deletion_follows_its_rule(client: TestClient) -> None:
    """Upstream deletes nothing here; the rule is freq >= F and utility / freq < U."""
    items = [{**TASK, "content": str(number)} for number in range(2)]
    post(client, "/add_task_memory", memory_list=items)
    found = post(client, "/retrieve_task_memory", query="deploying")["metadata"]["memory_list"]
    for useful, item in enumerate(found):
        for _ in range(2):
            post(
                client,
                "/record_task_memory",
                workspace_id="default",
                memory_dicts=[item],
                update_utility=bool(useful),
            )
    body = {"workspace_id": "default", "freq_threshold": 2, "utility_threshold": 0.5}
    deleted = post(client, "/delete_task_memory", **body)["metadata"]
    assert deleted["update_result"] == {"deleted_count": 1, "inserted_count": 0}
    assert deleted["deleted_memory_ids"] == [found[0]["memory_id"]]

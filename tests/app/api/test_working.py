"""Working memory over HTTP: the 0.2 endpoints and /v1."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.context import PATTERN_THREADS
from app.domain.access import LOCAL_ADMIN
from app.domain.memory import Scope
from app.service.working.patterns import find_matches
from tests.app.api.world import services_of
from tests.servers.waiting import PATIENCE_S

LOG = "".join(f"line {number}: 一切正常 all is well\r\n" for number in range(1, 2_001))
CALL = {"id": "c1", "type": "function", "function": {"name": "read_log", "arguments": "{}"}}
SAID: list[dict[str, Any]] = [
    {"role": "system", "content": "You watch a machine."},
    {"role": "user", "content": "What does the log say?", "x_client": {"kept": [1, None]}},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": LOG, "time_created": "2026-11-22 11:52:21"},
    {"role": "assistant", "content": "Nothing unusual."},
]
LIMITS = {"max_total_tokens": 2_000, "keep_recent_count": 1}
OFFLOADS = "/v1/workspaces/default/offloads"


def post(client: TestClient, path: str, /, **body: Any) -> dict[str, Any]:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("name", ["", "_for_as"])
def test_as_clients_of_0_2_ask(client: TestClient, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The process that looks for an expression may start late on a busy machine.
    monkeypatch.setattr(find_matches, "__kwdefaults__", {"most_s": PATIENCE_S})
    done = post(
        client,
        f"/summary_working_memory{name}",
        messages=SAID,
        working_summary_mode="auto",
        compact_ratio_threshold=0.75,
        max_tool_message_tokens=2000,
        group_token_threshold=None,
        store_dir="../../etc",
        chat_id="chat-1",
        unknown=True,
        **LIMITS,
    )
    assert done["success"] is True
    ((path, text),) = done["metadata"]["write_file_dict"].items()
    assert text == LOG
    assert path.startswith("working_memory/")
    shortened = done["answer"][3]
    assert path in shortened["content"]
    assert [*done["answer"][:3], {**shortened, "content": LOG}, done["answer"][4]] == SAID
    assert done["metadata"]["tokens_after"] <= 2_000 < done["metadata"]["tokens_before"]
    assert (done["metadata"]["summariser"], done["metadata"]["missed"]) == ("", "")
    found = post(client, "/grep_working_memory", file_path=path, pattern="LINE 199[89]:")
    assert found["answer"] == "1998:line 1998: 一切正常 all is well\r\n1999:line 1999: 一切正常 all is well\r"
    assert found["metadata"]["matches"][0]["line"] == 1998
    assert post(client, "/grep_working_memory", file_path=path, pattern="line", limit=2)["answer"].count("\n") == 1
    none = post(client, "/grep_working_memory", file_path=path, pattern="no such")
    assert none["answer"] == f'No matches found for pattern "no such" in file_path "{path}".'
    read = post(client, "/read_working_memory", file_path=path, offset=10, limit=2)
    assert read["answer"] == "line 11: 一切正常 all is well\r\nline 12: 一切正常 all is well\r"
    assert post(client, "/read_working_memory", file_path=path, offset=0, limit=0)["answer"] == LOG.rstrip("\n")


def test_a_short_conversation_and_an_empty_one(client: TestClient) -> None:
    for messages in ([], SAID[:2]):
        done = post(client, "/summary_working_memory", messages=messages)
        assert (done["answer"], done["metadata"]["write_file_dict"]) == (messages, {})


def test_an_answer_of_read_has_an_end(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.api.compat.working_memory.READ_BYTES", 100)
    done = post(client, "/summary_working_memory", messages=SAID, **LIMITS)
    (path,) = done["metadata"]["write_file_dict"]
    read = post(client, "/read_working_memory", file_path=path, offset=0, limit=50)
    assert read["metadata"]["truncated"] is True
    assert read["answer"].startswith("line 1: ")
    assert read["answer"].endswith("[cut after 100 bytes: read fewer lines, or search]")


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "/etc/passwd", "working_memory/../memory.db", "", "x" * 5_000, f"{'0' * 32}.txt"]
)
def test_only_offloads_are_read(client: TestClient, path: str) -> None:
    for name, more in (("read", {"offset": 0, "limit": 1}), ("grep", {"pattern": "x"})):
        answer = client.post(f"/{name}_working_memory", json={"file_path": path, **more})
        assert (answer.status_code, answer.json()["success"]) == (404, False)
        assert "root:" not in answer.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"messages": [1]}, 422),
        ({"messages": [], "working_summary_mode": "shred"}, 422),
        ({"messages": [], "max_total_tokens": 0}, 422),
        ({"messages": [{"content": "no role"}]}, 400),
        ({"messages": [], "chat_id": "x" * 129}, 400),
    ],
)
def test_what_cannot_be_used_is_refused(client: TestClient, body: dict[str, Any], status: int) -> None:
    assert client.post("/summary_working_memory", json=body).status_code == status
    renamed = {"mode" if name == "working_summary_mode" else name: value for name, value in body.items()}
    answer = client.post("/v1/workspaces/default/working:compact", json=renamed)
    assert answer.status_code in (status, 422)


def test_the_life_of_an_offload(client: TestClient) -> None:
    done = post(client, "/v1/workspaces/default/working:compact", messages=SAID, chat_id="chat-1", **LIMITS)
    (kept,) = done["offloads"]
    assert (kept["kind"], kept["name"], kept["chat_id"], kept["tier"]) == ("tool_output", "read_log", "chat-1", "hot")
    assert (kept["bytes"], kept["lines"]) == (len(LOG.encode()), 2_000)
    one = f"{OFFLOADS}/{kept['id']}"
    assert client.get(one).json() == kept
    assert client.get(f"{OFFLOADS}?chat=chat-1").json() == {"items": [kept], "next_cursor": ""}
    assert client.get(f"{OFFLOADS}?chat=other").json()["items"] == []
    text = client.get(f"{one}/text")
    assert (text.text, text.headers["content-type"]) == (LOG, "text/plain; charset=utf-8")
    assert client.get(f"{one}/text?offset=1999&limit=9").text == LOG.splitlines(keepends=True)[-1]
    assert client.get(f"{one}/text?offset=2000").text == ""
    found = post(client, f"{one}/search", pattern="LINE 7:")
    assert found["matches"] == [{"line": 7, "text": "line 7: 一切正常 all is well\r"}]
    assert post(client, f"{one}/search", pattern="LINE 7:", ignore_case=False)["matches"] == []
    assert client.post(f"{one}/search", json={"pattern": "("}).status_code == 400
    assert client.get(f"/v1/workspaces/other/offloads/{kept['id']}").status_code == 404
    assert client.delete(one).status_code == 204
    for address in (one, f"{one}/text"):
        assert client.get(address).status_code == 404
    assert client.delete(one).status_code == 404


def test_searches_that_take_long_hold_up_no_reading(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    done = post(client, "/v1/workspaces/default/working:compact", messages=SAID, **LIMITS)
    one = f"{OFFLOADS}/{done['offloads'][0]['id']}"
    started, end = Semaphore(0), Event()

    def search(*_: object, **__: object) -> tuple[()]:
        started.release()
        end.wait(PATIENCE_S)
        return ()

    monkeypatch.setattr(type(services_of(client).working), "search", search)
    with ThreadPoolExecutor(PATTERN_THREADS + 2) as threads:
        searches = [threads.submit(post, client, f"{one}/search", pattern="x") for _ in range(PATTERN_THREADS + 1)]
        try:
            for _ in range(PATTERN_THREADS):
                assert started.acquire(timeout=PATIENCE_S)
            assert threads.submit(client.get, f"{one}/text").result(timeout=PATIENCE_S).text == LOG
        finally:
            end.set()
        assert [each.result()["matches"] for each in searches] == [[]] * (PATTERN_THREADS + 1)


def test_offloads_come_in_pages(client: TestClient) -> None:
    for number in range(3):
        messages = [{"role": "tool", "content": f"{number} " * 9_000}]
        limits = {"mode": "compact", "max_total_tokens": 1, "keep_recent_count": 0}
        post(client, "/v1/workspaces/default/working:compact", messages=messages, **limits)
    first = client.get(f"{OFFLOADS}?limit=2").json()
    second = client.get(f"{OFFLOADS}?limit=2&cursor={first['next_cursor']}").json()
    assert (len(first["items"]), len(second["items"]), second["next_cursor"]) == (2, 1, "")
    assert len({item["id"] for item in first["items"] + second["items"]}) == 3
    assert client.get(f"{OFFLOADS}?cursor=x").status_code == 400


@pytest.mark.parametrize("how", ["delete", "purge", "vector_store"])
def test_a_workspace_takes_its_offloads_along(client: TestClient, how: str) -> None:
    post(client, "/v1/workspaces/default/working:compact", messages=SAID, **LIMITS)
    assert client.get("/v1/workspaces").json()["items"][0]["id"] == "default"
    if how == "delete":
        assert client.delete("/v1/workspaces/default").status_code == 200
    elif how == "purge":
        post(client, "/v1/workspaces/default/purge", everything=True)
    else:
        post(client, "/vector_store", action="delete", workspace_id="default")
    assert client.get(OFFLOADS).json()["items"] == []
    working = services_of(client).working
    assert working.forget(Scope(tenant_id=LOCAL_ADMIN.tenant_id, workspace_id="default")) == 0

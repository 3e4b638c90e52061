"""MCP over HTTP: the same door, the same rights, the same limits and the same log lines as the rest of the service."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from app.domain.access import LOCAL_ADMIN, Role
from app.domain.memory import MemoryDraft, MemoryKind
from app.errors import Forbidden
from app.mcp.endpoint import check_origin
from tests.app.mcp.serving import Served, connected, serving, text_of
from tests.servers.waiting import PATIENCE_S, wait_until

OWN, FOREIGN = "acme:own", "acme:foreign"
CANARY = "the canary sings at dawn"
INITIALIZE: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
HEADERS = {"Accept": "application/json, text/event-stream"}


class World:
    """A server with keys of some roles, and a memory in each of two workspaces."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.reader = served.issue(Role.READER, OWN)
        self.user = served.issue(Role.USER, OWN)
        self.both = served.issue(Role.USER, OWN, FOREIGN)
        self.admin = served.issue(Role.ADMIN)
        draft = MemoryDraft(kind=MemoryKind.PERSONAL, content=CANARY)
        add = served.services.memories.add
        self.ids = {name: add(LOCAL_ADMIN, name, [draft]).outcomes[0].memory_id for name in (OWN, FOREIGN)}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with serving(tmp_path_factory.mktemp("keys"), http={"key_in_path": True}) as running:
        yield World(running)


def post(url: str, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.post(f"{url}/mcp", json=body, headers={**HEADERS, **(headers or {})}, timeout=PATIENCE_S)


def read(answer: httpx.Response) -> Any:
    """The message in an answer, which is JSON or a stream of events."""
    text = answer.text
    if answer.headers["content-type"].startswith("text/event-stream"):
        text = next(line for line in text.splitlines() if line.startswith("data:")).removeprefix("data:")
    return json.loads(text)


@pytest.mark.parametrize("body", [INITIALIZE, LIST])
@pytest.mark.parametrize(
    "headers", [{}, {"X-API-Key": "rk_" + "0" * 32}, {"Authorization": "Bearer nonsense"}], ids=["none", "key", "token"]
)
def test_without_a_key_that_opens_nothing_is_told(world: World, body: Any, headers: dict[str, str]) -> None:
    answer = post(world.served.url, body, headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "search_memory" not in answer.text


def test_a_key_may_stand_in_three_places(world: World) -> None:
    url = world.served.url
    for answer in (
        post(url, LIST, {"X-API-Key": world.user}),
        post(url, LIST, {"Authorization": f"Bearer {world.user}"}),
        post(f"{url}/k/{world.user}", LIST),
    ):
        assert answer.status_code == 200
        assert "search_memory" in [tool["name"] for tool in read(answer)["result"]["tools"]]
    assert post(f"{url}/k/{world.admin}", LIST).status_code == 403


def test_a_reader_reads_and_writes_nothing(world: World) -> None:
    writing: dict[str, dict[str, Any]] = {
        "add_memory": {"content": "new"},
        "update_memory": {"memory_id": world.ids[OWN], "content": "new"},
        "delete_memory": {"memory_id": world.ids[OWN]},
        "record_use": {"memory_ids": [world.ids[OWN]]},
        "remember_conversation": {"messages": [{"role": "user", "content": "I like coffee"}]},
        "record_tool_calls": {"calls": [{"tool_name": "x"}]},
        "summarise_tools": {"tool_names": ["x"]},
    }

    async def run() -> None:
        async with connected(world.served.url, world.reader) as client:
            # The key opens one workspace, which is therefore the default.
            found = await client.call_tool("search_memory", {"query": CANARY})
            assert CANARY in text_of(found)
            for tool, arguments in writing.items():
                result = await client.call_tool(tool, arguments)
                assert result.is_error, tool
                assert text_of(result).startswith("forbidden: role 'reader' lacks"), tool
            whole = await client.call_tool("get_memory", {"memory_id": world.ids[OWN]})
            assert whole.structured_content["version"] == 1

    anyio.run(run)


def test_another_workspace_is_not_there(world: World) -> None:
    own, foreign = world.ids[OWN], world.ids[FOREIGN]
    asked: dict[str, dict[str, Any]] = {
        "search_memory": {"query": CANARY},
        "list_memories": {},
        "get_memory": {"memory_id": foreign},
        "add_memory": {"content": "new"},
        "update_memory": {"memory_id": foreign, "content": "new"},
        "delete_memory": {"memory_id": foreign},
        "record_use": {"memory_ids": [foreign]},
        "remember_conversation": {"messages": [{"role": "user", "content": "I like coffee"}]},
        "record_tool_calls": {"calls": [{"tool_name": "x"}]},
        "get_tool_guidelines": {"tool_names": ["x"]},
        "summarise_tools": {"tool_names": ["x"]},
    }

    async def run() -> None:
        async with connected(world.served.url, world.user) as client:
            for tool, arguments in asked.items():
                for workspace in (FOREIGN, "acme:missing"):
                    result = await client.call_tool(tool, {**arguments, "workspace_id": workspace})
                    assert result.is_error, tool
                    assert text_of(result).startswith(f"not-found: there is no workspace '{workspace}'"), tool
                    assert CANARY not in text_of(result)
            # A memory of another workspace is none of this one.
            result = await client.call_tool("get_memory", {"memory_id": foreign})
            assert text_of(result).startswith("not-found: there is no memory")
            assert not (await client.call_tool("get_memory", {"memory_id": own})).is_error
            usage = await client.call_tool("get_usage", {"only_workspace_id": FOREIGN})
            assert text_of(usage).startswith("not-found: ")
            listed = await client.call_tool("list_workspaces", {})
            assert [item["id"] for item in listed.structured_content["items"]] == [OWN]

    anyio.run(run)
    kept = world.served.services.memories.get(LOCAL_ADMIN, FOREIGN, foreign)
    assert (kept.content, kept.version, kept.frequency) == (CANARY, 1, 0)


def test_whose_key_opens_several_workspaces_has_to_name_one(world: World) -> None:
    async def run() -> None:
        async with connected(world.served.url, world.both) as client:
            result = await client.call_tool("search_memory", {"query": CANARY})
            assert text_of(result).startswith("invalid-request: workspace_id is needed")
            result = await client.call_tool("search_memory", {"query": CANARY, "workspace_id": FOREIGN})
            assert CANARY in text_of(result)

    anyio.run(run)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_twenty_sessions_at_once_stay_apart(world: World, mode: str) -> None:
    keys = {name: world.served.issue(Role.USER, name) for name in (f"crowd-{mode}-{number}" for number in range(20))}

    async def work(name: str, key: str) -> None:
        async with connected(world.served.url, key, mode=mode) as client:
            for number in range(3):
                await client.call_tool("add_memory", {"content": f"note {number} of {name}"})
            found = await client.call_tool("search_memory", {"query": "note", "top_k": 50})
            texts = {hit["memory"]["content"] for hit in found.structured_content["hits"]}
            assert texts == {f"note {number} of {name}" for number in range(3)}

    async def run() -> None:
        async with anyio.create_task_group() as group:
            for name, key in keys.items():
                group.start_soon(work, name, key)

    anyio.run(run)


def test_a_call_that_is_given_up_harms_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    add = world.served.services.memories.add
    started, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def slow(*arguments: Any, **named: Any) -> Any:
        started.set()
        assert go_on.wait(PATIENCE_S)
        try:
            return add(*arguments, **named)
        finally:
            done.set()

    async def run() -> None:
        async with connected(world.served.url, world.user) as client:
            with monkeypatch.context() as patch:
                patch.setattr(world.served.services.memories, "add", slow)
                async with anyio.create_task_group() as group:
                    group.start_soon(client.call_tool, "add_memory", {"content": "given up"})
                    await anyio.to_thread.run_sync(started.wait)
                    group.cancel_scope.cancel()
            assert not (await client.call_tool("search_memory", {"query": CANARY})).is_error
            go_on.set()
            assert await anyio.to_thread.run_sync(lambda: done.wait(PATIENCE_S))
            # What was begun in the store ends there, whole.
            found = await client.call_tool("search_memory", {"query": "given up", "mode": "keyword"})
            assert [hit["memory"]["content"] for hit in found.structured_content["hits"]] == ["given up"]

    anyio.run(run)


def test_what_nobody_foresaw_is_told_without_its_text(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError(CANARY)

    monkeypatch.setattr(world.served.services.retrieval, "search", fail)

    async def run() -> None:
        async with connected(world.served.url, world.user) as client:
            result = await client.call_tool("search_memory", {"query": "x"})
            assert result.is_error
            assert text_of(result).startswith("internal-error: ")
            assert CANARY not in text_of(result)
            assert "Traceback" not in text_of(result)

    anyio.run(run)


def test_streams_and_sessions_are_not_offered(world: World) -> None:
    headers = {**HEADERS, "X-API-Key": world.user}
    for method in ("GET", "DELETE", "PUT"):
        answer = httpx.request(method, f"{world.served.url}/mcp", headers=headers, timeout=PATIENCE_S)
        assert answer.status_code == 405
        assert "POST" in answer.headers["allow"]
    started = post(world.served.url, INITIALIZE, {"X-API-Key": world.user})
    assert started.status_code == 200
    assert "mcp-session-id" not in started.headers


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"{", 400), (b"[]", 400), (b"[" * 50_000, 400), (b'"\xff"', 400), (b"x" * 1_100_000, 413)],
    ids=["half", "empty batch", "deep", "no text", "large"],
)
@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
def test_malformed_messages_are_refused(world: World, content: bytes, status: int, version: str) -> None:
    headers = {
        **HEADERS,
        "X-API-Key": world.user,
        "Content-Type": "application/json",
        "MCP-Protocol-Version": version,
    }
    answer = httpx.post(f"{world.served.url}/mcp", content=content, headers=headers, timeout=PATIENCE_S)
    assert answer.status_code == status
    assert "Traceback" not in answer.text
    assert post(world.served.url, LIST, headers).status_code in (200, 400)


def test_a_body_that_is_no_json_is_refused(world: World) -> None:
    headers = {**HEADERS, "X-API-Key": world.user, "Content-Type": "text/plain"}
    answer = httpx.post(f"{world.served.url}/mcp", content=b"{}", headers=headers, timeout=PATIENCE_S)
    assert answer.status_code in (400, 415)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("search_memory", '{"workspace_id": "acme:own", "query": "x", "metadata": {"n": 1e999}}'),
        ("add_memory", '{"workspace_id": "acme:own", "content": "x", "metadata": {"n": NaN}}'),
    ],
)
def test_numbers_that_json_does_not_know_are_refused(world: World, tool: str, arguments: str) -> None:
    body = f'{{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {{"name": "{tool}", "arguments": {arguments}}}}}'
    headers = {**HEADERS, "Content-Type": "application/json", "X-API-Key": world.user}
    result = read(httpx.post(f"{world.served.url}/mcp", content=body, headers=headers, timeout=PATIENCE_S))["result"]
    assert result["isError"]
    assert "not finite" in result["content"][0]["text"]


def test_a_foreign_web_page_is_refused(world: World) -> None:
    key = {"X-API-Key": world.user}
    assert post(world.served.url, LIST, {**key, "Origin": "https://evil.example"}).status_code == 403
    assert post(world.served.url, LIST, {**key, "Origin": world.served.url}).status_code == 200


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("", "reme.example:8002", ()),
        ("http://127.0.0.1:8002", "127.0.0.1:8002", ()),
        ("http://localhost:8002", "localhost:8002", ()),
        ("https://app.example", "reme.example", ("https://app.example",)),
        ("https://app.example", "reme.example", ("*",)),
    ],
)
def test_these_origins_pass(origin: str, host: str, allowed: tuple[str, ...]) -> None:
    check_origin(origin, host, allowed)


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("https://evil.example", "reme.example", ()),
        ("http://evil.example:8002", "evil.example:8002", ()),  # a name that was bound to the service's address
        ("http://localhost:3000", "localhost:8002", ()),
        ("null", "127.0.0.1:8002", ()),
        ("http://[", "[", ()),
        ("https://evil.example", "reme.example", ("https://app.example",)),
    ],
)
def test_these_origins_do_not(origin: str, host: str, allowed: tuple[str, ...]) -> None:
    with pytest.raises(Forbidden, match="http.cors_origins"):
        check_origin(origin, host, allowed)


def test_calls_count_against_the_rate_of_their_key(tmp_path: Path) -> None:
    with serving(tmp_path, access={"requests_per_minute": 1}) as served:
        key = {"X-API-Key": served.issue(Role.USER, OWN)}
        statuses = [post(served.url, LIST, key).status_code for _ in range(5)]
        assert statuses[0] == 200
        assert 429 in statuses


def test_a_call_has_one_log_line_and_one_metric(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with serving(tmp_path, log={"file": log}) as served:
        key = served.issue(Role.USER, OWN)

        async def run() -> None:
            async with connected(served.url, key) as client:
                await client.call_tool("add_memory", {"content": CANARY})
                await client.call_tool("search_memory", {"query": "x", "workspace_id": FOREIGN})

        anyio.run(run)
        metric = 'operation="mcp_add_memory"'
        # A request is counted after it was answered.
        wait_until(lambda: metric in httpx.get(f"{served.url}/metrics", timeout=PATIENCE_S).text, metric)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    [line] = [line for line in lines if line.get("operation") == "mcp_add_memory"]
    assert (line["workspace_id"], line["route"], line["http_status"]) == (OWN, "/mcp", 200)
    assert len(line["key_id"]) == 32
    assert CANARY not in log.read_text()
    assert key not in log.read_text()

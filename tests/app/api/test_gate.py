"""The outermost layer: ids, limits, the log line, and answers to what nobody foresaw."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.api.gate import hide_key
from app.api.rates import FORGET_BEYOND, RateLimiter
from app.domain.access import LOCAL_ADMIN, Role
from app.errors import RateLimited, StoreBusy, StoreFull
from tests.app.api.world import make_client, services_of

Start = Callable[..., TestClient]
KEY = "rk_0123456789abcdef0123456789abcdef"


def log_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]


def test_a_request_id_comes_back_and_stands_in_the_log(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    body = {"query": "x"}
    answer = client.post("/v1/workspaces/ws/search", json=body, headers={"X-Request-Id": "trace_abc123"})
    assert answer.headers["X-Request-Id"] == "trace_abc123"
    line = next(line for line in log_lines(capsys) if line["logger"] == "reme.http")
    assert line["trace_id"] == "trace_abc123"
    assert line["operation"] == "search_memories"
    assert line["workspace_id"] == "ws"
    assert line["status"] == "success"
    assert line["vector_db"] == "memory"
    assert line["token_consumed"] == 0
    assert line["duration_ms"] > 0
    assert line["route"] == "/v1/workspaces/{workspace_id}/search"
    answer = client.get("/health")
    assert len(answer.headers["X-Request-Id"]) == 32


def test_an_error_carries_its_request_id(client: TestClient) -> None:
    answer = client.get("/v1/workspaces/missing", headers={"X-Request-Id": "t1"})
    assert answer.json()["request_id"] == "t1"
    answer = client.post("/search", json={"query": "x", "workspace_id": "../evil"}, headers={"X-Request-Id": "t2"})
    assert (answer.status_code, answer.json()["metadata"]["request_id"]) == (400, "t2")


def test_paths_with_the_ids_of_people_are_not_logged(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    client.get("/v1/workspaces/ws/users/ada@example.com")
    assert "ada@example.com" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "media_type"),
    [("/v1/workspaces/ws/memories", "application/problem+json"), ("/search", "application/json")],
)
class TestBodyLimit:
    """A body beyond the limit is refused whether its length is told or not."""

    def test_told(self, open_client: Start, path: str, media_type: str) -> None:
        client = open_client(http={"max_body_bytes": 2000})
        answer = client.post(path, content=b"x" * 2001, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.headers["Content-Type"]) == (413, media_type)
        assert "2,000 bytes" in answer.text

    def test_chunked(self, open_client: Start, path: str, media_type: str) -> None:
        client = open_client(http={"max_body_bytes": 2000})

        def chunks() -> Iterator[bytes]:
            for _ in range(30):
                yield b"x" * 100

        answer = client.post(path, content=chunks(), headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.headers["Content-Type"]) == (413, media_type)

    def test_at_the_limit(self, open_client: Start, path: str, media_type: str) -> None:
        client = open_client(http={"max_body_bytes": 2000})
        answer = client.post(path, content=b"x" * 2000, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422


def test_an_import_has_a_limit_of_its_own(open_client: Start) -> None:
    client = open_client(http={"max_body_bytes": 2000, "max_import_bytes": 5000})
    headers = {"Content-Type": "application/x-ndjson"}
    line = b'{"memory_type":"task","content":"x","when_to_use":"y"}\n'
    assert client.post("/v1/workspaces/ws/import", content=line * 80, headers=headers).status_code == 200
    assert client.post("/v1/workspaces/ws/import", content=line * 100, headers=headers).status_code == 413
    chunked = client.post("/v1/workspaces/ws/import", content=iter([line] * 100), headers=headers)
    assert chunked.status_code == 413


def test_a_key_may_make_so_many_requests_a_minute(open_client: Start) -> None:
    client = open_client(access={"requests_per_minute": 1})
    keys = services_of(client).keys
    first, second = (keys.issue(LOCAL_ADMIN, name=name, role=Role.READER, workspaces=("*",))[1] for name in ("a", "b"))
    assert client.get("/v1/workspaces", headers={"X-API-Key": first}).status_code == 200
    answer = client.get("/v1/workspaces", headers={"X-API-Key": first})
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.json()["type"].endswith("rate-limited")
    assert client.post("/search", headers={"X-API-Key": first}, json={"query": "x"}).json()["success"] is False
    assert client.get("/v1/workspaces", headers={"X-API-Key": second}).status_code == 200
    assert client.get("/health", headers={"X-API-Key": first}).status_code == 200


class TestRateLimiter:
    """The bucket refills as time goes on."""

    def test_refills(self) -> None:
        now = [0.0]
        limiter = RateLimiter(60, seconds=lambda: now[0])
        for _ in range(60):
            asyncio.run(limiter.spend("a"))
        with pytest.raises(RateLimited) as refusal:
            asyncio.run(limiter.spend("a"))
        assert refusal.value.retry_after_s == pytest.approx(1.0)
        now[0] = 1.0
        asyncio.run(limiter.spend("a"))
        with pytest.raises(RateLimited):
            asyncio.run(limiter.spend("a"))

    def test_is_never_more_than_full(self) -> None:
        now = [0.0]
        limiter = RateLimiter(2, seconds=lambda: now[0])
        asyncio.run(limiter.spend("a"))
        now[0] = 10_000.0
        asyncio.run(limiter.spend("a"))
        asyncio.run(limiter.spend("a"))
        with pytest.raises(RateLimited):
            asyncio.run(limiter.spend("a"))

    def test_workers_share(self) -> None:
        limiter = RateLimiter(10, workers=5, seconds=lambda: 0.0)
        asyncio.run(limiter.spend("a"))
        asyncio.run(limiter.spend("a"))
        with pytest.raises(RateLimited, match="more than 10 requests"):
            asyncio.run(limiter.spend("a"))

    @pytest.mark.slow
    def test_forgets_who_came_long_ago(self) -> None:
        now = [0.0]
        limiter = RateLimiter(60, seconds=lambda: now[0])
        for number in range(FORGET_BEYOND):
            asyncio.run(limiter.spend(str(number)))
        now[0] = 3600.0
        asyncio.run(limiter.spend("new"))
        assert len(limiter._buckets) == 1


def break_search(client: TestClient, error: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    object.__setattr__(services_of(client).retrieval, "search", fail)


@pytest.mark.parametrize("path", ["/v1/workspaces/ws/search", "/search"])
def test_what_nobody_foresaw_is_a_500_without_a_traceback(
    client: TestClient, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    break_search(client, ZeroDivisionError(f"the text of a memory, {KEY}"))
    capsys.readouterr()
    answer = client.post(path, json={"query": "x"}, headers={"X-Request-Id": "t9"})
    assert answer.status_code == 500
    assert "ZeroDivision" not in answer.text
    assert "Traceback" not in answer.text
    lines = log_lines(capsys)
    failure = next(line for line in lines if "traceback" in line)
    assert failure["trace_id"] == "t9"
    assert failure["error"] == "ZeroDivisionError"
    assert KEY not in json.dumps(lines)
    assert next(line for line in lines if "duration_ms" in line)["status"] == "error"


@pytest.mark.parametrize(("error", "status"), [(StoreBusy(), 503), (StoreFull(), 507), (OSError("disk"), 500)])
def test_failures_of_the_store(client: TestClient, error: Exception, status: int) -> None:
    break_search(client, error)
    answer = client.post("/v1/workspaces/ws/search", json={"query": "x"})
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert ("Retry-After" in answer.headers) == (status == 503)


def test_unknown_addresses_and_methods(client: TestClient) -> None:
    answer = client.get("/v1/nowhere")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
    answer = client.get("/nowhere")
    assert (answer.status_code, answer.json()["success"]) == (404, False)
    answer = client.put("/v1/workspaces/ws/memories/" + "0" * 32)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "DELETE, GET, HEAD, PATCH")
    answer = client.get("/search")
    assert (answer.status_code, answer.headers["Allow"], answer.json()["success"]) == (405, "POST", False)
    assert client.get("/v1/workspaces/").status_code == 404, "no redirect, which would lose a key in the path"


def test_head_is_get_without_a_body(client: TestClient) -> None:
    answer = client.head("/health")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Length"] == str(len('{"status":"healthy"}'))


def test_a_form_is_no_json(client: TestClient) -> None:
    """What a web page may send without being asked for leave is not read."""
    content = b'{"type":"personal","content":"x"}'
    for media_type in ("text/plain", "application/x-www-form-urlencoded"):
        answer = client.post("/v1/workspaces/ws/memories", content=content, headers={"Content-Type": media_type})
        assert answer.status_code == 422


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/retrieve_task_memory", {"deep": "{deep}"}),
        ("POST", "/v1/workspaces/ws/memories", {"type": "task", "content": "x", "metadata": {"a": "{deep}"}}),
        (
            "POST",
            "/v1/workspaces/ws/memories:batch",
            {"memories": [{"type": "task", "content": "x", "details": "{deep}"}]},
        ),
        ("POST", "/v1/workspaces", {"id": "ws", "metadata": {"a": "{deep}"}}),
        ("POST", "/add_task_memory", {"memory_list": [{"content": "x", "metadata": {"a": "{deep}"}}]}),
        ("POST", "/add_tool_call_result", {"tool_call_results": [{"tool_name": "x", "output": "{deep}"}]}),
        ("POST", "/v1/workspaces/ws/search", {"query": "x", "filter": {"metadata": {"a": "{deep}"}}}),
    ],
)
@pytest.mark.parametrize("prefer", ["", "respond-async"])
@pytest.mark.parametrize("depth", [200, 900, 100_000])
def test_what_is_nested_deeply_harms_nobody(
    client: TestClient, method: str, path: str, body: dict[str, Any], prefer: str, depth: int
) -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        text = json.dumps(body).replace('"{deep}"', f"{opening * depth}1{closing * depth}")
        headers = {"Content-Type": "application/json", "Prefer": prefer}
        answer = client.request(method, path, content=text, headers=headers)
        assert answer.status_code < 500
        json.loads(answer.text)


@pytest.mark.parametrize("path", ["/v1/workspaces/import", "/v1/workspaces/ws/users/import"])
def test_only_an_import_may_be_large(open_client: Start, path: str) -> None:
    client = open_client(http={"max_body_bytes": 2000, "max_import_bytes": 5000})
    for method in ("PATCH", "PUT", "POST"):
        answer = client.request(method, path, content=b" " * 3000, headers={"Content-Type": "application/json"})
        assert answer.status_code == 413


def test_a_caller_who_hangs_up_is_no_failure_of_ours(app: FastAPI, capsys: pytest.CaptureFixture[str]) -> None:
    import anyio

    async def hang_up() -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            raise AssertionError("nobody is there to hear")

        headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/x-ndjson")]
        scope = {
            "type": "http", "http_version": "1.1", "method": "POST", "path": "/v1/workspaces/ws/import",
            "raw_path": b"", "query_string": b"", "root_path": "", "scheme": "http", "headers": headers,
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8002),
        }  # fmt: skip
        await app(scope, receive, send)

    capsys.readouterr()
    anyio.run(hang_up)
    line = next(line for line in log_lines(capsys) if line["logger"] == "reme.http")
    assert (line["http_status"], line["level"], line["operation"]) == (499, "INFO", "import_memories")


def test_browsers_of_named_origins_may_ask(open_client: Start) -> None:
    client = open_client(http={"cors_origins": ("https://app.example",)})
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    answer = client.options("/v1/workspaces", headers={"Origin": "https://app.example", **preflight})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    answer = client.options("/v1/workspaces", headers={"Origin": "https://evil.example", **preflight})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_by_default_no_browser_of_another_origin_reads_anything(client: TestClient) -> None:
    answer = client.get("/health", headers={"Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_a_websocket_is_refused(app: FastAPI) -> None:
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), make_client(app).websocket_connect("/v1/workspaces"):
        pass


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (f"/k/{KEY}/health", "/k/***/health"),
        ("/k/half-a-key/health", "/k/***/health"),
        (f"/v1/workspaces/{KEY}", "/v1/workspaces/***"),
        ("/v1/x", "/v1/x"),
    ],
)
def test_a_path_is_shown_without_its_key(path: str, shown: str) -> None:
    assert hide_key(path) == shown

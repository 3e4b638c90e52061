"""What only a memory behind a server has: keys, patience, and a way that may break."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import reme_cloud
from app.domain.access import Role
from app.errors import MemoryServiceError
from reme_cloud.errors import make_error
from tests.app.mcp.serving import listening, serving
from tests.servers.waiting import PATIENCE_S

KEY = "rk_" + "0123456789abcdef" * 2
OWN, FOREIGN = "acme:own", "acme:foreign"
EMPTY: dict[str, Any] = {"hits": [], "mode": "hybrid", "took_ms": 1.0, "legs_ms": {}}


class Moody:
    """A server that answers what it is told to, and keeps what it was asked."""

    def __init__(self, *answers: Callable[[], Response]) -> None:
        self.answers = list(answers)
        self.asked: list[Request] = []
        methods = ["GET", "POST", "PATCH", "DELETE"]
        self.app = Starlette(routes=[Route("/{path:path}", self.answer, methods=methods)])

    async def answer(self, request: Request) -> Response:
        await request.body()
        self.asked.append(request)
        return self.answers.pop(0)()


def busy(status: int, slug: str, retry_after: str = "0") -> Callable[[], Response]:
    problem = {"type": f"/docs#problem-{slug}", "status": status, "detail": f"{slug}!"}
    return lambda: JSONResponse(problem, status, {"Retry-After": retry_after})


def found() -> Response:
    return JSONResponse(EMPTY)


def with_memory(url: str, steps: Callable[[reme_cloud.AsyncMemory], Any], **options: Any) -> None:
    async def run() -> None:
        async with reme_cloud.connect(url, **options) as memory:
            await steps(memory)

    anyio.run(run)


def test_a_key_opens_what_it_covers_and_nothing_else(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        reader, user = served.issue(Role.READER, OWN), served.issue(Role.USER, OWN)

        async def write(memory: reme_cloud.AsyncMemory) -> None:
            kept = await memory.add("Ada likes tea")
            with pytest.raises(reme_cloud.NotFound, match=FOREIGN):
                await memory.get(kept.memory.id, workspace=FOREIGN)
            with pytest.raises(reme_cloud.NotFound, match=FOREIGN):
                [_ async for _ in memory.export(workspace=FOREIGN)]
            with pytest.raises(reme_cloud.NotFound, match=FOREIGN):
                await memory.import_lines([], workspace=FOREIGN)
            assert [each.id async for each in memory.workspaces()] == [OWN]

        async def only_read(memory: reme_cloud.AsyncMemory) -> None:
            assert len((await memory.search("tea")).hits) == 1
            for call in (memory.add("x"), memory.record_tool_calls([reme_cloud.ToolCall(tool_name="x")])):
                with pytest.raises(reme_cloud.Forbidden, match="reader"):
                    await call

        async def knock(memory: reme_cloud.AsyncMemory) -> None:
            with pytest.raises(reme_cloud.Unauthenticated):
                await memory.search("tea")

        with_memory(served.url, write, api_key=user, workspace=OWN)
        with_memory(served.url, only_read, api_key=reader, workspace=OWN)
        with_memory(served.url, knock, api_key=KEY)
        with_memory(served.url, knock)


def test_who_asks_too_often_is_told_how_long_to_wait(tmp_path: Path) -> None:
    async def hurry(memory: reme_cloud.AsyncMemory) -> None:
        with pytest.raises(reme_cloud.RateLimited) as stopped:
            for _ in range(4):
                await memory.search("tea")
        assert 0 < stopped.value.retry_after_s <= 60

    with serving(tmp_path, access={"requests_per_minute": 1}) as served:
        with_memory(served.url, hurry, api_key=served.issue(Role.USER, OWN), workspace=OWN, attempts=1)


@pytest.mark.parametrize("trouble", [busy(429, "rate-limited"), busy(503, "store-busy"), busy(503, "unknown")])
def test_a_search_is_tried_again(trouble: Callable[[], Response]) -> None:
    moody = Moody(trouble, trouble, found)

    async def search(memory: reme_cloud.AsyncMemory) -> None:
        assert (await memory.search("tea")).hits == ()

    with listening(moody.app) as url:
        with_memory(url, search)
    assert len(moody.asked) == 3


@pytest.mark.slow
def test_it_waits_as_long_as_the_server_says() -> None:
    moody = Moody(busy(429, "rate-limited", "1"), found)

    async def search(memory: reme_cloud.AsyncMemory) -> None:
        started = anyio.current_time()
        await memory.search("tea")
        assert anyio.current_time() - started >= 1

    with listening(moody.app) as url:
        with_memory(url, search)


def test_it_does_not_wait_longer_than_a_minute() -> None:
    moody = Moody(busy(429, "rate-limited", "3600"), found)

    async def search(memory: reme_cloud.AsyncMemory) -> None:
        with pytest.raises(reme_cloud.RateLimited) as stopped:
            await memory.search("tea")
        assert stopped.value.retry_after_s == 3600

    with listening(moody.app) as url:
        with_memory(url, search)
    assert len(moody.asked) == 1


def test_patience_ends() -> None:
    moody = Moody(*[busy(503, "store-busy")] * 5)

    async def search(memory: reme_cloud.AsyncMemory) -> None:
        with pytest.raises(reme_cloud.StoreBusy, match="store-busy!"):
            await memory.search("tea")

    with listening(moody.app) as url:
        with_memory(url, search, attempts=2)
    assert len(moody.asked) == 2


def test_a_write_carries_one_key_through_all_its_attempts(tmp_path: Path) -> None:
    added = {"state": "created", "memory": {}, "superseded_ids": [], "replayed": False}
    moody = Moody(busy(503, "unknown"), busy(429, "rate-limited"), lambda: JSONResponse(added, 201))

    async def add(memory: reme_cloud.AsyncMemory) -> None:
        with pytest.raises(KeyError):  # the answer is no memory; what counts is how it was asked for
            await memory.add("Ada likes tea")

    with listening(moody.app) as url:
        with_memory(url, add)
    keys = {request.headers["idempotency-key"] for request in moody.asked}
    assert len(moody.asked) == 3
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("record_use", {"memory_ids": ["0" * 32]}),
        ("update", {"memory_id": "0" * 32, "content": "x"}),
        ("delete", {"memory_id": "0" * 32}),
    ],
)
def test_what_may_have_been_done_is_not_done_again(name: str, arguments: dict[str, Any]) -> None:
    moody = Moody(busy(503, "store-busy"), busy(503, "unknown"), found)

    async def call(memory: reme_cloud.AsyncMemory) -> None:
        # A busy store wrote nothing, so the first attempt counts as none; what another 503 means nobody knows.
        with pytest.raises(reme_cloud.Unreachable):
            await getattr(memory, name)(**arguments)

    with listening(moody.app) as url:
        with_memory(url, call)
    assert len(moody.asked) == 2


def test_a_server_that_is_not_there_is_told() -> None:
    async def search(memory: reme_cloud.AsyncMemory) -> None:
        with pytest.raises(reme_cloud.Unreachable, match="reme serve"):
            await memory.search("tea")

    with_memory("http://127.0.0.1:9", search, attempts=2)


def test_something_else_at_the_address_is_told() -> None:
    moody = Moody(*[lambda: Response("<html>hello</html>", media_type="text/html")] * 4)

    async def search(memory: reme_cloud.AsyncMemory) -> None:
        with pytest.raises(reme_cloud.Unreachable, match="not the memory service"):
            await memory.search("tea")

    with listening(moody.app) as url:
        with_memory(url, search, attempts=1)


@pytest.mark.slow
def test_an_answer_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def open_client(timeout: float, **named: Any) -> httpx.AsyncClient:
        # On a busy machine it may take as long to connect, which is another error.
        return client(timeout=httpx.Timeout(timeout, connect=PATIENCE_S), **named)

    client = httpx.AsyncClient
    monkeypatch.setattr(httpx, "AsyncClient", open_client)

    async def hang(request: Request) -> Response:
        while not await request.is_disconnected():
            await anyio.sleep(0.05)
        return found()

    async def search(memory: reme_cloud.AsyncMemory) -> None:
        with pytest.raises(reme_cloud.Unreachable, match="timeout_s"):
            await memory.search("tea")

    with listening(Starlette(routes=[Route("/{path:path}", hang, methods=["POST"])])) as url:
        with_memory(url, search, timeout_s=0.1, attempts=1)


def kinds(kind: type[MemoryServiceError]) -> list[type[MemoryServiceError]]:
    return [kind, *(each for narrower in kind.__subclasses__() for each in kinds(narrower))]


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", [kind for kind in kinds(MemoryServiceError) if kind.__module__ == "app.errors"], ids=lambda kind: kind.slug
)
def test_every_error_of_the_service_comes_back_as_itself(kind: type[MemoryServiceError]) -> None:
    moody = Moody(busy(kind.status, kind.slug))

    async def search(memory: reme_cloud.AsyncMemory) -> None:
        with pytest.raises(MemoryServiceError, match=f"{kind.slug}!") as raised:
            await memory.search("tea")
        assert type(raised.value) is kind

    with listening(moody.app) as url:
        with_memory(url, search, attempts=1)


def test_an_error_of_no_known_kind_is_one_all_the_same() -> None:
    assert type(make_error("brand-new", 418, "x")) is MemoryServiceError
    assert type(make_error("failed", 404, "x")) is reme_cloud.NotFound
    assert type(make_error("failed", 429, "x", retry_after_s=7)) is reme_cloud.RateLimited


@pytest.mark.parametrize("url", ["ftp://host", "host:8002", "", "http://", "http://h:99999", "http://a\nb"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(reme_cloud.InvalidRequest, match="http://"):
        reme_cloud.connect(url)


@pytest.mark.parametrize("key", ["clé", "rk_1\n", "rk 1"])
def test_a_key_that_no_header_carries_is_refused(key: str) -> None:
    with pytest.raises(reme_cloud.InvalidRequest, match="API key") as raised:
        reme_cloud.connect("http://127.0.0.1:9", api_key=key)
    assert key not in str(raised.value)


def test_no_representation_shows_a_key() -> None:
    for memory in (
        reme_cloud.connect("http://127.0.0.1:8002", api_key=KEY),
        reme_cloud.connect(f"http://127.0.0.1:8002/k/{KEY}"),
        reme_cloud.connect(f"http://user:{KEY}@127.0.0.1:8002"),
    ):
        shown = repr(memory) + repr(reme_cloud.Memory(memory)) + json.dumps(vars(memory), default=repr)
        assert KEY not in shown
        assert "127.0.0.1:8002" in shown

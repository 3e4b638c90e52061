"""Several processes behind one address: any of them may answer any request of a client."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import anyio
import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.app.mcp.serving import connected, serving
from tests.servers.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
PATIENT = ("--timeout-worker-healthcheck", f"{PATIENCE_S:.0f}", "--timeout-keep-alive", f"{PATIENCE_S:.0f}")
"""Do not take a worker for dead, nor a client for gone, because the machine is busy."""


@contextmanager
def working(place: Path, port: int) -> Iterator[str]:
    """Two workers of uvicorn on the store of a folder; yields their address."""
    log = place / "log.jsonl"
    command = [sys.executable, "-m", "uvicorn", "tests.app.mcp.serving:create_served_app", "--factory"]
    environment = {
        "PYTHONPATH": str(ROOT),
        "REME_WORKING_DIR": str(place),
        "REME_EMBEDDING__BACKEND": "hashing",
        "REME_HTTP__WORKERS": "2",
        "REME_LOG__FILE": str(log),
        # Six clients write at once, and on a busy machine a disk may take its time.
        "REME_STORE__BUSY_TIMEOUT_MS": f"{PATIENCE_S * 1000:.0f}",
    }
    with (place / "out.txt").open("w") as out:
        process = subprocess.Popen(
            [*command, "--workers", "2", "--port", str(port), "--no-access-log", *PATIENT],
            cwd=place,
            env=environment,
            stdout=out,
            stderr=out,
        )
    try:
        url = f"http://127.0.0.1:{port}"

        def is_ready() -> bool:
            try:
                answer = httpx.get(f"{url}/readyz", timeout=PATIENCE_S)
            except httpx.TransportError:
                return False
            # One that has started answers for both.
            return answer.is_success and log.read_text().count('"message":"ready"') == 2

        wait_until(is_ready, lambda: f"the workers: {(place / 'out.txt').read_text()}")
        yield url
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_client_may_be_answered_by_any_worker(place: Path, free_port: int, mode: str) -> None:
    async def work(url: str, name: str) -> None:
        async with connected(url, mode=mode) as client:
            for number in range(10):
                # Without keep-alive every request may reach another worker.
                added = await client.call_tool("add_memory", {"workspace_id": name, "content": f"note {number}"})
                assert not added.is_error
            found = await client.call_tool("list_memories", {"workspace_id": name})
            assert len(found.structured_content["items"]) == 10

    async def run(url: str) -> None:
        async with anyio.create_task_group() as group:
            for number in range(6):
                group.start_soon(work, url, f"team-{number}")

    with working(place, free_port) as url:
        anyio.run(run, url)
    log = (place / "log.jsonl").read_text()
    assert len(set(re.findall(r'"message":"Started server process \[(\d+)\]"', log))) == 2
    assert '"level":"ERROR"' not in log


class Alternating(httpx2.AsyncHTTPTransport):
    """Sends every request to the next of several servers."""

    def __init__(self, urls: list[str]) -> None:
        super().__init__()
        self._next = cycle(httpx2.URL(url).port for url in urls)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.url = request.url.copy_with(port=next(self._next))
        return await super().handle_async_request(request)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_no_request_needs_what_another_left_in_its_worker(place: Path, mode: str) -> None:
    async def run(urls: list[str]) -> None:
        async with (
            httpx2.AsyncClient(transport=Alternating(urls), timeout=PATIENCE_S) as http,
            Client(streamable_http_client(f"{urls[0]}/mcp", http_client=http), mode=mode) as client,
        ):
            for number in range(4):
                assert not (await client.call_tool("add_memory", {"content": f"note {number}"})).is_error
            found = await client.call_tool("list_memories", {})
            assert len(found.structured_content["items"]) == 4

    store = {"backend": "sqlite"}
    with serving(place, store=store) as first, serving(place, store=store) as second:
        anyio.run(run, [first.url, second.url])

"""The load generator keeps its loops closed or open, counts failures and lateness, and ends by itself."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.load import HOST, Generator, Plan, Tally, read_requests
from tests.servers.waiting import PATIENCE_S


class SlowServer:
    """Answers each request after a while; 503 to paths that ask for it."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s
        self.bodies: list[bytes] = []
        self.port = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(PATIENCE_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._answer, HOST, 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                self.bodies.append(await reader.readexactly(length))
                await asyncio.sleep(self.delay_s)
                status = b"503 Busy" if b"/busy" in head else b"200 OK"
                writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\n{}")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)


@pytest.fixture
def server() -> Iterator[SlowServer]:
    made = SlowServer(0.02)
    made.start()
    yield made
    made.stop()


def run(server: SlowServer, tmp_path: Path, lines: list[list[object]], **wanted: float) -> Tally:
    path = tmp_path / "requests.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    plan = Plan(port=server.port, requests=str(path), warm_s=0, **wanted)  # type: ignore[arg-type]

    async def drive() -> Tally:
        generator = Generator(plan, read_requests(path, server.port))
        tally = await generator.run()
        generator.close()
        await asyncio.sleep(0.01)
        return tally

    return asyncio.run(drive())


LINES: list[list[object]] = [["POST", "/search", {"query": f"问题 {number}"}] for number in range(1000)]


def test_a_closed_loop_waits_for_each_answer(server: SlowServer, tmp_path: Path) -> None:
    tally = run(server, tmp_path, LINES, seconds=0.5, clients=4)
    assert 4 <= len(tally.times_ms) <= 4 * 25 + 4
    assert min(tally.times_ms) >= 19
    assert (tally.failed, tally.connections, tally.unanswered, tally.repeats) == ({}, 4, 0, 0)
    assert 0 <= tally.own_cpu_share <= 1.5
    assert json.loads(server.bodies[0]) == {"query": "问题 0"}
    assert len(set(server.bodies)) == len(server.bodies)


def test_an_open_loop_sends_when_it_is_due(server: SlowServer, tmp_path: Path) -> None:
    tally = run(server, tmp_path, LINES, seconds=0.8, clients=1, rate=100.0)
    assert 20 <= len(tally.times_ms) <= 130
    # One connection answers 50 a second, so more are opened for those that are due meanwhile.
    assert tally.connections > 1
    assert len(tally.late_ms) == len(tally.times_ms)
    assert min(tally.times_ms) >= 19


def test_failures_and_repeats_are_counted(server: SlowServer, tmp_path: Path) -> None:
    tally = run(server, tmp_path, [["POST", "/busy", {}], ["POST", "/fine", {}]], seconds=0.3, clients=1)
    refused, answered = tally.failed["503"], len(tally.times_ms)
    assert refused - answered in (0, 1), "they take turns, however many there is time for"
    assert tally.repeats == max(0, refused + answered - 2)


def test_requests_count_their_bytes(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text(json.dumps(["POST", "/x", {"query": "咖啡"}]), encoding="utf-8")
    (request,) = read_requests(path, 1)
    head, _, body = request.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert head.startswith(b"POST /x HTTP/1.1\r\nHost: 127.0.0.1:1\r\n")

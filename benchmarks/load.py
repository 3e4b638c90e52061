"""The load generator: a process of its own that sends prepared requests and takes the times.

Started as `python -m benchmarks.load PLAN`, the plan as JSON.

Closed loop: each client sends its next request when the last is answered. Open loop: requests are
due at random moments of a given rate whether or not earlier ones are answered, and a request's time
counts from the moment it was due. Sends to 127.0.0.1 only; ends by itself after a bounded time.
"""

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

HOST = "127.0.0.1"
MOST_SECONDS = 120.0
MOST_CONNECTIONS = 500
LATE_MS = 10.0
"""A request sent later than this after it was due is counted as late."""
_DRAIN_S = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to send: lines of [method, path, body] in a file, from `clients` connections or at `rate` a second."""

    port: int
    requests: str
    seconds: float
    clients: int = 1
    rate: float = 0.0
    warm_s: float = 2.0
    seed: int = 1


@dataclass(kw_only=True)
class Tally:
    """What came back. Times are in milliseconds; an answer that is not 2xx has failed."""

    times_ms: list[float] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    failed: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    own_cpu_share: float = 0.0
    connections: int = 0
    unanswered: int = 0
    repeats: int = 0

    def fail(self, why: str) -> None:
        """Count an answer that is not 2xx, or a connection that broke."""
        self.failed[why] = self.failed.get(why, 0) + 1


class Connection(asyncio.Protocol):
    """One connection; answers one request at a time."""

    def __init__(self, generator: "Generator") -> None:
        self._generator = generator
        self._transport: asyncio.Transport | None = None
        self._parser: Any = None
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready for requests."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"{transport!r} cannot be written to")
        self._transport = transport

    def send(self, request: bytes, due: float) -> None:
        """Send a request whose time counts from `due`."""
        if self._transport is None or self._transport.is_closing():
            self._generator.lost(self)
            return
        self._parser = self._generator.parser(self)
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls `on_message_complete`."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        self._generator.answered(self, self._due, self._parser.get_status_code())

    def connection_lost(self, exc: Exception | None) -> None:
        """The server closed the connection."""
        del exc
        self._generator.lost(self)

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()


class Generator:
    """Sends the requests of a plan in turn."""

    def __init__(self, plan: Plan, requests: Sequence[bytes]) -> None:
        self._plan = plan
        self._requests = requests
        self._next = 0
        self._opened: list[Connection] = []
        self._tally = Tally()
        self._idle: deque[Connection] = deque()
        self._waiting: deque[float] = deque()
        self._connections = 0
        self._busy = 0
        self._start = self._counting = self._end = 0.0
        self.parser = import_module("httptools").HttpResponseParser

    def _request(self) -> bytes:
        request = self._requests[self._next % len(self._requests)]
        self._next += 1
        return request

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(self), HOST, self._plan.port)
        self._connections += 1
        self._opened.append(connection)
        return connection

    async def run(self) -> Tally:
        """Send until the time is over and wait a little for what is under way."""
        seconds = min(self._plan.seconds, MOST_SECONDS)
        opened = [await self._connect() for _ in range(min(self._plan.clients, MOST_CONNECTIONS))]
        self._start = time.perf_counter()
        self._counting = self._start + self._plan.warm_s
        self._end = self._counting + seconds
        cpu, clock = time.process_time(), time.perf_counter()
        if self._plan.rate > 0:
            self._idle.extend(opened)
            await self._send_when_due()
        else:
            for connection in opened:
                self._send(connection, time.perf_counter())
            await asyncio.sleep(self._end - time.perf_counter())
        elapsed = time.perf_counter() - clock
        self._tally.own_cpu_share = round((time.process_time() - cpu) / elapsed, 3)
        self._tally.seconds = seconds
        await self._drain()
        self._tally.unanswered = self._busy + len(self._waiting)
        self._tally.connections = len(self._opened)
        self._tally.repeats = max(0, self._next - len(self._requests))
        return self._tally

    def close(self) -> None:
        """Close all connections."""
        for connection in self._opened:
            connection.close()

    async def _drain(self) -> None:
        ends = time.perf_counter() + _DRAIN_S
        while (self._busy or self._waiting) and time.perf_counter() < ends:
            await asyncio.sleep(0.05)

    async def _send_when_due(self) -> None:
        gaps = np.random.default_rng(self._plan.seed).exponential(
            1 / self._plan.rate, int(self._plan.rate * (self._end - self._start) * 1.5) + 10
        )
        for due in self._start + np.cumsum(gaps):
            if due >= self._end:
                return
            wait_s = due - time.perf_counter()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            if not self._idle and self._connections < MOST_CONNECTIONS:
                self._idle.append(await self._connect())
            if self._idle:
                self._send(self._idle.popleft(), float(due))
            else:
                self._waiting.append(float(due))

    def _send(self, connection: Connection, due: float) -> None:
        self._busy += 1
        if due >= self._counting:
            self._tally.late_ms.append((time.perf_counter() - due) * 1000)
        connection.send(self._request(), due)

    def answered(self, connection: Connection, due: float, status: int) -> None:
        """Take the time of an answer and go on."""
        now = time.perf_counter()
        self._busy -= 1
        if self._counting <= due and now <= self._end + _DRAIN_S:
            if 200 <= status < 300:
                self._tally.times_ms.append((now - due) * 1000)
            else:
                self._tally.fail(str(status))
        if self._plan.rate > 0:
            if self._waiting:
                self._send(connection, self._waiting.popleft())
            else:
                self._idle.append(connection)
        elif now < self._end:
            self._send(connection, now)

    def lost(self, connection: Connection) -> None:
        """Count a broken connection unless all is over."""
        self._connections -= 1
        if connection in self._idle:
            self._idle.remove(connection)
        elif time.perf_counter() < self._end:
            self._busy -= 1
            self._tally.fail("connection closed")


def read_requests(path: Path, port: int) -> list[bytes]:
    """The lines of a file as whole HTTP requests."""
    requests = []
    for line in path.read_text(encoding="utf-8").splitlines():
        method, target, body = json.loads(line)
        data = json.dumps(body, ensure_ascii=False).encode()
        head = f"{method} {target} HTTP/1.1\r\nHost: {HOST}:{port}\r\nContent-Type: application/json\r\n"
        requests.append(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    return requests


def main() -> int:
    """Run the plan given as JSON and print the tally as JSON."""
    plan = Plan(**json.loads(sys.argv[1]))
    requests = read_requests(Path(plan.requests), plan.port)
    tally = asyncio.run(Generator(plan, requests).run())
    sys.stdout.write(json.dumps(asdict(tally)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

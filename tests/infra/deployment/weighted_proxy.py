"""A proxy before two versions of the service that spreads requests by weights and counts what the new one answers."""

import asyncio
import time
from collections.abc import Mapping
from threading import Lock, Thread
from typing import Any, Self

import httpx
import uvicorn

from infra.deployment.rollout import HealthSample
from tests.servers.ports import PortLease
from tests.servers.server import HOST
from tests.servers.waiting import PATIENCE_S, wait_until


class WeightedProxy:
    """Traffic between two services, for a `Rollout`. Requests under way end where they began."""

    def __init__(self, blue: str, green: str) -> None:
        self._addresses = {"blue": blue, "green": green}
        self._weights = {"blue": 100, "green": 0}
        self._credit = {"blue": 0, "green": 0}
        self._lock = Lock()
        self._seen: list[tuple[bool, float]] = []
        self._lease = PortLease()
        self.address = f"http://{HOST}:{self._lease.number}"
        self.history: list[int] = []
        self.answered = {"blue": 0, "green": 0}
        config = uvicorn.Config(self, host=HOST, port=self._lease.number, log_config=None, lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = Thread(target=self._server.run, name="weighted-proxy", daemon=True)
        self._clients: dict[asyncio.AbstractEventLoop, httpx.AsyncClient] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(lambda: self._server.started, "the weighted proxy")
        return self

    def __exit__(self, *_: object) -> None:
        for loop, client in self._clients.items():
            asyncio.run_coroutine_threadsafe(client.aclose(), loop).result(PATIENCE_S)
        self._server.should_exit = True
        self._thread.join(PATIENCE_S)
        self._lease.close()

    def set_weights(self, blue: int, green: int) -> None:
        """Spread what comes from now on."""
        with self._lock:
            self._weights = {"blue": blue, "green": green}
            self._credit = {"blue": 0, "green": 0}
            self.history.append(green)

    def read_health(self) -> HealthSample:
        """Ask green for its health, and take what it answered since the last call."""
        try:
            answer = httpx.get(self._addresses["green"] + "/health", timeout=PATIENCE_S, trust_env=False)
            healthy = answer.status_code == 200
        except httpx.TransportError:
            healthy = False
        with self._lock:
            seen, self._seen = self._seen, []
        times = sorted(took_ms for _, took_ms in seen)
        return HealthSample(
            healthy=healthy,
            requests=len(seen),
            errors=sum(failed for failed, _ in seen),
            latency_ms=times[int(len(times) * 0.95)] if times else None,
        )

    def count_answers(self) -> int:
        """What both versions have answered."""
        with self._lock:
            return sum(self.answered.values())

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Pass a request on (the ASGI application)."""
        body, more = b"", True
        while more:
            part = await receive()
            body, more = body + part.get("body", b""), part.get("more_body", False)
        colour = self._choose()
        begun = time.monotonic()
        try:
            answer = await self._client().request(
                scope["method"],
                self._addresses[colour] + scope["path"],
                params=scope["query_string"],
                content=body,
                headers={"content-type": "application/json"},
            )
            status, content = answer.status_code, answer.content
        except httpx.TransportError:
            status, content = 502, b""
        with self._lock:
            self.answered[colour] += 1
            if colour == "green":
                self._seen.append((status >= 500, (time.monotonic() - begun) * 1000))
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
        )
        await send({"type": "http.response.body", "body": content})

    def _choose(self) -> str:
        """The colour whose turn it is: each gains its weight at every request, and who has most pays for all."""
        with self._lock:
            for colour, weight in self._weights.items():
                self._credit[colour] += weight
            chosen = max(self._credit, key=lambda colour: self._credit[colour])
            self._credit[chosen] -= 100
            return chosen

    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False)
        return self._clients[loop]

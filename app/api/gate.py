"""The outermost layer: request id, key, rate and body limits, log line, metrics, and the answer to any exception.

Pure ASGI. Nothing behind it sees a key: the path's is cut off here, and headers are never logged.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

import anyio
import anyio.to_thread
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.authentication import Doorkeeper, secret_of, split_path
from app.api.bodies import check_length, count_body
from app.api.problems import Problems
from app.api.rates import RateLimiter
from app.domain.access import LOCAL_ADMIN
from app.settings import HttpSettings
from app.telemetry.exchange import UNMATCHED, Exchange, choose_trace_id, enter_exchange
from app.telemetry.masking import MASK, SECRETS
from app.telemetry.metrics import Metrics

EXCHANGE = "reme.exchange"
"""The key of the exchange in a request's scope."""
PUBLIC = frozenset({"/", "/health", "/livez", "/readyz"})
"""Paths that are answered without a key, so that balancers and people can see whether the service is well."""
METRICS = "/metrics"
IMPORT = re.compile(r"/v1/workspaces/[^/]+/import")
"""The one address whose body is streamed, and may therefore be large."""
LOGGED_PATH_CHARACTERS = 200
DISCONNECTED = 499
"""What nginx logs for a caller who hung up before the answer."""

log = logging.getLogger("reme.http")

T = TypeVar("T")


@dataclass(slots=True)
class _Headers:
    api_key: bytes = b""
    authorization: bytes = b""
    content_length: bytes = b""
    request_id: bytes = b""
    host: bytes = b""
    origin: bytes = b""


_WANTED = {
    b"x-api-key": "api_key",
    b"authorization": "authorization",
    b"content-length": "content_length",
    b"x-request-id": "request_id",
    b"host": "host",
    b"origin": "origin",
}


class Gate:
    """Everything that happens to a request before it is routed and after it was answered."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        doorkeeper: Doorkeeper,
        limiter: RateLimiter,
        metrics: Metrics,
        problems: Problems,
        http: HttpSettings,
        store: str,
        threads: anyio.CapacityLimiter | None = None,
    ) -> None:
        self._app = app
        self._doorkeeper = doorkeeper
        self._limiter = limiter
        self._metrics = metrics
        self._problems = problems
        self._http = http
        self._store = store
        self._threads = threads
        """Where keys are looked up: in the event loop, or in these threads where the store is behind a network."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = _Headers()
        for name, value in scope["headers"]:
            if name in _WANTED:
                setattr(headers, _WANTED[name], value)
        exchange = Exchange(trace_id=choose_trace_id(headers.request_id.decode("latin-1")))
        with enter_exchange(exchange):
            await self._answer(scope, receive, send, headers, exchange)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, headers: _Headers, exchange: Exchange) -> None:
        method, path = scope["method"], scope["path"]
        status = 0
        trace_id = exchange.trace_id.encode("latin-1")

        async def reply(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", trace_id),
                    (b"x-content-type-options", b"nosniff"),
                ]
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        inner = scope
        try:
            path_secret, path = split_path(path) if self._http.key_in_path else ("", path)
            # A GET's answer without its body is what HEAD asks for; no route needs to know.
            inner = {
                **scope,
                "path": path,
                "raw_path": quote(path).encode(),
                "method": "GET" if method == "HEAD" else method,
                EXCHANGE: exchange,
            }
            await self._admit(scope, path, path_secret, headers, exchange)
            streamed = method == "POST" and IMPORT.fullmatch(path) is not None
            limit = self._http.max_import_bytes if streamed else self._http.max_body_bytes
            check_length(headers.content_length, limit)
            await self._app(inner, count_body(receive, limit), reply)
        except ClientDisconnect:
            status = status or DISCONNECTED
        except Exception as error:
            if status:
                # Too late for another status: the connection is cut, so that nobody takes half an answer for a whole.
                log.exception("the answer broke off")
                raise
            response = self._problems.from_error(path, error)
            await response(inner, receive, reply)
        finally:
            self._record(inner, method, path, status or 500, exchange)

    async def _admit(self, scope: Scope, path: str, path_secret: str, headers: _Headers, exchange: Exchange) -> None:
        if path in PUBLIC:
            return
        secret = secret_of(headers.api_key, headers.authorization)
        if path == METRICS:
            await self._look_up(lambda: self._doorkeeper.admit_scraper(secret or path_secret))
            return
        client = scope.get("client")
        principal = await self._look_up(
            lambda: self._doorkeeper.admit(
                secret or path_secret,
                in_path=not secret,
                client=client[0] if client else "",
                host=headers.host.decode("latin-1"),
                origin=headers.origin.decode("latin-1"),
            )
        )
        exchange.principal = principal
        if principal is not LOCAL_ADMIN:
            await self._limiter.spend(principal.key_id)

    async def _look_up(self, work: Callable[[], T]) -> T:
        return work() if self._threads is None else await anyio.to_thread.run_sync(work, limiter=self._threads)

    def _record(self, scope: Scope, method: str, path: str, status: int, exchange: Exchange) -> None:
        route = scope.get("route")
        exchange.operation = getattr(route, "operation_id", None) or UNMATCHED
        duration_ms = exchange.duration_ms
        self._metrics.count_request(exchange.operation, method, status, duration_ms / 1000)
        level = logging.ERROR if status >= 500 else logging.INFO
        if not log.isEnabledFor(level):
            return
        log.log(
            level,
            "%s %d",
            exchange.operation,
            status,
            extra={
                "workspace_id": exchange.workspace_id,
                "duration_ms": round(duration_ms, 3),
                "token_consumed": exchange.tokens,
                "vector_db": self._store,
                "status": "success" if status < 400 else "error",
                "http_status": status,
                "method": method,
                # A route's pattern, since paths hold the ids of people.
                "route": getattr(route, "path", None) or hide_key(path)[:LOGGED_PATH_CHARACTERS],
                "key_id": exchange.principal.key_id if exchange.principal is not None else "",
            },
        )


def hide_key(path: str) -> str:
    """A path without a key, whether it stands where keys stand or anywhere else."""
    secret, rest = split_path(path)
    return SECRETS.sub(MASK, f"/k/{MASK}{rest}" if secret else path)

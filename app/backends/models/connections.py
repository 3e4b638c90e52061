"""Connections to providers, and calls that end when their time is over."""

import asyncio
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import AbstractAsyncContextManager, suppress
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, TypeAlias

from app.backends.models.choices import Endpoint
from app.errors import ModelRefused, ModelUnavailable

if TYPE_CHECKING:
    from httpx2 import Response
    from openai import AsyncOpenAI, AsyncStream  # noqa: F401 - the stream names what a response may hold
    from openai._response import AsyncAPIResponse

Request: TypeAlias = "Callable[[AsyncOpenAI], AbstractAsyncContextManager[AsyncAPIResponse[Any]]]"
"""Sends a request with a client; gives the response while its body is still to come."""

REFUSAL_BYTES = 65_536
"""What is read of a refusal: its code and its reason."""
CLOSING_S = 5.0
"""How long `close` waits for connections that do not end."""


class Oversized(Exception):
    """A body with more bytes than its reader has use for."""


class Connections:
    """Calls of providers on an event loop in a thread of its own, which starts with the first call.

    A client's timeouts hold for single reads, so a body that comes byte by byte would never time out. On a loop the
    whole call, from the name's lookup to the last byte, is cancelled at its time. Redirects are not followed, since
    another host would be sent the key. Bodies are taken as they come, never unpacked: a few bytes could be gigabytes.
    Proxies are those of the environment. May be used from any thread.
    """

    def __init__(self) -> None:
        self.closing = Event()
        self._lock = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._clients: dict[Endpoint, AsyncOpenAI] = {}

    def ask(self, endpoint: Endpoint, request: Request, *, timeout_s: float, most_bytes: int) -> bytes:
        """The body of a response.

        Raises `TimeoutError`, `Oversized`, what `openai` and `httpx2` raise, `ModelRefused` for proxies of no use, and
        `ModelUnavailable` after, or in the moment of, `close`.
        """
        with self._lock:  # so that what `close` waits for is complete
            loop = self._run()
            future = asyncio.run_coroutine_threadsafe(self._ask(endpoint, request, timeout_s, most_bytes), loop)
        try:
            return future.result()
        except CancelledError:
            raise _closed() from None
        finally:
            future.cancel()

    def close(self) -> None:
        """Cancel the calls under way and close the connections; harmless when repeated."""
        with self._lock:
            self.closing.set()
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._end(), loop).result(CLOSING_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CLOSING_S)
        if not thread.is_alive():
            loop.close()

    def _run(self) -> asyncio.AbstractEventLoop:
        if self.closing.is_set():
            raise _closed()
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = Thread(target=self._loop.run_forever, name="model-calls", daemon=True)
            self._thread.start()
        return self._loop

    async def _ask(self, endpoint: Endpoint, request: Request, timeout_s: float, most_bytes: int) -> bytes:
        body = bytearray()
        async with asyncio.timeout(timeout_s), request(self._client(endpoint)) as response:
            async for piece in response.iter_bytes():
                body += piece
                if len(body) > most_bytes:
                    raise Oversized
        return bytes(body)

    def _client(self, endpoint: Endpoint) -> "AsyncOpenAI":
        client = self._clients.get(endpoint)
        if client is None:
            from openai import AsyncOpenAI, DefaultAsyncHttpxClient  # noqa: PLC0415 - takes half a second

            key = endpoint.api_key or "none"  # the client insists on one; servers without keys look at none
            try:
                proxied = DefaultAsyncHttpxClient(
                    follow_redirects=False,
                    headers={"Accept-Encoding": "identity"},
                    event_hooks={"response": [_limit_body]},
                )
            except (ValueError, ImportError):
                raise ModelRefused("the environment's proxies cannot be used: give http or https addresses") from None
            client = AsyncOpenAI(
                base_url=endpoint.api_base,
                api_key=key,
                max_retries=0,
                default_headers={"Authorization": f"Bearer {key}"},
                http_client=proxied,
            )
            client.organization = client.project = None  # the environment's may be another provider's
            self._clients[endpoint] = client
        return client

    async def _end(self) -> None:
        calls = asyncio.all_tasks() - {asyncio.current_task()}
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        for client in self._clients.values():
            await client.close()


async def _limit_body(response: "Response") -> None:
    """Keep a body packed, and of a refusal no more than its reason: the client reads those whole."""
    from httpx2 import AsyncByteStream, ByteStream  # noqa: PLC0415 - as lazy as the client itself

    response.headers.pop("content-encoding", None)
    if response.is_success or not isinstance(response.stream, AsyncByteStream):
        return
    head = bytearray()
    async for piece in response.stream:
        head += piece
        if len(head) >= REFUSAL_BYTES:
            break
    await response.stream.aclose()
    response.stream = ByteStream(bytes(head[:REFUSAL_BYTES]))


def _closed() -> ModelUnavailable:
    return ModelUnavailable("the service is closing its connections to models: repeat the request when it is up again")

"""Requests to a server: repeated where that is safe and may help, and refused with the service's own exceptions."""

import re
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_random_exponential

from app.mcp.operations import read_failure
from reme_cloud.documents import write_json
from reme_cloud.errors import InvalidRequest, MemoryServiceError, RateLimited, StoreBusy, Unreachable, make_error

LONGEST_WAIT_S = 60.0
"""A server's window for counting requests is a minute; one that asks for more patience is not waited for."""
_KEY = re.compile(r"[!-~]+")
"""What an HTTP header can carry, without blanks."""
_BACKOFF = wait_random_exponential(multiplier=0.2, max=10.0)


class NotSent(Unreachable):  # nothing can have been done, so that any call may be tried again
    """The server cannot be reached: check the address, and that `reme serve` is running."""


class Connection:
    """An HTTP client of one server; never shows its key."""

    def __init__(self, url: str, *, api_key: str | None, timeout_s: float, attempts: int) -> None:
        self._url = _read_url(url)
        if attempts < 1:
            raise InvalidRequest(f"attempts is {attempts}: give 1 or more")
        self._attempts = attempts
        if api_key and not _KEY.fullmatch(api_key):
            raise InvalidRequest("the API key has blanks, or characters that no key has: give it as it was issued")
        self._headers = {"X-API-Key": api_key} if api_key else {}
        self._timeout_s = timeout_s
        self._opened: httpx.AsyncClient | None = None

    def __repr__(self) -> str:
        url = self._url
        return f"{url.scheme}://{url.host}{f':{url.port}' if url.port else ''}"

    async def open(self) -> None:
        """Make ready; nothing is asked yet."""
        self._opened = httpx.AsyncClient(base_url=self._url, headers=self._headers, timeout=self._timeout_s)

    async def close(self) -> None:
        """Close what is open."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.aclose()

    @property
    def _client(self) -> httpx.AsyncClient:
        if self._opened is None:
            raise InvalidRequest("the memory is not open: use it within `async with`")
        return self._opened

    async def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
    ) -> dict[str, Any]:
        """The JSON object that a request is answered with.

        `repeatable` says that doing it twice does no harm: it is then tried again where nobody knows whether it was
        done. What surely was not done, since the server refused it or was not reached, is tried again in any case.
        """
        given = {name: value for name, value in (params or {}).items() if value is not None}
        content = None if body is None else write_json(body)
        kinds = {} if content is None else {"Content-Type": "application/json"}

        async def once() -> dict[str, Any]:
            with _explaining():
                return _read(
                    await self._client.request(
                        method, path, params=given, content=content, headers={**kinds, **(headers or {})}
                    )
                )

        def may_help(error: BaseException) -> bool:
            if isinstance(error, RateLimited):
                return error.retry_after_s <= LONGEST_WAIT_S
            return isinstance(error, StoreBusy | NotSent) or (repeatable and isinstance(error, Unreachable))

        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._attempts), retry=retry_if_exception(may_help), wait=_wait_s, reraise=True
        )
        return await retrying(once)

    async def lines(self, path: str) -> AsyncIterator[str]:
        """The lines of an answer as they come.

        Only a line feed ends one: httpx also cuts at the other ends of lines of Unicode, which stand in JSON as they
        are.
        """
        async with self._stream(path) as answer:
            begun: list[bytes] = []
            async for chunk in answer.aiter_bytes():
                *whole, rest = chunk.split(b"\n")
                for line in whole:
                    yield b"".join((*begun, line)).decode()
                    begun.clear()
                begun.append(rest)
            if last := b"".join(begun):
                yield last.decode()

    async def upload(self, path: str, lines: AsyncIterable[str]) -> dict[str, Any]:
        """Send lines as they come; never tried twice, since they come once."""

        async def chunks() -> AsyncIterator[bytes]:
            async for line in lines:
                yield f"{line}\n".encode()

        with _explaining():
            headers = {"Content-Type": "application/x-ndjson"}
            return _read(await self._client.post(path, content=chunks(), headers=headers))

    @asynccontextmanager
    async def _stream(self, path: str) -> AsyncIterator[httpx.Response]:
        with _explaining():
            async with self._client.stream("GET", path) as answer:
                if not answer.is_success:
                    await answer.aread()
                    _read(answer)
                yield answer


def _read_url(text: str) -> httpx.URL:
    """An address, or `InvalidRequest`, which does not repeat it: a key may stand in it."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host or not 0 < (url.port or 80) <= 65535:
        raise InvalidRequest("the address of a server begins with http:// or https://, such as http://host:8002")
    return url


def _read(answer: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer, or the exception that it stands for."""
    if answer.is_success:
        if not answer.content:
            return {}
        try:
            document = answer.json()
        except ValueError:
            document = None
        if isinstance(document, dict):
            return document
        raise Unreachable("what answers at this address is not the memory service: check the address")
    failure = read_failure(answer)
    raise make_error(
        failure.slug, answer.status_code, failure.detail, retry_after_s=_read_seconds(answer.headers.get("retry-after"))
    )


def _read_seconds(text: str | None) -> float:
    """The seconds of a Retry-After header; 1 for a date, which no server of ours sends."""
    return float(text) if text and text.isdigit() else 1.0


def _wait_s(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    backoff_s = float(_BACKOFF(state))
    return max(backoff_s, error.retry_after_s) if isinstance(error, RateLimited) else backoff_s


@contextmanager
def _explaining() -> Iterator[None]:
    """Turn what goes wrong on the way into `Unreachable`."""
    try:
        yield
    except MemoryServiceError:
        raise
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise NotSent from error
    except httpx.TimeoutException as error:
        raise Unreachable("the server did not answer in time: repeat the call, or allow more with timeout_s") from error
    except httpx.HTTPError as error:
        raise Unreachable(
            f"the connection to the server broke off ({type(error).__name__}): repeat the call"
        ) from error

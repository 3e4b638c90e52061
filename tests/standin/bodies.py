"""Answers as bytes on the wire: whole, refused, broken off, and slower than anyone waits."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.standin.faults import STATUSES, Failing, Fault

TRICKLE_S = 0.05

_connections: dict[tuple[str, int], H11Protocol] = {}


class DroppableProtocol(H11Protocol):
    """Lets a handler find the connection of its request, to drop it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.client is not None:
            _connections[self.client] = self

    def connection_lost(self, exc: Exception | None) -> None:
        if self.client is not None:
            _connections.pop(self.client, None)
        super().connection_lost(exc)


def refuse(fault: Fault, failing: Failing | None = None) -> JSONResponse:
    status, code, message = STATUSES[fault]
    headers = {}
    if failing is not None:
        message, code = failing.message or message, failing.code or code
        headers = {"Retry-After": failing.retry_after, "Retry-After-Ms": failing.retry_after_ms}
    return JSONResponse(
        {"error": {"message": message, "type": code, "param": None, "code": code}},
        status_code=status,
        headers={name: value for name, value in headers.items() if value},
    )


def drop(request: Request) -> None:
    assert request.client is not None
    _connections[(request.client.host, request.client.port)].transport.abort()


async def break_off(request: Request, whole: bytes) -> AsyncIterator[bytes]:
    yield whole[: len(whole) // 2]
    await asyncio.sleep(TRICKLE_S)
    drop(request)


async def trickle(whole: bytes) -> AsyncIterator[bytes]:
    for position in range(len(whole)):
        yield whole[position : position + 1]
        await asyncio.sleep(TRICKLE_S)


async def flood() -> AsyncIterator[bytes]:
    while True:
        yield b" " * 65_536
        await asyncio.sleep(0)


async def stream(body: dict[str, Any], answer: dict[str, Any], counted: dict[str, Any]) -> AsyncIterator[str]:
    frame = {"id": answer["id"], "object": "chat.completion.chunk", "created": 1, "model": answer["model"]}
    for choice in answer["choices"]:
        text = choice["message"]["content"]
        for start in range(0, len(text), 8):
            delta = {"index": 0, "delta": {"content": text[start : start + 8]}, "finish_reason": None}
            yield f"data: {json.dumps({**frame, 'choices': [delta]})}\n\n"
        last = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
        yield f"data: {json.dumps({**frame, 'choices': [last]})}\n\n"
    if (body.get("stream_options") or {}).get("include_usage"):
        yield f"data: {json.dumps({**frame, 'choices': [], 'usage': counted})}\n\n"
    yield "data: [DONE]\n\n"

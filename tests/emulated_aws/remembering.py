"""ministack as an ASGI application that answers a repeated call as it answered the first.

Under load the provider loses an answer now and then and repeats the call, which AWS's SDK marks with the same
`amz-sdk-invocation-id`. AWS finds out by itself for most calls; the emulator would refuse what is there already.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ministack.app import app as ministack

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_INVOCATION = b"amz-sdk-invocation-id"
_KEPT = 20_000
"""Calls that are remembered: those of some runs of the largest stack."""
_answers: "OrderedDict[bytes, asyncio.Task[list[Message]]]" = OrderedDict()


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Answer a call; a call of a known invocation gets the answer that was made for it."""
    invocation = dict(scope.get("headers") or ()).get(_INVOCATION) if scope["type"] == "http" else None
    if invocation is None:
        await ministack(scope, receive, send)
        return
    task = _answers.get(invocation)
    if task is None:
        body = await _read(receive)
        task = _answers[invocation] = asyncio.create_task(_call(scope, body))
        while len(_answers) > _KEPT:
            _answers.popitem(last=False)
    # The call goes on when the one who asked is gone: its repetition gets the answer.
    for message in await asyncio.shield(task):
        await send(message)


async def _read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


async def _call(scope: Message, body: bytes) -> list[Message]:
    """What ministack sends for a whole request."""
    asked = asyncio.Event()

    async def receive() -> Message:
        if asked.is_set():
            await asyncio.Event().wait()  # nobody hangs up
        asked.set()
        return {"type": "http.request", "body": body, "more_body": False}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await ministack(scope, receive, send)
    return sent

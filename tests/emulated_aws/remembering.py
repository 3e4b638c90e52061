"""ministack as an ASGI application that answers a repeated call as it answered the first.

Under load the provider loses an answer now and then and repeats the call, which AWS's SDK marks with the same
`amz-sdk-invocation-id`. AWS finds out by itself for most calls; the emulator would refuse what is there already.

It also finds an address by its association, as AWS does, so that several stacks may have addresses in one account; and it
says of every zone that it is not signed, which the provider asks before it empties and deletes one.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ministack.app import app as ministack
from ministack.services import ec2

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_INVOCATION = b"amz-sdk-invocation-id"
_UNSIGNED = (
    b'<GetDNSSECResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Status>'
    b"<ServeSignature>NOT_SIGNING</ServeSignature></Status><KeySigningKeys/></GetDNSSECResponse>"
)
_KEPT = 20_000
"""Calls that are remembered: those of some runs of the largest stack."""
_describe_addresses = ec2._ACTION_MAP["DescribeAddresses"]
_answers: "OrderedDict[bytes, asyncio.Task[list[Message]]]" = OrderedDict()


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Answer a call; a call of a known invocation gets the answer that was made for it."""
    if scope["type"] == "http" and scope["method"] == "GET" and scope["path"].endswith("/dnssec"):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/xml")]})
        await send({"type": "http.response.body", "body": _UNSIGNED})
        return
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


def _find_addresses(params: dict[str, Any]) -> Any:
    """DescribeAddresses, whose filter by association ministack passes over."""
    wanted = ec2._parse_filters(params).get("association-id")
    if wanted is None:
        return _describe_addresses(params)
    found = [each["AllocationId"] for each in ec2._addresses.values() if each["AssociationId"] in wanted]
    chosen = {f"AllocationId.{place}": [id_] for place, id_ in enumerate(found or ["none"], start=1)}
    return _describe_addresses({**params, **chosen})


ec2._ACTION_MAP["DescribeAddresses"] = _find_addresses

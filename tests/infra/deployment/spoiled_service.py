"""The service as a bad version would be: `python -m tests.infra.deployment.spoiled_service DEFECT serve …`."""

import asyncio
import os
import sys
from typing import Any

import app.main
from app.commands.main import run

SLOW_S = 1.5
DIES_AFTER = 5

_create = app.main.create_app


class Spoiled:
    """Middleware with a defect: "unhealthy", "failing", "slow" or "dying"."""

    def __init__(self, inner: Any, defect: str) -> None:
        self._inner, self._defect, self._writes = inner, defect, 0

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            if scope["path"] == "/health" and self._defect == "unhealthy":
                return await _answer(send, 503)
            if scope["method"] == "POST":
                self._writes += 1
                if self._defect == "failing":
                    return await _answer(send, 500)
                if self._defect == "slow":
                    await asyncio.sleep(SLOW_S)
                if self._defect == "dying" and self._writes > DIES_AFTER:
                    os._exit(1)
        await self._inner(scope, receive, send)
        return None


async def _answer(send: Any, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def _create_spoiled(*arguments: Any, **named: Any) -> Any:
    made = _create(*arguments, **named)
    made.add_middleware(Spoiled, defect=sys.argv[1])
    return made


if __name__ == "__main__":
    app.main.create_app = _create_spoiled
    run(sys.argv[2:])

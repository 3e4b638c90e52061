"""The HTTP API without HTTP: a client that calls the routes of an application in this process.

The requests pass no gate: whoever makes them was let in before, and works within an exchange.
"""

import httpx
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from app.api.gate import EXCHANGE
from app.api.routes import ROUTERS
from app.telemetry.exchange import current_exchange

ADDRESS = "http://reme.invalid"
"""Stands in requests that never leave the process (RFC 2606)."""


def connect_in_process(app: FastAPI) -> httpx.AsyncClient:
    """A client of an application's routes; each request belongs to the exchange that is current when it is made."""
    inner = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    inner.exception_handlers.update(app.exception_handlers)
    for router in ROUTERS:
        inner.include_router(router)
    inner.state.api = app.state.api

    async def admitted(scope: Scope, receive: Receive, send: Send) -> None:
        await inner({**scope, EXCHANGE: current_exchange()}, receive, send)

    return httpx.AsyncClient(transport=httpx.ASGITransport(app=admitted), base_url=ADDRESS)

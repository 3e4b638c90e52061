"""Whatever is sent, what comes back is what the OpenAPI document declares."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.app.api.test_authorisation_matrix import ROUTES
from tests.app.api.world import make_app, make_client

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
EXAMPLES = 20


@schemathesis.serializer("application/x-ndjson", "application/jsonl", "application/x-jsonlines")
def write_lines(_: object, value: object) -> bytes:
    """An import's body is text in the document; what is generated goes out as it is."""
    return str(value).encode("utf-8", "surrogatepass")


DOOR = ("POST", "/v1/admin/keys")
"""Issuing a key closes the door to the caller, who has none; tests of keys cover the answer."""
MCP = ("POST", "/mcp")
"""Described by the protocol's own means, not by OpenAPI."""


class Running:
    """An application whose lifespan is somebody else's: schemathesis would begin and end one with each request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The document of a running service that lets everyone in."""
    app = make_app(tmp_path_factory.mktemp("fuzzed"), http={"allow_open": True}, log={"level": "ERROR"})
    with make_client(app) as client:
        for name in ("demo", "0"):
            client.post(f"/v1/workspaces/{name}/memories", json={"type": "task", "content": "x", "when_to_use": "y"})
        loaded = schemathesis.openapi.from_asgi("/openapi.json", Running(app))
        # Made-up keys would be refused before anything else happens.
        loaded.config.generation.update(with_security_parameters=False)
        yield loaded


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path"), sorted(set(ROUTES) - {DOOR, MCP}))
def test_answers_are_as_declared(schema: Any, method: str, path: str) -> None:
    """No answer is a 5xx, and each has a status, a type and a shape that are declared."""

    @given(case=schema[path][method].as_strategy())
    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    def hold(case: Any) -> None:
        case.call_and_validate(checks=CHECKS)

    hold()

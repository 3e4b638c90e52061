"""What the OpenAPI document says about every route under /v1: parameters, errors, idempotency."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Header, Path, Query
from pydantic import BaseModel, Field
from starlette.requests import Request

from app.domain.change import Receipt
from app.domain.identifiers import WORKSPACE_ID, check_idempotency_key


class ProblemOut(BaseModel):
    """An error (RFC 9457). `type` is an address in the documentation, `request_id` the trace id of the log line."""

    type: str = Field(examples=["/docs#problem-not-found"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no workspace 'x' for this key: check the id"])
    request_id: str = Field(examples=["4f0c2f5c1d3e4b5a9c8d7e6f5a4b3c2d"])
    errors: list[dict[str, Any]] | None = Field(default=None, description="Each field that was refused, and why.")


REASONS = {
    400: "The request contradicts a rule.",
    401: "No key, or one that does not open.",
    403: "The key's role does not allow this.",
    404: "Not there, or not for this key.",
    409: "Another change came first, it exists already, or the Idempotency-Key was used for another request.",
    413: "The body is too large.",
    415: "The body's content type is not taken here.",
    422: "The request does not fit its schema, or content moderation refuses a text.",
    429: "Too many requests with this key; Retry-After says how many seconds to wait.",
    500: "The service or its store failed.",
    503: "The store is busy, or nobody can judge a text; Retry-After says how many seconds to wait.",
    507: "No space is left for the store.",
}
ALWAYS = (400, 401, 403, 404, 422, 429, 500, 503)
WRITING = (409, 413, 507)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors that a route may answer with, beside those that any may."""
    return {
        status: {
            "description": REASONS[status],
            "model": ProblemOut,
        }
        for status in sorted({*ALWAYS, *statuses})
    }


WorkspaceId = Annotated[
    str, Path(pattern=f"^{WORKSPACE_ID.pattern}$", description="The workspace.", examples=["tenant-a:project-1"])
]
MemoryId = Annotated[
    str, Path(pattern=r"^[0-9a-f]{32}$", description="The memory.", examples=["019abc7e51d87f3c9f0e6c1b2a3d4e5f"])
]
Limit = Annotated[int, Query(ge=1, le=1000, description="Items of a page.")]
Cursor = Annotated[str, Query(max_length=512, description="`next_cursor` of the page before.")]
IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        max_length=255,
        pattern=r"^[!-~]*$",
        description="Repeating a request with the same key returns the first outcome for 24 hours and writes nothing.",
    ),
]


async def make_receipt(request: Request, key: str) -> Receipt | None:
    """The receipt of a request with an Idempotency-Key; the hash of what was asked tells another request apart."""
    if not key:
        return None
    digest = sha256(f"{request.method} {request.scope['path']}\n".encode("utf-8", "surrogatepass"))
    digest.update(await request.body())
    return Receipt(key=check_idempotency_key(key), request_sha256=digest.hexdigest())


def replay_headers(replayed: bool) -> dict[str, str]:
    """Tells that an answer is the first one again."""
    return {"Idempotency-Replayed": "true"} if replayed else {}


def binary_body(media_types: Sequence[str], description: str) -> dict[str, Any]:
    """The OpenAPI of a body that is streamed and not parsed as JSON."""
    return {
        "requestBody": {
            "required": True,
            "description": description,
            "content": {media_type: {"schema": {"type": "string"}} for media_type in media_types},
        }
    }

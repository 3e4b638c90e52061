"""Errors over HTTP: problem+json (RFC 9457) under /v1, the 0.2 envelope at the root, and no secret in either.

The status and the slug of an error are in `app.errors`; the tables there are the only ones.
"""

import logging
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from app.api.replies import PROBLEM, reply_error
from app.errors import ContentRefused, MemoryServiceError, RateLimited, Unauthenticated
from app.telemetry.exchange import current_exchange
from app.telemetry.masking import BEYOND, Masker

VERSIONED = "/v1"
LISTED_ERRORS = 100
SHOWN_CHARACTERS = 8192
"""Of what was sent, in an answer that says why it was refused."""
UNEXPECTED = "Something went wrong inside the service; the log line with this request id says what."
SLUGS: Mapping[int, str] = {
    400: "invalid-request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    409: "conflict",
    413: "payload-too-large",
    415: "unsupported-media-type",
    422: "validation-failed",
    429: "rate-limited",
    500: "internal-error",
    503: "store-busy",
}
"""Slugs of statuses that the framework raises itself."""

log = logging.getLogger("reme.http")


def is_versioned(path: str) -> bool:
    """Whether a path belongs to /v1, where errors are problem+json."""
    return path == VERSIONED or path.startswith(VERSIONED + "/")


class Problems:
    """Makes answers of errors; everything that it quotes is masked."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker

    def answer(
        self,
        path: str,
        status: int,
        slug: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
    ) -> Response:
        """The answer for an error at a path, in the form of the path's family."""
        exchange = current_exchange()
        request_id = exchange.trace_id if exchange is not None else ""
        detail = self._masker.mask_text(detail)
        if is_versioned(path):
            problem: dict[str, Any] = {
                "type": f"/docs#problem-{slug}",
                "title": slug.replace("-", " ").capitalize(),
                "status": status,
                "detail": detail,
                "request_id": request_id,
            }
            if errors:
                problem["errors"] = errors
            return reply_error(problem, status, PROBLEM, headers)
        envelope = {"answer": detail, "success": False, "metadata": {"error": slug, "request_id": request_id}}
        return reply_error(envelope, status, headers=headers)

    def from_error(self, path: str, error: Exception) -> Response:
        """The answer for an exception. What is not foreseen is logged with its traceback and answered without."""
        if isinstance(error, MemoryServiceError):
            if error.status >= 500:
                log.error("%s: %s", error.slug, error.message)
            return self.answer(
                path, error.status, error.slug, error.message, headers=_headers_of(error), errors=_refusals_of(error)
            )
        if isinstance(error, RequestValidationError):
            return self._from_validation(path, error)
        if isinstance(error, HTTPException):
            slug = SLUGS.get(error.status_code, "invalid-request" if error.status_code < 500 else "internal-error")
            return self.answer(path, error.status_code, slug, str(error.detail), headers=error.headers)
        if isinstance(error, RecursionError):
            return self.answer(path, 400, "invalid-request", "the request is nested too deeply: flatten it")
        log.error("unexpected %s", type(error).__name__, exc_info=error)
        return self.answer(path, 500, "internal-error", UNEXPECTED)

    def _from_validation(self, path: str, error: RequestValidationError) -> Response:
        entries = error.errors()[:LISTED_ERRORS]
        if not is_versioned(path):
            shown = [
                {**entry, "input": BEYOND} if len(repr(entry.get("input"))) > SHOWN_CHARACTERS else entry
                for entry in entries
            ]
            return reply_error({"detail": self._masker.mask(shown)}, 422)
        errors = [
            {
                "location": [
                    part if isinstance(part, int) else self._masker.mask_text(str(part)) for part in entry["loc"]
                ],
                "message": self._masker.mask_text(str(entry["msg"])),
                "type": entry["type"],
            }
            for entry in entries
        ]
        return self.answer(path, 422, "validation-failed", _summarise(errors), errors=errors)

    async def handle(self, request: Request, error: Exception) -> Response:
        """FastAPI's handler for the errors above."""
        if isinstance(error, HTTPException) and error.status_code == 405:
            allowed = ", ".join(sorted(allowed_methods(request)))
            error = HTTPException(
                405, f"{request.method} is not for this address: use {allowed}", headers={"Allow": allowed}
            )
        elif isinstance(error, HTTPException) and error.status_code == 404:
            error = HTTPException(404, "There is nothing at this address; /docs lists what there is.")
        return self.from_error(request.scope["path"], error)


def allowed_methods(request: Request) -> set[str]:
    """The methods of all routes that match a request's path, whatever its method."""
    methods: set[str] = set()
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0].value == 2 for route in request.app.routes):
            methods |= {method, "HEAD"} if method == "GET" else {method}
    return methods


def _headers_of(error: MemoryServiceError) -> dict[str, str] | None:
    if isinstance(error, RateLimited):
        return {"Retry-After": str(max(1, ceil(error.retry_after_s)))}
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": 'Bearer realm="reme"'}
    return {"Retry-After": "1"} if error.status == 503 else None


def _refusals_of(error: MemoryServiceError) -> list[dict[str, Any]]:
    """Each text that content moderation refuses, by its place and labels."""
    refusals = error.refusals if isinstance(error, ContentRefused) else ()
    return [
        {
            "location": [refusal.place],
            "message": f"content moderation found: {refusal.reason}",
            "type": error.slug,
            "labels": list(refusal.labels),
        }
        for refusal in refusals[:LISTED_ERRORS]
    ]


def _summarise(errors: Sequence[Mapping[str, Any]]) -> str:
    if not errors:
        return "the request does not fit its schema"
    first = errors[0]
    if first["type"] == "json_invalid":
        return f"the body is no valid JSON at character {first['location'][-1]}"
    place = ".".join(str(part) for part in first["location"])
    return f"{place}: {first['message']}" + (f" (and {len(errors) - 1} more)" if len(errors) > 1 else "")

"""Answers as bytes: JSON written once, without validating what this service made itself."""

import json
from collections.abc import Mapping

from pydantic_core import to_json
from starlette.responses import Response

JSON = "application/json"
PROBLEM = "application/problem+json"
NDJSON = "application/x-ndjson"


def reply_json(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON; numbers that JSON does not know become null."""
    return Response(to_json(content, inf_nan_mode="null"), status, headers, media_type=JSON)


def write_line(content: object) -> bytes:
    """One line of newline-delimited JSON."""
    return to_json(content, inf_nan_mode="null") + b"\n"


def reply_error(
    content: object, status: int, media_type: str = JSON, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer in ASCII JSON: what it quotes from a request may be no valid text."""
    return Response(json.dumps(content, default=str), status, headers, media_type=media_type)

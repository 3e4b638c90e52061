"""How large a request's body may be, told in advance or counted as it comes."""

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from app.errors import PayloadTooLarge


class BodyTooLarge(HTTPException):
    """More came than was allowed. An HTTP exception, since FastAPI turns any other into a 400 while it reads."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, _explain(limit))


def check_length(content_length: bytes, limit: int) -> None:
    """Raise `PayloadTooLarge` where a Content-Length is beyond the limit; what is no number the server refuses."""
    if content_length.isdigit() and int(content_length) > limit:
        raise PayloadTooLarge(_explain(limit))


def count_body(receive: Receive, limit: int) -> Receive:
    """Wrap `receive` so that it raises `BodyTooLarge` once more than `limit` bytes came."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > limit:
                raise BodyTooLarge(limit)
        return message

    return counted


def _explain(limit: int) -> str:
    return f"the body has more than {limit:,} bytes: send it in parts, or import larger amounts with .../import"

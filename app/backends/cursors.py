"""Cursors of listings: opaque to callers, checked when they come back."""

import base64
import binascii

from app.errors import InvalidRequest


def make_cursor(listing: str, last: str) -> str:
    """The cursor of the page that follows `last` in a listing."""
    return base64.urlsafe_b64encode(f"{listing}\x00{last}".encode()).decode().rstrip("=")


def read_cursor(listing: str, cursor: str) -> str:
    """Where a page begins; "" for the first. Raises `InvalidRequest` for a cursor of another listing."""
    if not cursor:
        return ""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        origin, last = text.split("\x00")
    except (binascii.Error, ValueError):
        origin, last = "", ""
    if origin != listing or not last:
        raise InvalidRequest(f"the cursor {cursor[:60]!r} is not of this listing: take next_cursor of the page before")
    return last

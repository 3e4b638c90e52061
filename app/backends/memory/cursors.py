"""Pages of a sorted listing, and cursors that only the listing which made them takes."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from hashlib import sha256
from typing import TypeVar

from app.domain.query import Page
from app.errors import InvalidRequest

T = TypeVar("T")

_MARK_BYTES = 8
"""Tells listings apart; no protection against someone who forges a cursor, who would gain nothing by it."""


def cut_page(listing: tuple[str, ...], sorted_items: Iterable[tuple[str, T]], *, limit: int, cursor: str) -> Page[T]:
    """The items after a cursor, at most `limit`, of pairs (id, item) in the order of their ids.

    `listing` names what is listed, such as ("memories", tenant, workspace). A page ends with the id of its last item,
    so one that is inserted or deleted meanwhile makes no other appear twice or not at all.
    Raises `InvalidRequest` for a cursor of another listing and for a limit below 1.
    """
    if limit < 1:
        raise InvalidRequest(f"limit {limit} is not allowed: ask for at least 1")
    after = _read_cursor(listing, cursor) if cursor else None
    chosen: list[tuple[str, T]] = []
    for pair in sorted_items:
        if after is not None and pair[0] <= after:
            continue
        if len(chosen) == limit:
            return Page(items=tuple(item for _, item in chosen), next_cursor=_make_cursor(listing, chosen[-1][0]))
        chosen.append(pair)
    return Page(items=tuple(item for _, item in chosen))


def _mark(listing: tuple[str, ...]) -> bytes:
    return sha256("\x1f".join(listing).encode()).digest()[:_MARK_BYTES]


def _make_cursor(listing: tuple[str, ...], last_id: str) -> str:
    return urlsafe_b64encode(_mark(listing) + last_id.encode()).decode()


def _read_cursor(listing: tuple[str, ...], cursor: str) -> str:
    try:
        raw = urlsafe_b64decode(cursor.encode())
        if raw[:_MARK_BYTES] == _mark(listing):
            return raw[_MARK_BYTES:].decode()
    except ValueError:
        pass  # not base64, or not a text: a cursor that nobody here made
    raise InvalidRequest(f"cursor {cursor[:80]!r} is not of this listing: start again without one")

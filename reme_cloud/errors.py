"""What a call may raise: the service's own exceptions, whether the store is in this process or behind a server."""

from collections.abc import Iterator

from app.errors import (
    AlreadyExists,
    Forbidden,
    IdempotencyConflict,
    InvalidRequest,
    MemoryServiceError,
    ModelError,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    SettingsError,
    StoreBusy,
    StoreError,
    StoreFull,
    Unauthenticated,
    VersionConflict,
)

__all__ = [
    "AlreadyExists",
    "Forbidden",
    "IdempotencyConflict",
    "InvalidRequest",
    "MemoryServiceError",
    "ModelError",
    "NotFound",
    "PayloadTooLarge",
    "RateLimited",
    "SettingsError",
    "StoreBusy",
    "StoreError",
    "StoreFull",
    "Unauthenticated",
    "Unreachable",
    "VersionConflict",
    "make_error",
]


class Unreachable(MemoryServiceError):
    """The server gave no answer that can be used: repeat the call."""

    status = 503
    slug = "unreachable"


_BY_STATUS: dict[int, type[MemoryServiceError]] = {
    400: InvalidRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: InvalidRequest,
    413: PayloadTooLarge,
    415: InvalidRequest,
    422: InvalidRequest,
    502: Unreachable,
    503: Unreachable,
    504: Unreachable,
    507: StoreFull,
}
"""Statuses of answers whose slug is none of ours: the framework's own, and those of proxies."""


def make_error(slug: str, status: int, message: str, *, retry_after_s: float = 1.0) -> MemoryServiceError:
    """The exception that a server's answer stands for; one of an unknown kind is a `MemoryServiceError`."""
    kinds: dict[str, type[MemoryServiceError]] = {}
    for each in _walk(MemoryServiceError):
        kinds.setdefault(each.slug, each)  # a backend's own narrower kinds share the slug of ours
    kind = kinds.get(slug) or _BY_STATUS.get(status) or MemoryServiceError
    if issubclass(kind, RateLimited) or status == 429:
        return RateLimited(message, retry_after_s=retry_after_s)
    return kind(message)


def _walk(kind: type[MemoryServiceError]) -> Iterator[type[MemoryServiceError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _walk(narrower)

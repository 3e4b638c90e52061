"""What the server refuses, or does not answer, as the errors of the service.

A message names the server, the status and the type of the fault. It quotes nothing of the server's own words, which
may repeat what was sent: texts of memories, or the address with a password.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from elastic_transport import ConnectionTimeout, SerializationError, TlsError, TransportError
from elasticsearch import ApiError, UnsupportedProductError

from app.errors import IndexUnavailable, SettingsError, StoreError, StoreFull

BLOCKED = "cluster_block_exception"
MISSING = "index_not_found_exception"
CLOSED = "index_closed_exception"
EXISTS = "resource_already_exists_exception"
CONFLICT = "version_conflict_engine_exception"

_PASSING = frozenset({408, 429, 502, 503, 504})
"""Overloaded (`es_rejected_execution_exception`, `circuit_breaking_exception`), or without a master or a shard now."""
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Setback(Exception):
    """An attempt failed, and another may not."""

    def __init__(self, error: StoreError) -> None:
        super().__init__(error.message)
        self.error = error


class AccessRefused(IndexUnavailable):
    """The server does not take the key or the user, or does not let it do this."""


def judge(place: str, status: int, kind: str) -> Exception:
    """The `StoreError` that a refusal by the server at a place is, or a `Setback` where it may pass."""
    said = f"the vector index at {place} answered {status}{f' ({kind})' if kind else ''}"
    if kind == BLOCKED:
        return StoreFull(
            f"{said}: it takes no writes, because a disk is above the flood-stage watermark or the collection was set "
            "read-only; nothing of the store was lost: free some space or take the block away, then repeat"
        )
    if kind == MISSING:
        return IndexUnavailable(f"{said}: the collection is missing; restart the service, which makes it anew")
    if kind == CLOSED:
        return IndexUnavailable(f"{said}: the collection was closed; open it")
    if status in (401, 403):
        return AccessRefused(f"{said}: check api_key, or the user and the password, and what they may do")
    if status in _PASSING:
        return Setback(IndexUnavailable(f"{said}: it is overloaded or starting; repeat the request later"))
    if status >= 500:
        return IndexUnavailable(f"{said}: look at the server's log")
    return StoreError(f"{said}: the request was refused")


def name_kind(body: object) -> str:
    """The type of the fault that a response names, of its cause where there is one; empty where it names none."""
    error = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping):
        return ""
    causes = error.get("root_cause") or [error]
    kind = causes[0].get("type") if isinstance(causes[0], Mapping) else None
    return kind if isinstance(kind, str) and _WORD.fullmatch(kind) else ""


def quote_reason(body: object) -> str:
    """The server's own words on a refusal; only for requests that hold settings and no memories."""
    error = body.get("error") if isinstance(body, Mapping) else None
    reason = error.get("reason") if isinstance(error, Mapping) else None
    return str(reason)[:300] if reason else name_kind(body)


@contextmanager
def translated(place: str, *, timeout_s: float) -> Iterator[None]:
    """Raise a `StoreError`, a `SettingsError` or a `Setback` for what the client raises."""
    try:
        yield
    except UnsupportedProductError:
        raise SettingsError(f"the server at {place} is not Elasticsearch: check hosts") from None
    except ApiError as fault:
        raise judge(place, fault.meta.status, name_kind(fault.body)) from None
    except ConnectionTimeout:
        raise IndexUnavailable(
            f"the vector index at {place} did not answer within {timeout_s:g} s: repeat later, or raise timeout_s"
        ) from None
    except TlsError:
        raise IndexUnavailable(
            f"the vector index at {place} has no certificate that is trusted: check hosts, ca_certs and verify_certs"
        ) from None
    except SerializationError:
        raise IndexUnavailable(f"what answers at {place} is not Elasticsearch: check hosts") from None
    except TransportError as fault:
        cause = type(fault.errors[-1] if fault.errors else fault).__name__
        raise Setback(
            IndexUnavailable(f"the vector index at {place} was not reached ({cause}): look at its server, repeat later")
        ) from None

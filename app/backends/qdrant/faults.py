"""Turns what Qdrant, its client and the network report into the errors of the service.

REST answers with a status; the codes of gRPC are read as the statuses that they stand for, so that both say the same.
Messages name the server and the remedy; what a server quotes is repeated only at the start, when no memory was sent.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

import grpc
from httpx import TimeoutException
from qdrant_client.common.client_exceptions import QdrantException, ResourceExhaustedResponse
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from app.errors import IndexUnavailable, MemoryServiceError, SettingsError, StoreFull

REPORTED = (
    ApiException,
    QdrantException,
    grpc.RpcError,
    sqlite3.Error,
    OSError,
    ValueError,
    RuntimeError,
    AssertionError,
)
"""What a call may raise; local mode raises ValueError and RuntimeError, a body of nothing an AssertionError."""
REASON_CHARACTERS = 200

_UNREACHED = 0
_NOT_QDRANT = -1
_TIMEOUT = 504
_TOO_MANY = 429
_PASSING = frozenset({_UNREACHED, 408, _TOO_MANY, 500, 502, 503, _TIMEOUT})
_STATUSES: Mapping[grpc.StatusCode, int] = {
    grpc.StatusCode.UNAVAILABLE: _UNREACHED,
    grpc.StatusCode.DEADLINE_EXCEEDED: _TIMEOUT,
    grpc.StatusCode.CANCELLED: 503,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: _TOO_MANY,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: _NOT_QDRANT,
}
_FULL = ("no space left on device", "database or disk is full")
"""As Qdrant's disk watcher says it (a 500, or INTERNAL), the system, and the SQLite of local mode."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What went wrong: a status of HTTP (0 not reached, -1 not Qdrant), why, and how long one is asked to wait."""

    status: int
    reason: str = ""
    wait_s: float | None = None
    is_full: bool = False

    @property
    def may_pass(self) -> bool:
        """Whether the same call may succeed in a moment."""
        return self.status in _PASSING and not self.is_full


def read(fault: BaseException) -> Fault:
    """What a fault of `REPORTED` says."""
    if isinstance(fault, ResourceExhaustedResponse):
        return Fault(status=_TOO_MANY, reason=str(fault), wait_s=float(fault.retry_after_s))
    if isinstance(fault, UnexpectedResponse):
        return _answered(fault.status_code or _NOT_QDRANT, _read_reason(fault.content))
    if isinstance(fault, grpc.RpcError) and isinstance(fault, grpc.Call):
        status = _STATUSES.get(fault.code(), 500)
        return _answered(status, fault.code().name if status == _UNREACHED else fault.details() or "")
    if isinstance(fault, ResponseHandlingException):
        return _read_source(fault.source)
    if isinstance(fault, ValueError) and "not found" in str(fault):
        return Fault(status=404, reason=str(fault))
    if isinstance(fault, ValueError) and "already exists" in str(fault):
        return Fault(status=409, reason=str(fault))
    return _answered(400 if isinstance(fault, ValueError) else 500, str(fault))


def explain(fault: Fault, server: str, *, timeout_s: float, starting: bool) -> MemoryServiceError:
    """The error of the service; `starting` makes a refusal a matter of the settings."""
    if fault.is_full:
        return StoreFull(
            f"no space is left on the disk of {server}: free some or enlarge it, then repeat; the store has everything"
        )
    refused = SettingsError if starting else IndexUnavailable
    match fault.status:
        case 0:
            return IndexUnavailable(f"{server} was not reached ({fault.reason}): check its address and that it runs")
        case -1:
            return refused(f"{server} does not answer as Qdrant does: check its address and port")
        case 504 | 408:
            return IndexUnavailable(
                f"{server} did not answer within {timeout_s:g} s: repeat later, or raise its timeout_s"
            )
        case 401 | 403:
            return refused(f"{server} refused the API key ({fault.status}): check api_key and what it may do")
        case 404:
            return IndexUnavailable(
                f"{server} has no such collection: it is made when the index is prepared again; else check its address"
            )
        case 413:
            return refused(
                f"{server} takes no request of that size: lower batch_size, or raise its service.max_request_size_mb"
            )
        case status if fault.may_pass:
            return IndexUnavailable(f"{server} failed ({status}): repeat later, and look at its log")
        case status if 300 <= status < 400:
            return refused(f"{server} redirects ({status}), which is not followed: give the address that it leads to")
        case status:
            reason = f": {fault.reason}" if starting and fault.reason else ""
            return refused(f"{server} refused the request ({status}){reason or ': look at its log'}")


def _answered(status: int, reason: str) -> Fault:
    is_full = status == 507 or any(words in reason.lower() for words in _FULL)
    return Fault(status=status, reason=reason, is_full=is_full)


def _read_source(source: object) -> Fault:
    """What kept an answer from being read: the network, or a body of another form."""
    if isinstance(source, TimeoutException):
        return Fault(status=_TIMEOUT)
    if isinstance(source, ValueError) and not isinstance(source, UnicodeError):  # a ValidationError is one
        return Fault(status=_NOT_QDRANT)
    untrusted = "CERTIFICATE_VERIFY_FAILED" in str(source)
    return Fault(status=_UNREACHED, reason="its certificate is not trusted" if untrusted else type(source).__name__)


def _read_reason(content: bytes) -> str:
    """What a body of Qdrant's gives as its error."""
    try:
        error = json.loads(content)["status"]["error"]
    except (ValueError, KeyError, TypeError):
        return ""
    return error if isinstance(error, str) else ""

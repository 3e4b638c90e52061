"""Turns what PostgreSQL and its driver report into the errors of the service.

The messages name conditions, tables and constraints, never values: a server repeats texts and keys in its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from app.errors import StoreBusy, StoreCorrupt, StoreError, StoreFull, StoreUnavailable

CONFLICTS = (errors.SerializationFailure, errors.DeadlockDetected)
"""The server chose this transaction to give way to another; from the start it may go through."""

_GONE = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleSessionTimeout,
    errors.IdleInTransactionSessionTimeout,
    errors.ReadOnlySqlTransaction,
)
"""The session ends, or stands on a server that has become a standby."""

_DAMAGED = (errors.DataCorrupted, errors.IndexCorrupted)
_SLOW = (errors.LockNotAvailable, errors.QueryCanceled)


def is_gone(fault: BaseException) -> bool:
    """Whether a fault says that the connection is of no use any more, so that another one may be."""
    if isinstance(fault, _GONE):
        return True
    broken = isinstance(fault, psycopg.OperationalError | psycopg.InterfaceError)
    return broken and (getattr(fault, "sqlstate", None) or "08").startswith("08")


def is_passing(fault: BaseException) -> bool:
    """Whether the same transaction, which has not taken place, may succeed when it is repeated."""
    return isinstance(fault, CONFLICTS) or is_gone(fault)


def translate(fault: psycopg.Error, address: str) -> StoreError:
    """The error of the service for one of PostgreSQL; `address` names the server without credentials."""
    state = fault.sqlstate or "no SQLSTATE"
    if isinstance(fault, CONFLICTS):
        return StoreBusy("other writers change the same rows all the time: repeat the request")
    if isinstance(fault, _SLOW):
        return StoreBusy(
            f"PostgreSQL at {address} gave up a statement that took too long or waited for a lock ({state}): repeat "
            "the request, or allow more time with statement_timeout_s"
        )
    if isinstance(fault, errors.DiskFull):
        return StoreFull()
    if isinstance(fault, errors.TooManyConnections | errors.OutOfMemory):
        return StoreUnavailable(f"PostgreSQL at {address} is short of connections or memory ({state}): repeat later")
    if is_gone(fault):
        return StoreUnavailable(
            f"PostgreSQL at {address} closed the connection or does not answer: repeat the request later, "
            "and look at the server"
        )
    if isinstance(fault, _DAMAGED):
        return StoreCorrupt(f"PostgreSQL at {address} found a damaged page ({state}): restore the database")
    if isinstance(fault, errors.InsufficientPrivilege):
        return StoreError(
            f"PostgreSQL at {address} does not let the service's user do this: make it the owner of the store's tables"
        )
    place = " ".join(part for part in (fault.diag.table_name, fault.diag.constraint_name) if part)
    return StoreError(f"PostgreSQL at {address} refused a statement ({type(fault).__name__} {state} {place})")


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Raise errors of the service where PostgreSQL fails; without the cause, which may hold texts."""
    try:
        yield
    except psycopg.Error as fault:
        raise translate(fault, address) from None

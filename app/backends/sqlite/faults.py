"""Turns what SQLite reports into the errors of the service."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError

import apsw

from app.errors import StoreBusy, StoreCorrupt, StoreError, StoreFull

UNREADABLE = (apsw.CorruptError, UnicodeDecodeError, JSONDecodeError)
"""What reading a damaged page may raise: SQLite sees a broken structure, but not a broken text."""


DAMAGE = (*UNREADABLE, apsw.SQLError)
"""What examining a damaged store may raise: its own statements are right, so one that is refused tells of damage."""


_LIMITS = (errno.EFBIG, errno.EDQUOT)


def translate(fault: BaseException) -> StoreError:
    """The error of the service for one of SQLite, or for a stored text that cannot be decoded."""
    if isinstance(fault, apsw.BusyError | apsw.LockedError):
        return StoreBusy()
    if isinstance(fault, apsw.FullError):
        return StoreFull()
    if isinstance(fault, (*UNREADABLE, apsw.NotADBError)) or "fts5 file format" in str(fault):
        return StoreCorrupt(
            f"the store has a page that does not read ({fault}): stop the service and run `reme doctor`"
        )
    if isinstance(fault, apsw.ReadOnlyError):
        return StoreError("the store is read-only: give the service's user write access to its folder")
    if isinstance(fault, apsw.CantOpenError):
        return StoreError("the store cannot be opened: check that its folder exists and may be written to")
    if isinstance(fault, apsw.IOError):
        return StoreError(
            f"the disk under the store failed ({fault}): check the device; nothing of this was acknowledged"
        )
    return StoreError(f"SQLite refused: {fault}")


def recognise_full(fault: Exception, connection: apsw.Connection) -> Exception:
    """A `StoreFull` for an I/O error that says so only by its errno; any other fault as it is.

    SQLite itself tells ENOSPC apart (`unixWrite` in os_unix.c), but not a limit on file sizes and not a quota.
    """
    if not isinstance(fault, apsw.IOError) or connection.system_errno not in _LIMITS:
        return fault
    full = StoreFull(
        "the store's file may not grow: a limit on the size of files (ulimit -f) or a disk quota is reached; nothing "
        "was written and nothing was lost: raise the limit or free some space, then repeat"
    )
    full.__cause__ = fault
    return full


@contextmanager
def translated() -> Iterator[None]:
    """Raise errors of the service where SQLite fails or a text cannot be decoded; the cause stays attached."""
    try:
        yield
    except (apsw.Error, *UNREADABLE) as fault:
        raise translate(fault) from fault

"""Turns what SQLite reports into the errors of the service."""

from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError

import apsw

from app.errors import StoreBusy, StoreCorrupt, StoreError, StoreFull

UNREADABLE = (apsw.CorruptError, UnicodeDecodeError, JSONDecodeError)
"""What reading a damaged page may raise: SQLite sees a broken structure, but not a broken text."""


DAMAGE = (*UNREADABLE, apsw.SQLError)
"""What examining a damaged store may raise: its own statements are right, so one that is refused tells of damage."""


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


@contextmanager
def translated() -> Iterator[None]:
    """Raise errors of the service where SQLite fails or a text cannot be decoded; the cause stays attached."""
    try:
        yield
    except (apsw.Error, *UNREADABLE) as fault:
        raise translate(fault) from fault

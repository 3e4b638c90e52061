"""A disk that fails when it is told to: the n-th write, flush or read, or all from the n-th on, or for want of space."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any, Literal, TypeAlias

import apsw

Call: TypeAlias = Literal["write", "sync", "read", "truncate", "open", "size", "delete"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Which call fails, counted from 1, and how: an I/O error, or no space left. `lasting` means until repaired."""

    call: Call
    nth: int
    full: bool = False
    lasting: bool = False


_CODES: dict[Call, int] = {
    "write": apsw.SQLITE_IOERR_WRITE,
    "sync": apsw.SQLITE_IOERR_FSYNC,
    "read": apsw.SQLITE_IOERR_READ,
    "truncate": apsw.SQLITE_IOERR_TRUNCATE,
    "open": apsw.SQLITE_CANTOPEN,
    "size": apsw.SQLITE_IOERR_FSTAT,
    "delete": apsw.SQLITE_IOERR_DELETE,
}


class Held:
    """Calls that wait: whether one has come, and the event that lets them go."""

    def __init__(self) -> None:
        self.reached, self.released = Event(), Event()


class FailingDisk(apsw.VFS):
    """An apsw VFS over the default one that fails as told. `struck` counts the calls that failed.

    With `quota_bytes` a write that would make a file larger fails for want of space.
    """

    def __init__(self, name: str) -> None:
        self.name, self.struck = name, 0
        self.quota_bytes: int | None = None
        self._fault: Fault | None = None
        self._held: dict[Call, Held] = {}
        self._seen = 0
        self._lock = Lock()
        super().__init__(name, base="")

    def excepthook(self, etype: Any, evalue: Any, etraceback: Any) -> bool:
        """Leave errors to SQLite's result codes."""
        return True

    def arm(self, fault: Fault) -> None:
        """Fail from now on as told."""
        with self._lock:
            self._fault, self._seen, self.struck = fault, 0, 0

    def repair(self) -> None:
        """Work again."""
        with self._lock:
            self._fault, self.quota_bytes = None, None

    @contextmanager
    def hold(self, call: Call) -> Iterator[Held]:
        """Let every call of this kind wait until the block ends."""
        held = self._held[call] = Held()
        try:
            yield held
        finally:
            del self._held[call]
            held.released.set()

    def meet(self, call: Call) -> None:
        """Wait if this kind of call is held; fail if its turn has come."""
        if (held := self._held.get(call)) is not None:
            held.reached.set()
            held.released.wait()
        with self._lock:
            fault = self._fault
            if fault is None or fault.call != call:
                return
            self._seen += 1
            if self._seen != fault.nth and not (fault.lasting and self._seen > fault.nth):
                return
            self.struck += 1
        raise _error(apsw.SQLITE_FULL if fault.full else _CODES[call])

    def meet_write(self, end: int) -> None:
        """Fail if a write that ends here is too much."""
        self.meet("write")
        if self.quota_bytes is not None and end > self.quota_bytes:
            self.struck += 1
            raise _error(apsw.SQLITE_FULL)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        """Open a file."""
        self.meet("open")
        return FailingFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        """Delete a file."""
        self.meet("delete")
        super().xDelete(filename, syncdir)


class FailingFile(apsw.VFSFile):
    """A file of the disk. It is not flushed: these tests take no power away."""

    def __init__(self, disk: FailingDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("", name, flags)

    def excepthook(self, etype: Any, evalue: Any, etraceback: Any) -> bool:
        """Leave errors to SQLite's result codes."""
        return True

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        """Read."""
        self._disk.meet("read")
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        """Write."""
        self._disk.meet_write(offset + len(data))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        """Cut the file."""
        self._disk.meet("truncate")
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        """Flush."""
        self._disk.meet("sync")

    def xFileSize(self) -> int:  # noqa: N802
        """The size of the file."""
        self._disk.meet("size")
        return super().xFileSize()


def _error(code: int) -> Exception:
    return apsw.exception_for(code)

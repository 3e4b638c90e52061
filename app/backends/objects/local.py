"""Objects as files in a local folder: one subfolder a workspace, and one for each other kind of objects.

A file is written under another name, flushed and renamed, and the folder is flushed: after a power loss it is whole or
not there. What an interrupted `put` leaves is listed, so that whoever looks for orphans finds it.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from app.backends.folders import flush_folder, make_folder
from app.backends.objects.limits import MOST_BYTES, THERE, check_size
from app.domain.objects import StoredObject, check_object_name, is_object_name
from app.errors import AlreadyExists, NotFound, StoreError, StoreFull

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The disk is full, a quota is used up, or a file would be larger than the process may write (RLIMIT_FSIZE)."""
_NS_PER_MS = 1_000_000
_DEPTH = 2
"""Folders that a name has at most."""


class LocalObjectStore:
    """The `ObjectStore` over a folder, which is made with the first object. Several processes may share it."""

    def __init__(self, folder: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes

    @property
    def most_bytes(self) -> int:
        """The most bytes that an object may have."""
        return self._most_bytes

    def put(self, name: str, content: bytes) -> None:
        """Keep an object, whole and durable when this returns."""
        self._write(name, content, lambda unfinished, path: unfinished.replace(path))

    def create(self, name: str, content: bytes) -> None:
        """Keep an object that is not there yet, or raise `AlreadyExists`."""
        self._write(name, content, _name_anew)

    def size(self, name: str) -> int:
        """How many bytes an object has, or `NotFound`."""
        path = self._locate(name)
        with _translated("look at"):
            return path.stat().st_size

    def read(self, name: str, *, offset: int = 0, limit: int | None = None) -> bytes:
        """At most `limit` bytes from `offset` on, or `NotFound`."""
        path = self._locate(name)
        with _translated("read"), path.open("rb", buffering=0) as file:
            file.seek(offset)
            return _read_whole(file.fileno(), self._most_bytes if limit is None else limit)

    def delete(self, name: str) -> bool:
        """Remove an object; returns whether it was there."""
        path = self._locate(name)
        with _translated("remove"):
            try:
                path.unlink()
            except FileNotFoundError:
                return False
            flush_folder(path.parent)
        return True

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """The objects whose names begin so, in the order of their names."""
        for name in self._walk("", prefix):
            if is_object_name(name):  # others are nobody's of this service
                with suppress(FileNotFoundError):  # removed meanwhile
                    facts = (self._folder / name).stat()
                    yield StoredObject(name=name, bytes=facts.st_size, modified_ms=facts.st_mtime_ns // _NS_PER_MS)

    def _walk(self, folder: str, prefix: str) -> Iterator[str]:
        """The files whose names begin so, in the order of their names; a folder's name ends with its slash."""
        with _translated("list"):
            names = sorted(
                f"{folder}{entry.name}{'/' if entry.is_dir() else ''}" for entry in _scan(self._folder / folder)
            )
        for name in names:
            if not name.endswith("/"):
                if name.startswith(prefix):
                    yield name
            elif (name.startswith(prefix) or prefix.startswith(name)) and name.count("/") <= _DEPTH:
                yield from self._walk(name, prefix)

    def _write(self, name: str, content: bytes, settle: Callable[[Path, Path], object]) -> None:
        """Write a file under another name, flush it, and have `settle` give it its own."""
        check_size(content, self._most_bytes)
        path = self._locate(name)
        unfinished = path.with_name(f"{path.name.partition('.')[0]}.part-{token_hex(8)}")
        with _translated("write"):
            make_folder(path.parent)
            try:
                _write_whole(unfinished, content)
                settle(unfinished, path)
            except BaseException:
                with suppress(OSError):
                    unfinished.unlink(missing_ok=True)
                raise
            flush_folder(path.parent)

    def _locate(self, name: str) -> Path:
        return self._folder / check_object_name(name)


def _name_anew(unfinished: Path, path: Path) -> None:
    """Give a file its name, which no other has; a hard link is made by one of those who try at once."""
    try:
        path.hardlink_to(unfinished)
    except FileExistsError:
        raise AlreadyExists(THERE) from None
    unfinished.unlink()


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _write_whole(path: Path, content: bytes) -> None:
    """Write a new file, which only this user may read, and flush it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_whole(descriptor: int, limit: int) -> bytes:
    """Up to `limit` bytes; one call of the system returns at most 2 GiB, and may return fewer."""
    chunks = []
    while limit > 0 and (chunk := os.read(descriptor, min(limit, 1 << 20))):
        chunks.append(chunk)
        limit -= len(chunk)
    return b"".join(chunks)


@contextmanager
def _translated(deed: str) -> Iterator[None]:
    """Raise errors of the service for those of the file system; no path stands in them."""
    try:
        yield
    except FileNotFoundError as fault:
        raise NotFound("the stored object is not there any more") from fault
    except OSError as fault:
        if fault.errno in _NO_SPACE:
            raise StoreFull(
                "no space is left for stored objects; nothing was kept: free some space, then repeat"
            ) from fault
        raise StoreError(f"could not {deed} a stored object ({fault.strerror}): check storage.base_path") from fault

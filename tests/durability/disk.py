"""A disk that loses its power: it knows what was flushed, and may keep any part of what was only written."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from threading import Lock
from typing import Any, TypeAlias

import apsw

_JOURNALS = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes that were written and not flushed yet."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """A file that was cut to a size, not flushed yet."""

    size: int


Pending: TypeAlias = Written | Cut


@dataclass(slots=True)
class Image:
    """A file as it is on the medium, the changes that wait in caches, and what the folder on the medium says of it."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Pending] = field(default_factory=list)
    listed: bool = False
    removed: bool = False

    def flush(self) -> None:
        """Bring everything to the medium."""
        for change in self.pending:
            _apply(self.durable, change)
        self.pending = []


def _apply(content: bytearray, change: Pending) -> None:
    if isinstance(change, Cut):
        del content[change.size :]
        return
    end = change.offset + len(change.data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    content[change.offset : end] = change.data


class Disk(apsw.VFS):
    """An apsw VFS over the default one. `happened` is called around every change of the disk, on the writing thread.

    With `powersafe` false the disk may also spoil the rest of a sector that a write touches, and says so.
    The shared memory of the write-ahead log is memory: it has no image.
    """

    def __init__(
        self, name: str, *, happened: Callable[[str], None] = lambda kind: None, powersafe: bool = True
    ) -> None:
        self.name, self.powersafe, self._happened = name, powersafe, happened
        self._images: dict[str, Image] = {}
        self._lock = Lock()
        super().__init__(name, base="")

    def excepthook(self, etype: Any, evalue: Any, etraceback: Any) -> bool:
        """Leave errors to SQLite's result codes."""
        return True

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        """Open a file and follow what is written to it; temporary ones are not followed."""
        if name is None:
            return apsw.VFSFile("", name, flags)
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        with self._lock:
            image = self._images.get(path)
            if image is None or image.removed:
                existing = Path(path).read_bytes() if Path(path).exists() else None
                image = self._images[path] = Image(durable=bytearray(existing or b""), listed=existing is not None)
        return DiskFile(self, image, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        """Delete a file; without `syncdir` a power cut may bring it back."""
        super().xDelete(filename, syncdir)
        with self._lock:
            if (image := self._images.get(filename)) is not None:
                image.removed = True
            if syncdir:
                self._flush_folder()
        self._happened("delete")

    def change(self, image: Image, change: Pending) -> None:
        """Note a change that waits to be flushed."""
        with self._lock:
            image.pending.append(change)
        self._happened("write" if isinstance(change, Written) else "truncate")

    def flush(self, image: Image, *, folder: bool) -> None:
        """Flush a file, and with it the folder where SQLite's own file layer does so too."""
        self._happened("sync")
        with self._lock:
            image.flush()
            if folder:
                self._flush_folder()
        self._happened("synced")

    def _flush_folder(self) -> None:
        for image in self._images.values():
            image.listed = not image.removed

    def lose_power(self, folder: Path, random: Random) -> None:
        """Write what a power cut at this moment would leave to a folder; any outcome that is allowed may be drawn."""
        keep = random.choice((_keep_none, _keep_all, _keep_first, _keep_some, _keep_sectors, _keep_sectors))
        sector = random.choice((512, 4096))
        with self._lock:
            for path, image in self._images.items():
                there = image.listed if image.listed is not image.removed else random.random() < 0.5
                if there:
                    content = bytearray(image.durable)
                    for change in keep(image.pending, random, sector):
                        _apply(content, change)
                    if not self.powersafe:
                        _spoil(content, image.pending, random)
                    (folder / Path(path).name).write_bytes(content)


class DiskFile(apsw.VFSFile):
    """A file of the disk."""

    def __init__(self, disk: Disk, image: Image, name: str | apsw.URIFilename, flags: list[int]) -> None:
        self._disk, self._image = disk, image
        self._flushes_folder = bool(flags[0] & apsw.SQLITE_OPEN_CREATE and flags[0] & _JOURNALS)
        super().__init__("", name, flags)

    def excepthook(self, etype: Any, evalue: Any, etraceback: Any) -> bool:
        """Leave errors to SQLite's result codes."""
        return True

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        """What SQLite may take for granted: that a write leaves the bytes around it alone, or nothing."""
        return super().xDeviceCharacteristics() if self._disk.powersafe else 0

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        """Write, for now only into the caches."""
        super().xWrite(data, offset)
        self._disk.change(self._image, Written(offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        """Cut the file, for now only in the caches."""
        super().xTruncate(newsize)
        self._disk.change(self._image, Cut(newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802
        """Flush to the medium; the machine's own disk is spared."""
        self._disk.flush(self._image, folder=self._flushes_folder)
        self._flushes_folder = False


# -- what survives of the changes that were not flushed


def _keep_none(pending: list[Pending], random: Random, sector: int) -> list[Pending]:
    return []


def _keep_all(pending: list[Pending], random: Random, sector: int) -> list[Pending]:
    return pending


def _keep_first(pending: list[Pending], random: Random, sector: int) -> list[Pending]:
    """A disk that keeps the order: the first ones, and a part of the next."""
    count = random.randrange(len(pending) + 1)
    return [*pending[:count], *_keep_sectors(pending[count : count + 1], random, sector)]


def _keep_some(pending: list[Pending], random: Random, sector: int) -> list[Pending]:
    """A disk that reorders: any of them, each whole."""
    share = random.random()
    return [change for change in pending if random.random() < share]


def _keep_sectors(pending: list[Pending], random: Random, sector: int) -> list[Pending]:
    """A disk that reorders and tears: any sectors of any of them."""
    share = random.random()
    kept: list[Pending] = []
    for change in pending:
        if isinstance(change, Cut):
            kept += [change] * (random.random() < share)
            continue
        end = change.offset + len(change.data)
        bounds = [change.offset, *range(change.offset // sector * sector + sector, end, sector), end]
        for start, stop in pairwise(bounds):
            if random.random() < share:
                kept.append(Written(start, change.data[start - change.offset : stop - change.offset]))
    return kept


def _spoil(content: bytearray, pending: list[Pending], random: Random) -> None:
    """Overwrite whole sectors that a write touched at its ends with anything."""
    for change in pending:
        if isinstance(change, Written) and random.random() < 0.1:
            start = random.choice((change.offset, change.offset + len(change.data) - 1)) // 4096 * 4096
            if start < len(content):
                _apply(content, Written(start, random.randbytes(min(4096, len(content) - start))))

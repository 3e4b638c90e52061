"""Files of `/vector_store` dump and load: one a workspace, in the data directory and nowhere else."""

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from urllib.parse import quote

from app.api.replies import write_line
from app.domain.memory import JsonObject, Scope
from app.errors import InvalidRequest, NotFound, StoreError, StoreFull
from app.service.items import read_line

DUMPS = "dumps"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The disk is full, a quota is used up, or a file would be larger than the process may write (RLIMIT_FSIZE)."""
NAME_BYTES = 200
"""File systems in use allow 255 bytes; a percent-encoded workspace id may have 384."""


def locate_dump(data_dir: Path, tenant_id: str, path: str, workspace_id: str) -> Path:
    """The file `<data_dir>/dumps/<tenant>/<path>/<workspace>.jsonl`, or `InvalidRequest` for a path that leaves it.

    Names are percent-encoded, since a workspace id may hold what a file name should not. `InvalidRequest` also for a
    path that no folder can have.
    """
    root = (data_dir / DUMPS / _name(tenant_id)).resolve()
    try:
        parts = path.encode().split(b"/")
        if b"\x00" in path.encode() or len(path) > 1024 or any(len(part) > NAME_BYTES for part in parts):
            raise ValueError
        folder = (root / path).resolve()
        inside = folder.is_relative_to(root)
        if inside and any(part.is_file() for part in (folder, *folder.parents)):
            raise NotADirectoryError
    except (ValueError, OSError):  # no text, no name that a file system takes, a file, or below one
        raise InvalidRequest("path is no path: give a folder inside the data directory, such as 'backup'") from None
    if not inside:
        raise InvalidRequest(f"path {path[:80]!r} leaves the data directory: give a folder inside it, such as 'backup'")
    return folder / f"{_name(workspace_id)}.jsonl"


def _name(name: str) -> str:
    """A file name that stands for an id and for no other."""
    quoted = quote(name, safe="")
    return quoted if len(quoted) <= NAME_BYTES else f"{quoted[:100]}.{sha256(name.encode()).hexdigest()}"


def write_dump(file: Path, lines: Iterator[JsonObject]) -> int:
    """Write lines to a file that appears whole or not at all; returns how many they were.

    Raises `StoreFull` without space for it, and a `StoreError` where an erasure of the workspace came in between.
    """
    with _translated():
        return _write_whole(file, map(write_line, lines))


def _write_whole(file: Path, lines: Iterable[bytes]) -> int:
    # A name of its own, since two requests may dump the same workspace at once; it starts with the dump's, so that
    # an erasure finds it.
    partial = file.with_name(f"{file.stem}.{token_hex(16)}.partial")
    count = 0
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with partial.open("wb") as stream:
            for count, line in enumerate(lines, start=1):  # noqa: B007
                stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(file)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return count


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise StoreError("the dump was removed while it was written: its workspace was erased, repeat it") from error
    except OSError as error:
        if error.errno in NO_SPACE:
            raise StoreFull("no space is left for the dump: free some space, then repeat") from error
        raise StoreError(f"the dump cannot be written: {error.strerror}") from error


class Dumps:
    """The dumps of a data directory as copies that an erasure reaches."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def forget(self, scope: Scope, *, user_id: str | None = None) -> int:
        """Remove a workspace's dumps under whatever path; with `user_id` write them anew without that user.

        Returns how many there were, or how many held something of the user. Of a dump that held something, lines that
        do not read go too, since nobody can say whom they are about. Links are not followed. What a dump that is
        being written has so far is removed, so that it fails with a `StoreError`.
        """
        name = _name(scope.workspace_id)
        started = re.compile(re.escape(name) + r"\.[0-9a-f]{32}\.partial")
        root, changed = self._data_dir / DUMPS / _name(scope.tenant_id), 0
        if not root.is_dir():
            return 0
        with _translated():
            for folder, _, files in os.walk(root, onerror=_raise):
                # First what is being written: once it has its own name, it is found below.
                for file in filter(started.fullmatch, files):
                    Path(folder, file).unlink(missing_ok=True)
                dump = Path(folder, f"{name}.jsonl")
                if dump.is_file() and (user_id is None or _holds_user(dump, user_id)):
                    _forget_all(dump) if user_id is None else _forget_user(dump, user_id)
                    changed += 1
        return changed


def _raise(error: OSError) -> None:
    raise error


def _forget_all(file: Path) -> None:
    file.unlink(missing_ok=True)
    _flush_folder(file.parent)


def _holds_user(file: Path, user_id: str) -> bool:
    with file.open("rb") as stream:
        return any(_is_of_another(line, user_id) is False for line in stream)


def _forget_user(file: Path, user_id: str) -> None:
    with file.open("rb") as stream:
        _write_whole(file, (line for line in stream if _is_of_another(line, user_id)))
    _flush_folder(file.parent)


def _is_of_another(line: bytes, user_id: str) -> bool | None:
    """Whether a line is about somebody else, or nobody; None where it does not read."""
    try:
        return read_line(line.decode()).user_id.strip() != user_id
    except (InvalidRequest, UnicodeDecodeError):
        return None


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_dump(file: Path) -> Iterator[str]:
    """The lines of a dump, read as they are asked for; `NotFound` where there is no such file."""
    if not file.is_file():
        raise NotFound(f"there is no dump {file.name!r} at this path: dump the workspace first")
    return _read(file)


def _read(file: Path) -> Iterator[str]:
    try:
        with file.open(encoding="utf-8") as stream:
            yield from stream
    except OSError as error:
        raise StoreError(f"the dump cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise InvalidRequest("the dump is no valid UTF-8") from None

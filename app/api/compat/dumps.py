"""Files of `/vector_store` dump and load: one a workspace, in the data directory and nowhere else."""

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from urllib.parse import quote

from app.api.replies import write_line
from app.domain.memory import JsonObject
from app.errors import InvalidRequest, NotFound, StoreError, StoreFull

DUMPS = "dumps"
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
    """Write lines to a file that appears whole or not at all; returns how many they were."""
    # A name of its own, since two requests may dump the same workspace at once.
    partial = file.with_name(f"{token_hex(16)}.partial")
    count = 0
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with partial.open("wb") as stream:
            for count, line in enumerate(lines, start=1):  # noqa: B007
                stream.write(write_line(line))
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(file)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull("no space is left for the dump: free some space, then repeat") from error
        raise StoreError(f"the dump cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return count


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

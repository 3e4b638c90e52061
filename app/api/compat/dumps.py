"""Files of `/vector_store` dump and load: one a workspace, in the data directory and nowhere else."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from app.api.replies import write_line
from app.domain.memory import JsonObject
from app.errors import InvalidRequest, NotFound, StoreError

DUMPS = "dumps"


def locate_dump(data_dir: Path, tenant_id: str, path: str, workspace_id: str) -> Path:
    """The file `<data_dir>/dumps/<tenant>/<path>/<workspace>.jsonl`, or `InvalidRequest` for a path that leaves it.

    Names are percent-encoded, since a workspace id may hold what a file name should not.
    """
    root = (data_dir / DUMPS / quote(tenant_id, safe="")).resolve()
    if "\x00" in path or len(path) > 1024:
        raise InvalidRequest("path is no path: give a folder inside the data directory, such as 'backup'")
    folder = (root / path).resolve()
    if not folder.is_relative_to(root):
        raise InvalidRequest(f"path {path[:80]!r} leaves the data directory: give a folder inside it, such as 'backup'")
    return folder / f"{quote(workspace_id, safe='')}.jsonl"


def write_dump(file: Path, lines: Iterator[JsonObject]) -> int:
    """Write lines to a file that appears whole or not at all; returns how many they were."""
    partial = file.with_name(f"{file.name}.{os.getpid()}.partial")
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
        partial.unlink(missing_ok=True)
        raise StoreError(f"the dump cannot be written: {error.strerror}") from error
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

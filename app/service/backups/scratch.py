"""A folder for the one copy that a backup or a restore works with."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import InvalidRequest, StoreBusy

_LOCK = "lock"


@contextmanager
def hold_scratch(folder: Path) -> Iterator[Path]:
    """An empty folder that nobody else uses, emptied at the end; what a killed process left there goes first.

    Raises `StoreBusy` while another backup or restore uses it, `InvalidRequest` where it cannot be made.
    """
    try:
        for each in reversed((folder, *folder.parents)):  # a folder that is newly made for a store is nobody else's
            if not each.exists():
                each.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as fault:
        raise InvalidRequest(f"{folder} cannot be used ({fault.strerror}): name another with --scratch") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreBusy(
                f"another backup or restore is under way in {folder}: wait for its end, or name another with --scratch"
            ) from None
        _clear(folder)
        try:
            yield folder
        finally:
            _clear(folder)
    finally:
        os.close(descriptor)


def _clear(folder: Path) -> None:
    for each in folder.iterdir():
        if each.name != _LOCK:
            if each.is_dir():
                shutil.rmtree(each, ignore_errors=True)
            else:
                each.unlink(missing_ok=True)

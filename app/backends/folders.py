"""Folders whose names are on disk when they are used."""

import os
from pathlib import Path


def make_folder(folder: Path) -> None:
    """Make a folder and flush those that it is newly listed in; who writes into it does not. Raises `OSError`."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for each in missing:
        flush_folder(each.parent)


def flush_folder(folder: Path) -> None:
    """Have the names in a folder on disk. Raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

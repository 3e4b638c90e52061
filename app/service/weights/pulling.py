"""Weights come from the object store: into a folder beside the target, which takes its name when all is verified."""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from time import time

from app.domain.objects import name_weights
from app.errors import AlreadyExists, InvalidRequest, NotFound, StoreCorrupt, StoreFull
from app.ports import ObjectStore
from app.service.weights.manifest import Manifest, PushedFile, PushedPart

LEFT_OVER_S = 86_400
"""A folder of a pull that was not finished may belong to one under way; after a day it is removed."""
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def pull(
    objects: ObjectStore,
    name: str,
    manifest: Manifest,
    folder: Path,
    *,
    progress: Callable[[int, int], None] = lambda _, __: None,
) -> None:
    """Write the files of weights to a folder that is not there, or empty; it is there whole or not at all.

    `progress` is called with the bytes done and those in all. Raises `AlreadyExists`, `StoreCorrupt` for a part that
    is damaged or missing, `StoreFull` where the disk has too little room, `InvalidRequest` for a folder that cannot be
    written, or a `StoreError`; then nothing is left.
    """
    with _translated(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise AlreadyExists(f"{folder} is there already: name a folder that is not, or an empty one")
        folder.parent.mkdir(parents=True, exist_ok=True)
        marks = f".{folder.name}.part-"
        _remove_left_over(folder.parent, marks)
        _check_room(folder.parent, name, manifest.bytes)
        unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=marks))
        try:
            done = 0
            for file in manifest.files:
                for size in _write_file(objects, name, file, unfinished / file.path):
                    done += size
                    progress(done, manifest.bytes)
            for place, _, _ in os.walk(unfinished):
                _flush(Path(place))
            _give_name(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def _write_file(objects: ObjectStore, name: str, file: PushedFile, target: Path) -> Iterator[int]:
    """Write a file, verified and flushed; yields the size of each part that is written."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = sha256()
    with target.open("xb") as written:
        for number, part in enumerate(file.parts, start=1):
            content = _read_part(objects, name, part, f"part {number} of {len(file.parts)} of {file.path}")
            digest.update(content)
            written.write(content)
            yield len(content)
        written.flush()
        os.fsync(written.fileno())
    if digest.hexdigest() != file.sha256:
        raise StoreCorrupt(f"{file.path} of weights {name!r} is not what was pushed: push them again")


def _read_part(objects: ObjectStore, name: str, part: PushedPart, place: str) -> bytes:
    try:
        content = objects.read(name_weights(name) + part.sha256, limit=part.bytes + 1)
    except NotFound:
        raise StoreCorrupt(
            f"{place} of weights {name!r} is missing from the object store: push them again, or repeat this where "
            "they were pushed anew in this moment"
        ) from None
    if len(content) != part.bytes or sha256(content).hexdigest() != part.sha256:
        raise StoreCorrupt(f"{place} of weights {name!r} is damaged: push them again")
    return content


def _check_room(parent: Path, name: str, needed: int) -> None:
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise StoreFull(
            f"weights {name!r} take {needed:,} bytes, {free:,} are free under {parent}: free some space, then repeat"
        )


def _remove_left_over(parent: Path, marks: str) -> None:
    for left in parent.iterdir():
        if left.name.startswith(marks) and left.stat().st_mtime < time() - LEFT_OVER_S:
            shutil.rmtree(left, ignore_errors=True)


def _give_name(unfinished: Path, folder: Path) -> None:
    try:
        unfinished.rename(folder)  # also in place of an empty folder
    except OSError as fault:
        if fault.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise AlreadyExists(
                f"{folder} was made by somebody else meanwhile: look whether it is what you need"
            ) from None
        raise
    _flush(folder.parent)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _translated(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        if fault.errno in _NO_SPACE:
            raise StoreFull(f"no space is left for {folder}; nothing was kept: free some space, then repeat") from None
        raise InvalidRequest(f"{folder} cannot be written: {fault.strerror}") from None

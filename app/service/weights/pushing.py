"""A folder goes to the object store: part by part, those that are there already not again, and the manifest last."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from app.domain.objects import name_weights
from app.errors import InvalidRequest, NotFound
from app.ports import Clock, ObjectStore
from app.service.weights.manifest import (
    Manifest,
    PushedFile,
    PushedPart,
    check_path,
    find_manifest,
    name_manifest,
)

PART_BYTES = 33_554_432
"""32 MiB, or the store's limit: what is in RAM at once, and what an interruption costs."""
GRACE_MS = 86_400_000
"""A part that no manifest names may belong to a push under way; it counts as left over after a day."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pushed:
    """What was pushed, and how many different parts were sent and were there already."""

    manifest: Manifest
    sent: int
    there: int


def push(
    objects: ObjectStore,
    clock: Clock,
    folder: Path,
    name: str,
    *,
    progress: Callable[[int, int], None] = lambda _, __: None,
    part_bytes: int = PART_BYTES,
) -> Pushed:
    """Keep all files of a folder as the weights of a name, in place of those that had it; they count at the end.

    `progress` is called with the bytes done and those in all. Raises `InvalidRequest` for a folder or name that cannot
    be used or a file that is changed meanwhile, and a `StoreError`; then what had the name is as it was.
    """
    place = name_weights(name)
    paths = _list_files(folder)
    total = sum(_read_facts(path)[0] for path in paths.values())
    there = {each.name: each.bytes for each in objects.list(place)}
    whole: set[str] = set()
    sent = done = 0
    files = []
    for path, source in paths.items():
        parts, digest = [], sha256()
        for content in _read_parts(source, min(part_bytes, objects.most_bytes)):
            part = PushedPart(sha256=sha256(content).hexdigest(), bytes=len(content))
            part_name = place + part.sha256
            if part_name not in whole and not (
                there.get(part_name) == part.bytes and _is_kept(objects, part_name, part)
            ):
                objects.put(part_name, content)
                sent += 1
            whole.add(part_name)
            parts.append(part)
            digest.update(content)
            done += len(content)
            progress(done, total)
        size = sum(part.bytes for part in parts)
        files.append(PushedFile(path=path, sha256=digest.hexdigest(), bytes=size, parts=tuple(parts)))
    manifest = Manifest(files=tuple(files), pushed_ms=clock.now_ms())
    before = find_manifest(objects, name)
    objects.put(name_manifest(name), manifest.model_dump_json().encode())
    _clear(objects, name, kept=whole, replaced=frozenset() if before is None else before.name_parts(name), clock=clock)
    return Pushed(manifest=manifest, sent=sent, there=len(whole) - sent)


def _clear(objects: ObjectStore, name: str, *, kept: set[str], replaced: frozenset[str], clock: Clock) -> None:
    """Remove parts that the former manifest alone named, and what pushes of another day left."""
    before_ms = clock.now_ms() - GRACE_MS
    for each in tuple(objects.list(name_weights(name))):
        if each.name in kept or each.name == name_manifest(name):
            continue
        if each.name in replaced or each.modified_ms < before_ms:
            objects.delete(each.name)


def _is_kept(objects: ObjectStore, name: str, part: PushedPart) -> bool:
    """Whether an object holds a part; it is read, so that a push mends what was damaged."""
    try:
        return sha256(objects.read(name, limit=part.bytes)).hexdigest() == part.sha256
    except NotFound:
        return False


def _list_files(folder: Path) -> dict[str, Path]:
    """The files of a folder by their paths in it, in order. A link to a file is that file."""
    if not folder.is_dir():
        raise InvalidRequest(f"{folder} is no folder: name the one that holds the model's files")
    found = {}
    for place, folders, names in os.walk(folder, onerror=_refuse):
        for each in folders:
            if (Path(place) / each).is_symlink():
                raise InvalidRequest(f"{Path(place) / each} is a link to a folder: copy the folder to its place")
        for each in names:
            source = Path(place) / each
            path = source.relative_to(folder).as_posix()
            try:
                path.encode()
                found[check_path(path)] = source
            except ValueError:
                raise InvalidRequest(f"{path[:80]!r} is no name for a file of weights: give it a plain one") from None
            if not source.is_file():
                raise InvalidRequest(f"{source} is no file that can be read: remove it from the folder")
    if not found:
        raise InvalidRequest(f"{folder} has no files: name the folder that holds the model's")
    return dict(sorted(found.items()))


def _refuse(fault: OSError) -> None:
    raise InvalidRequest(f"{fault.filename} cannot be read: {fault.strerror}")


def _read_parts(source: Path, part_bytes: int) -> Iterator[bytes]:
    """A file in parts, none of them empty; it must not be changed meanwhile."""
    before = _read_facts(source)
    try:
        with source.open("rb") as file:
            while content := file.read(part_bytes):
                yield content
    except OSError as fault:
        raise InvalidRequest(f"{source} cannot be read: {fault.strerror}") from None
    if _read_facts(source) != before:
        raise InvalidRequest(f"{source} was changed while it was pushed: push again once it is as it should be")


def _read_facts(source: Path) -> tuple[int, int]:
    """A file's size and when it was changed last."""
    try:
        facts = source.stat()
    except OSError as fault:
        raise InvalidRequest(f"{source} cannot be read: {fault.strerror}") from None
    return facts.st_size, facts.st_mtime_ns

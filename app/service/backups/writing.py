"""A copy of the store goes to where backups are kept: part by part, to several places at once, the manifest last."""

import gzip
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

from app.domain.backups import CopyFacts, Show
from app.errors import MemoryServiceError, StoreError
from app.ports import Clock
from app.service.backups.manifest import Embedding, Manifest, Part, dump_manifest, name_manifest, name_part
from app.service.backups.places import BackupPlace

PART_BYTES = 33_554_432
"""32 MiB, as weights have: what is in RAM at once."""
LEVEL = 4
"""Of gzip. Vectors, most of a store, hardly shrink at any level, and texts at this one by as much as at 6 within some
percent (ours)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """A copy in the scratch folder: when it was begun, what it holds, its bytes."""

    path: Path
    began_ms: int
    facts: CopyFacts


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """A backup, and why places did not get it, by their names."""

    manifest: Manifest
    failures: dict[str, str]


def take(
    copy: Callable[[Path, Show], None], examine: Callable[[Path], CopyFacts], clock: Clock, scratch: Path, show: Show
) -> Taken:
    """Copy the store into a scratch folder and examine the copy. Raises a `StoreError`."""
    began_ms, path = clock.now_ms(), scratch / "store.db"
    copy(path, show)
    return Taken(path=path, began_ms=began_ms, facts=examine(path))


def send(
    taken: Taken,
    places: Sequence[BackupPlace],
    *,
    service_version: str,
    backend: str,
    show: Show,
    part_bytes: int = PART_BYTES,
) -> Sent:
    """Keep a copy in each place; one that fails does not keep the others from it.

    Raises `StoreError` where no place got it. What a place that failed got is removed, where that is allowed.
    """
    moment = datetime.fromtimestamp(taken.began_ms / 1000, UTC)
    backup_id = f"{moment:%Y%m%dt%H%M%Sz}-{token_hex(4)}"
    total, done, digest = taken.path.stat().st_size, 0, sha256()
    parts: list[Part] = []
    failures: dict[str, str] = {}
    for content in _read(taken.path, min(part_bytes, *(place.objects.most_bytes for place in places))):
        digest.update(content)
        stored = gzip.compress(content, compresslevel=LEVEL, mtime=0)
        parts.append(Part(bytes=len(content), stored_bytes=len(stored), sha256=sha256(stored).hexdigest()))
        _keep(places, failures, backup_id, name_part(backup_id, len(parts)), stored)
        done += len(content)
        show(done, total)
    made_with = taken.facts.embedding
    manifest = Manifest(
        id=backup_id,
        made_ms=taken.began_ms,
        service_version=service_version,
        backend=backend,
        schema_version=taken.facts.schema_version,
        node_id=taken.facts.node_id,
        embedding=None if made_with is None else Embedding(**asdict(made_with)),
        counts=dict(taken.facts.counts),
        bytes=done,
        sha256=digest.hexdigest(),
        parts=tuple(parts),
    )
    _keep(places, failures, backup_id, name_manifest(backup_id), dump_manifest(manifest))
    return Sent(manifest=manifest, failures=failures)


def _keep(places: Sequence[BackupPlace], failures: dict[str, str], backup_id: str, name: str, content: bytes) -> None:
    """Put an object into every place that has not failed."""
    for place in places:
        if place.name in failures:
            continue
        try:
            place.objects.put(name, content)
        except MemoryServiceError as error:
            failures[place.name] = error.message
            _forget(place, backup_id, name)
    if len(failures) == len(places):
        raise StoreError("; ".join(f"no backup was made in {place}: {reason}" for place, reason in failures.items()))


def _forget(place: BackupPlace, backup_id: str, last: str) -> None:
    """Remove what a place got of a backup that is not finished; who may only write leaves it."""
    with suppress(MemoryServiceError):
        number = 1
        while place.objects.delete(name_part(backup_id, number)) and name_part(backup_id, number) != last:
            number += 1


def _read(path: Path, part_bytes: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while content := file.read(part_bytes):
            yield content

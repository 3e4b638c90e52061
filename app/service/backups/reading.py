"""A backup is read back: every part against its SHA-256, the file against its own, the copy against the manifest."""

import errno
import os
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from app.domain.backups import CopyFacts, Show
from app.errors import NotFound, StoreCorrupt, StoreError, StoreFull
from app.service.backups.manifest import Manifest, Part, name_part
from app.service.backups.places import BackupPlace

_GZIP = 31
"""zlib's number for its largest window in the frame of gzip."""
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def fetch(
    place: BackupPlace, manifest: Manifest, examine: Callable[[Path], CopyFacts], scratch: Path, show: Show
) -> Path:
    """The file of a backup in a scratch folder, verified. Raises `StoreCorrupt`, or another `StoreError`."""
    path, findings = _write(place, manifest, examine, scratch, show)
    if findings:
        raise StoreCorrupt(f"backup {manifest.id} in {place.name} is damaged: {findings[0]}")
    return path


def check(
    place: BackupPlace, manifest: Manifest, examine: Callable[[Path], CopyFacts], scratch: Path, show: Show
) -> tuple[str, ...]:
    """What is wrong with a backup, in a sentence each; nothing where it can be restored. Raises a `StoreError`."""
    path, findings = _write(place, manifest, examine, scratch, show)
    path.unlink(missing_ok=True)
    return tuple(findings)


def _write(
    place: BackupPlace, manifest: Manifest, examine: Callable[[Path], CopyFacts], scratch: Path, show: Show
) -> tuple[Path, list[str]]:
    path, digest, findings, done = scratch / "restored.db", sha256(), [], 0
    try:
        with path.open("wb") as file:
            for number, part in enumerate(manifest.parts, start=1):
                content = _read_part(place, manifest.id, number, part)
                if isinstance(content, str):
                    findings.append(content)
                    continue
                digest.update(content)
                file.write(content)
                done += part.bytes
                show(done, manifest.bytes)
            file.flush()
            os.fsync(file.fileno())
    except OSError as fault:
        if fault.errno in _NO_SPACE:
            raise StoreFull(
                f"backup {manifest.id} takes {manifest.bytes:,} bytes in {scratch}, which is full: free some space, "
                "then repeat"
            ) from fault
        raise StoreError(f"{scratch} cannot be written ({fault.strerror}): check the disk") from fault
    if not findings and (digest.hexdigest(), done) != (manifest.sha256, manifest.bytes):
        findings.append("its parts together are another file than the one that was copied")
    if not findings:
        try:
            if examine(path) != manifest.facts:
                findings.append("its copy holds something else than its manifest says")
        except StoreCorrupt as error:
            findings.append(error.message)
    return path, findings


def _read_part(place: BackupPlace, backup_id: str, number: int, part: Part) -> bytes | str:
    """The content of a part, or what is wrong with it."""
    name = name_part(backup_id, number)
    try:
        stored = place.objects.read(name, limit=part.stored_bytes + 1)
    except NotFound:
        return f"part {name} is missing"
    if len(stored) != part.stored_bytes or sha256(stored).hexdigest() != part.sha256:
        return f"part {name} is damaged"
    opened = zlib.decompressobj(_GZIP).decompress(stored, part.bytes + 1)
    return opened if len(opened) == part.bytes else f"part {name} has another length than its manifest says"

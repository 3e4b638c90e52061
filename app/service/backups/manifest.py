"""What a backup consists of. It is written last: a backup without it is none."""

import json
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.domain.backups import CopyFacts
from app.domain.embedding import EmbeddingIdentity
from app.domain.objects import BACKUP_ID, name_backup
from app.errors import NotFound, StoreCorrupt
from app.service.backups.places import BackupPlace

MOST_MANIFEST_BYTES = 16_777_216
"""A part takes some 150 bytes, so this is enough for 3 TB in parts of 32 MiB."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, Field(ge=0, lt=2**63)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Part(_Record):
    """A piece of the file, compressed by itself: bytes before and after, and the SHA-256 of what is stored."""

    bytes: Size
    stored_bytes: Size
    sha256: Sha256


class Embedding(_Record):
    """What the vectors were made with."""

    model: str
    dimensions: Annotated[int, Field(gt=0)]
    normalised: bool


class Manifest(_Record):
    """A backup: whose copy it is, when it was taken, what the copy holds, and the parts of its file in their order.

    `made_ms` is the moment before the copy was begun: what was acknowledged by then is in it.
    """

    format: Literal[1] = 1
    id: Annotated[str, Field(pattern=f"^{BACKUP_ID.pattern}$")]
    made_ms: Size
    service_version: str
    backend: str
    schema_version: Size
    node_id: str
    embedding: Embedding | None
    counts: dict[str, Size]
    bytes: Size
    sha256: Sha256
    parts: tuple[Part, ...]

    @property
    def stored_bytes(self) -> int:
        """Bytes of all parts."""
        return sum(part.stored_bytes for part in self.parts)

    @property
    def memories(self) -> int:
        """Rows of memories, tombstones and earlier revisions too."""
        return self.counts.get("chunks_default", 0)

    @property
    def facts(self) -> CopyFacts:
        """What the copy must say of itself."""
        made_with = self.embedding
        return CopyFacts(
            schema_version=self.schema_version,
            node_id=self.node_id,
            embedding=None if made_with is None else EmbeddingIdentity(**made_with.model_dump()),
            counts=self.counts,
        )


def name_part(backup_id: str, number: int) -> str:
    """The object of a part, counted from 1."""
    return f"{name_backup(backup_id)}store-{number:06d}"


def name_manifest(backup_id: str) -> str:
    """The object that says what a backup consists of."""
    return f"{name_backup(backup_id)}manifest"


def dump_manifest(manifest: Manifest) -> bytes:
    """The manifest as it is stored, with the SHA-256 of what it says."""
    said = manifest.model_dump()
    return json.dumps({"backup": said, "sha256": _digest(said)}, indent=1).encode()


def read_manifest(place: BackupPlace, backup_id: str) -> Manifest:
    """What a backup consists of. Raises `NotFound` where there is no whole one, or `StoreCorrupt`."""
    name = name_manifest(backup_id)
    try:
        content = place.objects.read(name, limit=min(MOST_MANIFEST_BYTES, place.objects.size(name)))
    except NotFound:
        raise NotFound(
            f"there is no whole backup {backup_id} in {place.name}: `reme backup --list` shows what is there"
        ) from None
    try:
        document = json.loads(content)
        manifest = Manifest.model_validate(document["backup"])
        is_sound = document["sha256"] == _digest(document["backup"]) and manifest.id == backup_id
    except (ValueError, KeyError, TypeError, ValidationError):
        is_sound = False
    if not is_sound:
        raise StoreCorrupt(f"the manifest of backup {backup_id} in {place.name} is damaged: use another backup")
    return manifest


def _digest(said: object) -> str:
    return sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

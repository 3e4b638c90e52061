"""Where backups are kept."""

from dataclasses import dataclass

from app.ports import ObjectStore


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupPlace:
    """A folder or a bucket and what it is called, without secrets."""

    name: str
    objects: ObjectStore

"""The backups that a place keeps: which there are, which is the newest, and which have had their time."""

from dataclasses import dataclass
from itertools import groupby

from app.domain.objects import ObjectKind, name_backup
from app.errors import NotFound, StoreError
from app.ports import Clock
from app.service.backups.manifest import Manifest, name_manifest, read_manifest
from app.service.backups.places import BackupPlace

GRACE_MS = 86_400_000
"""Parts without a manifest may belong to a backup under way; after a day they count as left over."""

UNFINISHED = "not finished"


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What a place has of a backup. Without a manifest it is none: `problem` says why."""

    id: str
    stored_bytes: int
    newest_ms: int
    manifest: Manifest | None
    problem: str


def list_backups(place: BackupPlace) -> tuple[Kept, ...]:
    """What is there, the newest first."""
    objects = sorted(place.objects.list(f"{ObjectKind.BACKUPS}/"), key=lambda each: each.name.split("/"))
    found = []
    for backup_id, group in groupby(objects, key=lambda each: each.name.split("/")[1]):
        parts = list(group)
        manifest, problem = _find(place, backup_id)
        found.append(
            Kept(
                id=backup_id,
                stored_bytes=sum(each.bytes for each in parts),
                newest_ms=max(each.modified_ms for each in parts),
                manifest=manifest,
                problem=problem,
            )
        )
    return tuple(
        sorted(found, key=lambda each: each.manifest.made_ms if each.manifest else each.newest_ms, reverse=True)
    )


def _find(place: BackupPlace, backup_id: str) -> tuple[Manifest | None, str]:
    try:
        return read_manifest(place, backup_id), ""
    except NotFound:
        return None, UNFINISHED
    except StoreError as error:  # damaged, or in a class of storage that is not read at once
        return None, error.message


def find_backup(place: BackupPlace, backup_id: str | None) -> Manifest:
    """A backup, or the newest whole one. Raises `NotFound` where there is none, `StoreCorrupt` for a damaged one."""
    if backup_id is not None:
        name_backup(backup_id)  # refuses what is no id
        return read_manifest(place, backup_id)
    whole = [each.manifest for each in list_backups(place) if each.manifest is not None]
    if not whole:
        raise NotFound(f"there is no whole backup in {place.name}: `reme backup --list` shows what is there")
    return whole[0]


def prune(place: BackupPlace, *, keep: int, clock: Clock) -> tuple[str, ...]:
    """Remove all whole backups but the newest `keep`, and what interrupted ones left a day ago; returns their ids."""
    found = list_backups(place)
    old = [each for each in found if each.manifest is not None][keep:]
    left = [each for each in found if each.problem == UNFINISHED and each.newest_ms < clock.now_ms() - GRACE_MS]
    for each in (*old, *left):
        # Without its manifest a backup is none, so that nobody begins to restore what is half gone.
        place.objects.delete(name_manifest(each.id))
        for kept in tuple(place.objects.list(name_backup(each.id))):
            place.objects.delete(kept.name)
    return tuple(each.id for each in (*old, *left))

"""Backups of a whole store: taken while it is used, kept in folders and buckets, verified, and restored."""

from app.service.backups.catalogue import Kept, find_backup, list_backups, prune
from app.service.backups.loading import copy_all, load
from app.service.backups.manifest import Manifest
from app.service.backups.places import BackupPlace
from app.service.backups.reading import check, fetch
from app.service.backups.scratch import hold_scratch
from app.service.backups.writing import Sent, Taken, send, take

__all__ = [
    "BackupPlace",
    "Kept",
    "Manifest",
    "Sent",
    "Taken",
    "check",
    "copy_all",
    "fetch",
    "find_backup",
    "hold_scratch",
    "list_backups",
    "load",
    "prune",
    "send",
    "take",
]

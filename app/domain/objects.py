"""Names in an object store: what kinds of objects it keeps, and where each stands.

A workspace's texts have the folder of its hash, as they have always had; other kinds have a folder of their kind.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from app.domain.memory import Scope
from app.domain.working import hash_ids, name_folder
from app.errors import InvalidRequest

_HASH = r"[0-9a-f]{32}"
_SUFFIX = r"(?:\.[a-z0-9-]{1,64})?"
"""Tells versions and archives apart, and what an interrupted write left."""
_WEIGHTS = r"[a-z0-9][a-z0-9._-]{0,63}"
WEIGHTS_NAME = re.compile(_WEIGHTS)
"""Small letters alone: two names must not be one file on a disk that does not tell capitals apart."""
_BACKUP = r"[0-9]{8}t[0-9]{6}z-[0-9a-f]{8}"
BACKUP_ID = re.compile(_BACKUP)
"""The moment in UTC, so that ids sort by age, and something that tells apart what is made in one second."""


class ObjectKind(StrEnum):
    """Texts of working memory, users' profiles, weights of models, and backups of the store."""

    WORKING = "working"
    PROFILES = "profiles"
    WEIGHTS = "weights"
    BACKUPS = "backups"


_NAMES = {
    ObjectKind.WORKING: re.compile(rf"{_HASH}/{_HASH}{_SUFFIX}"),
    ObjectKind.PROFILES: re.compile(rf"profiles/{_HASH}/{_HASH}{_SUFFIX}"),
    ObjectKind.WEIGHTS: re.compile(rf"weights/{_WEIGHTS}/(?:[0-9a-f]{{64}}|manifest){_SUFFIX}"),
    ObjectKind.BACKUPS: re.compile(rf"backups/{_BACKUP}/(?:[a-z]+-[0-9]{{6}}|manifest){_SUFFIX}"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredObject:
    """What an object store lists."""

    name: str
    bytes: int
    modified_ms: int


def tell_kind(name: str) -> ObjectKind | None:
    """The kind of an object by its name; None for a name that is none of this service's."""
    return next((kind for kind, pattern in _NAMES.items() if pattern.fullmatch(name)), None)


def is_object_name(name: str) -> bool:
    """Whether a name is one that this service gives."""
    return tell_kind(name) is not None


def check_object_name(name: str) -> str:
    """Return the name of an object, or raise `InvalidRequest` for one that could lead anywhere else."""
    if not is_object_name(name):
        raise InvalidRequest(
            f"object name {name[:80]!r} is not allowed: it is 32 hex digits, a slash and 32 more, or begins with "
            "profiles/, weights/ or backups/"
        )
    return name


def name_profiles(scope: Scope, user_id: str = "") -> str:
    """The folder of the profiles of a workspace, with its slash, or what the names of one user's begin with."""
    user = f"{hash_ids(scope.tenant_id, scope.workspace_id, user_id)}." if user_id else ""
    return f"{ObjectKind.PROFILES}/{name_folder(scope)}{user}"


def name_weights(name: str) -> str:
    """The folder of a model's weights, with its slash, or `InvalidRequest` for a name that no weights may have."""
    if not WEIGHTS_NAME.fullmatch(name):
        raise InvalidRequest(
            f"{name[:80]!r} is no name for weights: start with a small letter or a digit, then at most 63 of "
            "a-z 0-9 . _ -"
        )
    return f"{ObjectKind.WEIGHTS}/{name}/"


def name_backup(backup_id: str) -> str:
    """The folder of a backup, with its slash, or `InvalidRequest` for what is no backup's id."""
    if not BACKUP_ID.fullmatch(backup_id):
        raise InvalidRequest(
            f"{backup_id[:80]!r} is no backup's id: one is such as 20261123t020000z-1f2e3d4c, and `reme backup --list` "
            "shows them"
        )
    return f"{ObjectKind.BACKUPS}/{backup_id}/"

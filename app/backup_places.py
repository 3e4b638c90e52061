"""Backups over the configured backends: where they are kept, how the store is copied, and how a copy becomes a store.

Part of the composition root. Nothing is embedded here, so that neither weights nor a provider's key is needed.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.assembly import open_objects
from app.backends import sqlite
from app.backends.clock import SystemClock
from app.backends.embedders.hashing import HashingEmbedder
from app.backends.objects.local import LocalObjectStore
from app.backends.sqlite.copy_files import examine_copy, is_free, put_in_place, save_copy
from app.domain.backups import Show
from app.errors import AlreadyExists, SettingsError
from app.service.backups import BackupPlace, Taken, copy_all, load, prune, take
from app.service.migration import Place
from app.settings import Settings, StorageSettings

BUCKETS = ("s3", "oss")
PART_LIMIT_BYTES = 104_857_600
"""An object of a backup is a part of 32 MiB, whatever `storage.max_file_bytes` says of texts."""
_CLOCK = SystemClock()

__all__ = ["check_target", "examine_copy", "open_place", "open_places", "prune_place", "restore_store", "take_copy"]


@contextmanager
def open_places(settings: Settings, targets: tuple[str, ...]) -> Iterator[tuple[BackupPlace, ...]]:
    """The folders and buckets that backups are kept in. Raises `SettingsError` for one that cannot be used."""
    with ExitStack() as closing_all:
        yield tuple(closing_all.enter_context(open_place(settings, target)) for target in targets)


@contextmanager
def open_place(settings: Settings, target: str) -> Iterator[BackupPlace]:
    """A folder, or a bucket: "s3://BUCKET/PREFIX", "oss://BUCKET/PREFIX".

    For a bucket region, endpoint, keys and encryption are those of the settings `storage.*`, whatever is kept there.
    """
    scheme, _, rest = target.partition("://")
    if not rest:
        yield BackupPlace(name=target, objects=LocalObjectStore(Path(target), most_bytes=PART_LIMIT_BYTES))
        return
    if scheme not in BUCKETS or urlsplit(target).query:
        raise SettingsError(f"{target!r} is no place for backups: name a folder, s3://BUCKET/PREFIX or oss://…")
    bucket, _, prefix = rest.partition("/")
    wanted = {"type": scheme, "bucket": bucket, "prefix": prefix, "storage_class": ""}
    try:
        storage = StorageSettings.model_validate({**settings.storage.model_dump(), **wanted})
    except ValueError as fault:
        raise SettingsError(
            f"{target!r} is no place for backups: check the bucket's name and storage.region"
        ) from fault
    storage = storage.model_copy(update={"max_file_bytes": PART_LIMIT_BYTES})
    objects: Any = open_objects(settings.model_copy(update={"storage": storage}), _CLOCK)
    try:
        yield BackupPlace(name=target, objects=objects)
    finally:
        close = getattr(objects, "close", None)
        if close is not None:
            close()


# -- from the store to a file


def take_copy(settings: Settings, scratch: Path, show: Show) -> Taken:
    """A copy of the configured store in a scratch folder, examined. Raises a `StoreError`."""
    return take(partial(_copy_store, settings), examine_copy, _CLOCK, scratch, show)


def prune_place(place: BackupPlace, *, keep: int) -> tuple[str, ...]:
    """Remove backups that have had their time, as `catalogue.prune` says; returns their ids."""
    return prune(place, keep=keep, clock=_CLOCK)


def _copy_store(settings: Settings, path: Path, show: Show) -> None:
    """Write the configured store as it stands at one moment to a new file. Raises a `StoreError`."""
    if settings.store.backend == "sqlite":
        save_copy(settings.store_path, path, show=show)
        return
    from app.servers import open_postgres_snapshot  # noqa: PLC0415 - takes 0.2 s, and few need it

    neutral = HashingEmbedder().identity
    with closing(open_postgres_snapshot(settings, neutral, _CLOCK)) as snapshot:
        identity = snapshot.spaces.identity() or neutral
        with closing(sqlite.open_store(path, identity=identity, clock=_CLOCK, synchronous="NORMAL")) as copy:
            copy_all(Place(name="the store", storage=snapshot), Place(name="the copy", storage=copy), show=show)


# -- from a file to the store


def check_target(settings: Settings, *, replaces: bool) -> None:
    """Raise `AlreadyExists` where a restore would be refused in the end, before anything is fetched.

    Raises `SettingsError` for a store that forgets what it gets, or that cannot be replaced.
    """
    if settings.store.backend == "memory":
        raise SettingsError("store.backend=memory keeps nothing: use sqlite or postgres")
    if settings.store.backend == "postgres":
        if replaces:
            raise SettingsError("--replace is for a store in a file: make an empty database, and restore into it")
    elif not replaces and not is_free(settings.store_path):
        raise AlreadyExists(
            f"the store at {settings.store_path} holds something: restore to an empty folder, or use --replace, which "
            "keeps the present store under another name"
        )


def restore_store(settings: Settings, copy: Path, show: Show, *, replaces: bool) -> tuple[Path | None, tuple[str, ...]]:
    """Make a verified copy the configured store, or fill an empty database from it.

    Returns where the former store is now, if there was one, and what differs at the end, which is nothing for a file.
    Raises `AlreadyExists` for a store that holds something, `StoreBusy` while the service uses it, or a `StoreError`.
    """
    if settings.store.backend == "sqlite":
        return put_in_place(copy, settings.store_path, replaces=replaces), ()
    from app.servers import open_postgres  # noqa: PLC0415 - takes 0.2 s, and few need it

    identity = examine_copy(copy).embedding or HashingEmbedder().identity
    with (
        closing(sqlite.open_store(copy, identity=identity, clock=_CLOCK, synchronous="NORMAL")) as source,
        closing(open_postgres(settings, identity, _CLOCK)) as target,
    ):
        findings = load(Place(name="the backup", storage=source), Place(name="the database", storage=target), show=show)
    return None, findings

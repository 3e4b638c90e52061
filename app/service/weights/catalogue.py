"""The weights that an object store keeps, by their names."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from app.domain.objects import ObjectKind, name_weights
from app.errors import AlreadyExists, NotFound
from app.ports import Clock, ObjectStore
from app.service.weights.manifest import Manifest, find_manifest, name_manifest, read_manifest
from app.service.weights.pulling import pull
from app.service.weights.pushing import PART_BYTES, Pushed, push

Progress = Callable[[int, int], None]
"""Told the bytes that are done, and those in all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What the store has under a name; without a manifest a push of it was interrupted, or the manifest is damaged."""

    name: str
    stored_bytes: int
    manifest: Manifest | None


class Weights:
    """Pushes, lists, pulls and deletes weights. Several processes may do so at once."""

    def __init__(self, *, objects: ObjectStore, clock: Clock, part_bytes: int = PART_BYTES) -> None:
        self._objects = objects
        self._clock = clock
        self._part_bytes = part_bytes

    def push(self, folder: Path, name: str, *, progress: Progress = lambda _, __: None) -> Pushed:
        """Keep a folder as the weights of a name, as `pushing.push` says."""
        return push(self._objects, self._clock, folder, name, progress=progress, part_bytes=self._part_bytes)

    def pull(self, name: str, folder: Path, *, progress: Progress = lambda _, __: None) -> Manifest:
        """Write weights to a folder that is not there or empty, whole or not at all, as `pulling.pull` says."""
        manifest = read_manifest(self._objects, name)
        pull(self._objects, name, manifest, folder, progress=progress)
        return manifest

    def open(self, name: str, cache: Path) -> tuple[Path, Manifest]:
        """The folder of a cache that holds the weights of a name; they are pulled if they are not there.

        Other weights pushed under the name have another folder. Raises as `pull` does.
        """
        manifest = read_manifest(self._objects, name)
        folder = cache / f"{name}-{manifest.digest[:16]}"
        if not folder.exists():
            with suppress(AlreadyExists):  # another process was faster, and a folder of this name is whole
                pull(self._objects, name, manifest, folder)
        return folder, manifest

    def list(self) -> tuple[Kept, ...]:
        """What is there, in the order of the names."""
        objects = sorted(self._objects.list(f"{ObjectKind.WEIGHTS}/"), key=lambda each: each.name.split("/"))
        return tuple(
            Kept(
                name=name,
                stored_bytes=sum(each.bytes for each in group),
                manifest=find_manifest(self._objects, name),
            )
            for name, group in groupby(objects, key=lambda each: each.name.split("/")[1])
        )

    def delete(self, name: str) -> int:
        """Remove weights, or what an interrupted push left of them; returns how many bytes. Raises `NotFound`."""
        # Without the manifest nobody begins to pull what is half gone.
        removed = sorted(self._objects.list(name_weights(name)), key=lambda each: each.name != name_manifest(name))
        if not removed:
            raise NotFound(
                f"there are no weights {name!r} in the object store: `reme weights list` shows what is there"
            )
        for each in removed:
            self._objects.delete(each.name)
        return sum(each.bytes for each in removed)

"""What a model's weights consist of: files in parts, each with its SHA-256. It is written last, so that all count."""

from hashlib import sha256
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.domain.objects import name_weights
from app.errors import NotFound, StoreCorrupt
from app.ports import ObjectStore

PATH_CHARACTERS = 1_024
_FORBIDDEN = frozenset("\\\0")


def check_path(path: str) -> str:
    """Return a file's path below its folder, with slashes, or raise `ValueError` for one that leads out of it."""
    whole = PurePosixPath(path)
    if (
        whole.is_absolute()
        or ".." in whole.parts
        or str(whole) != path
        or path == "."
        or _FORBIDDEN & set(path)
        or len(path) > PATH_CHARACTERS
    ):
        raise ValueError(f"must be a path below the folder of at most {PATH_CHARACTERS:,} characters")
    return path


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, Field(ge=0, lt=2**63)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PushedPart(_Record):
    """A part of a file: the object of its hash."""

    sha256: Sha256
    bytes: Size


class PushedFile(_Record):
    """A file, whole and in parts."""

    path: Annotated[str, AfterValidator(check_path)]
    sha256: Sha256
    bytes: Size
    parts: tuple[PushedPart, ...]


class Manifest(_Record):
    """The files of a model's weights, in the order of their paths, and when they were pushed."""

    files: tuple[PushedFile, ...]
    pushed_ms: int

    @model_validator(mode="after")
    def _check_files(self) -> "Manifest":
        paths = [file.path for file in self.files]
        if not paths or len(set(paths)) < len(paths):
            raise ValueError("must have files, each path once")
        if any(file.bytes != sum(part.bytes for part in file.parts) for file in self.files):
            raise ValueError("must have files as long as their parts")
        return self

    @property
    def bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.bytes for file in self.files)

    @property
    def digest(self) -> str:
        """The SHA-256 of paths and contents; the same files have the same one however they were pushed."""
        return sha256("".join(f"{file.sha256} {file.path}\n" for file in self.files).encode()).hexdigest()

    def name_parts(self, name: str) -> frozenset[str]:
        """The objects that weights of a name need beside the manifest."""
        folder = name_weights(name)
        return frozenset(folder + part.sha256 for file in self.files for part in file.parts)


def name_manifest(name: str) -> str:
    """The object that says what weights of a name consist of."""
    return f"{name_weights(name)}manifest"


def read_manifest(objects: ObjectStore, name: str) -> Manifest:
    """What weights of a name consist of. Raises `NotFound`, `InvalidRequest` for the name, or `StoreCorrupt`."""
    place = name_manifest(name)
    try:
        content = objects.read(place, limit=objects.size(place))
    except NotFound:
        raise NotFound(
            f"there are no weights {name!r} in the object store: `reme weights list` shows what is there, "
            "`reme weights push` brings them"
        ) from None
    try:
        return Manifest.model_validate_json(content)
    except ValidationError:
        raise StoreCorrupt(f"the list of the files of weights {name!r} does not read: push them again") from None


def find_manifest(objects: ObjectStore, name: str) -> Manifest | None:
    """What weights of a name consist of; None where they were never pushed whole, or the list does not read."""
    try:
        return read_manifest(objects, name)
    except (NotFound, StoreCorrupt):
        return None

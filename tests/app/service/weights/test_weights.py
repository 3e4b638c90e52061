"""Weights in an object store: pushed in parts, resumed, pulled whole or not at all."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.backends.clock import SteppingClock
from app.backends.objects import LocalObjectStore, RamObjectStore
from app.domain.objects import StoredObject
from app.errors import AlreadyExists, InvalidRequest, NotFound, StoreCorrupt, StoreFull, StoreUnavailable
from app.ports import ObjectStore
from app.service.weights import Manifest, Weights
from app.service.weights.manifest import name_manifest

PART = 1_000
FILES = {
    "config.json": b'{"hidden_size": 16}',
    "model.safetensors": bytes(range(256)) * 14,
    "empty.txt": b"",
    "1_Pooling/config.json": b"{}",
}
"""The second has 3,584 bytes: four parts, the last one shorter."""


class Failing:
    """An object store that does not answer after so many puts or reads, and notes the names of the objects put."""

    def __init__(self, objects: ObjectStore) -> None:
        self.objects = objects
        self.most_bytes = objects.most_bytes
        self.puts_left = self.reads_left = 1_000
        self.put_names: list[str] = []

    def put(self, name: str, content: bytes) -> None:
        self.puts_left -= 1
        if self.puts_left < 0:
            raise StoreUnavailable
        self.objects.put(name, content)
        self.put_names.append(name)

    def read(self, name: str, *, offset: int = 0, limit: int | None = None) -> bytes:
        self.reads_left -= 1
        if self.reads_left < 0:
            raise StoreUnavailable
        return self.objects.read(name, offset=offset, limit=limit)

    def __getattr__(self, name: str) -> object:
        return getattr(self.objects, name)


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


@pytest.fixture(params=["in RAM", "in files"])
def store(request: pytest.FixtureRequest, clock: SteppingClock, tmp_path: Path) -> Failing:
    return Failing(RamObjectStore(clock=clock) if request.param == "in RAM" else LocalObjectStore(tmp_path / "objects"))


@pytest.fixture
def weights(store: Failing, clock: SteppingClock) -> Weights:
    return Weights(objects=store, clock=clock, part_bytes=PART)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "model"
    for name, content in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    return place


def read(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def stored(store: Failing) -> list[StoredObject]:
    return list(store.objects.list())


def test_what_was_pushed_is_pulled(weights: Weights, store: Failing, folder: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    pushed = weights.push(folder, "tiny", progress=lambda done, total: seen.append((done, total)))
    size = sum(map(len, FILES.values()))
    assert (pushed.sent, pushed.there, pushed.manifest.bytes, seen[-1]) == (6, 0, size, (size, size))
    assert max(each.bytes for each in stored(store) if "manifest" not in each.name) == PART
    seen.clear()
    manifest = weights.pull("tiny", tmp_path / "new" / "place", progress=lambda *step: seen.append(step))
    assert (read(tmp_path / "new" / "place"), manifest, seen[-1]) == (FILES, pushed.manifest, (size, size))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["place"]
    (kept,) = weights.list()
    assert (kept.name, kept.manifest) == ("tiny", manifest)


def test_no_part_is_larger_than_the_store_takes(clock: SteppingClock, folder: Path, tmp_path: Path) -> None:
    weights = Weights(objects=RamObjectStore(clock=clock, most_bytes=2_000), clock=clock)
    assert weights.push(folder, "tiny").sent == 4
    weights.pull("tiny", tmp_path / "pulled")
    assert read(tmp_path / "pulled") == FILES


@pytest.mark.parametrize("puts", range(7))
def test_an_interrupted_push_goes_on_and_counts_only_at_its_end(
    weights: Weights, store: Failing, folder: Path, tmp_path: Path, puts: int
) -> None:
    store.puts_left = puts
    with pytest.raises(StoreUnavailable):
        weights.push(folder, "tiny")
    with pytest.raises(NotFound, match="reme weights push"):
        weights.pull("tiny", tmp_path / "pulled")
    assert [each.manifest for each in weights.list()] == [None] * bool(puts)
    store.puts_left = 1_000
    pushed = weights.push(folder, "tiny")
    assert (pushed.sent, pushed.there) == (6 - puts, puts)
    assert len(store.put_names) == len(set(store.put_names)), "nothing was sent twice"
    weights.pull("tiny", tmp_path / "pulled")
    assert read(tmp_path / "pulled") == FILES


def test_an_interrupted_push_leaves_the_former_weights(
    weights: Weights, store: Failing, folder: Path, tmp_path: Path
) -> None:
    weights.push(folder, "tiny")
    (folder / "model.safetensors").write_bytes(b"new" * 1_000)
    store.puts_left = 2
    with pytest.raises(StoreUnavailable):
        weights.push(folder, "tiny")
    weights.pull("tiny", tmp_path / "pulled")
    assert read(tmp_path / "pulled") == FILES


def test_new_weights_take_the_place_of_old_ones(weights: Weights, store: Failing, folder: Path, tmp_path: Path) -> None:
    old = weights.push(folder, "tiny").manifest
    (folder / "model.safetensors").write_bytes(b"new" * 1_000)
    new = weights.push(folder, "tiny").manifest
    assert old.digest != new.digest
    assert {each.name for each in stored(store)} == {name_manifest("tiny"), *new.name_parts("tiny")}
    weights.pull("tiny", tmp_path / "pulled")
    assert read(tmp_path / "pulled")["model.safetensors"] == b"new" * 1_000


def find_part(store: Failing, manifest: Manifest) -> str:
    """The object of the second part of the large file."""
    (large,) = (file for file in manifest.files if file.path == "model.safetensors")
    return f"weights/tiny/{large.parts[1].sha256}"


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a flipped bit": lambda content: bytes([content[0] ^ 1]) + content[1:],
    "cut short": lambda content: content[:-1],
    "longer": lambda content: content + b"x",
}


@pytest.mark.parametrize("damage", [*DAMAGES, "missing"])
def test_a_damaged_part_is_told_not_used_and_mended_by_a_push(
    weights: Weights, store: Failing, folder: Path, tmp_path: Path, damage: str
) -> None:
    (folder / "model.safetensors").write_bytes(os.urandom(3_584))
    name = find_part(store, weights.push(folder, "tiny").manifest)
    if damage == "missing":
        store.objects.delete(name)
    else:
        store.objects.put(name, DAMAGES[damage](store.objects.read(name)))
    with pytest.raises(StoreCorrupt, match=r"part 2 of 4 of model\.safetensors of weights 'tiny'.*push them again"):
        weights.pull("tiny", tmp_path / "new" / "pulled")
    assert list((tmp_path / "new").iterdir()) == []
    mended = weights.push(folder, "tiny")
    assert (mended.sent, mended.there) == (1, 5)
    weights.pull("tiny", tmp_path / "new" / "pulled")
    assert read(tmp_path / "new" / "pulled") == read(folder)


@pytest.mark.parametrize("damage", [b"", b"{", b'{"files": [], "pushed_ms": 0}', b"\xff"])
def test_a_damaged_manifest_is_told(
    weights: Weights, store: Failing, folder: Path, tmp_path: Path, damage: bytes
) -> None:
    weights.push(folder, "tiny")
    store.objects.put(name_manifest("tiny"), damage)
    with pytest.raises(StoreCorrupt, match="push them again"):
        weights.pull("tiny", tmp_path / "pulled")
    assert [each.manifest for each in weights.list()] == [None]
    assert weights.push(folder, "tiny").sent == 0


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil", "", ".", "a//b", "a\\b", "a\x00b", "./a"])
def test_a_manifest_that_leads_out_of_the_folder_is_refused(
    weights: Weights, store: Failing, folder: Path, tmp_path: Path, path: str
) -> None:
    manifest = weights.push(folder, "tiny").manifest
    document = manifest.model_dump(mode="json")
    document["files"][0]["path"] = path
    store.objects.put(name_manifest("tiny"), json.dumps(document).encode())
    with pytest.raises(StoreCorrupt):
        weights.pull("tiny", tmp_path / "pulled")


@pytest.mark.parametrize("reads", [1, 3, 5])
def test_an_interrupted_pull_leaves_nothing(
    weights: Weights, store: Failing, folder: Path, tmp_path: Path, reads: int
) -> None:
    weights.push(folder, "tiny")
    store.reads_left = reads
    with pytest.raises(StoreUnavailable):
        weights.pull("tiny", tmp_path / "new" / "pulled")
    assert list((tmp_path / "new").iterdir()) == []


def test_what_a_killed_pull_left_is_never_used(weights: Weights, folder: Path, tmp_path: Path) -> None:
    manifest = weights.push(folder, "tiny").manifest
    cache = tmp_path / "cache"
    name = f"tiny-{manifest.digest[:16]}"
    fresh, old = cache / f".{name}.part-fresh", cache / f".{name}.part-old"
    for left in (fresh, old):
        left.mkdir(parents=True)
        (left / "config.json").write_bytes(b"half")
    os.utime(old, (0, 0))
    place, _ = weights.open("tiny", cache)
    assert (place, read(place)) == (cache / name, FILES)
    assert fresh.exists(), "it may belong to a pull under way"
    assert not old.exists()


def test_weights_are_pulled_once_and_new_ones_beside_them(
    weights: Weights, store: Failing, folder: Path, tmp_path: Path
) -> None:
    weights.push(folder, "tiny")
    first, _ = weights.open("tiny", tmp_path / "cache")
    store.reads_left = 1  # the manifest alone
    assert weights.open("tiny", tmp_path / "cache")[0] == first
    store.reads_left = 1_000
    (folder / "config.json").write_bytes(b"{}")
    weights.push(folder, "tiny")
    second, _ = weights.open("tiny", tmp_path / "cache")
    assert second != first
    assert (read(first), read(second)["config.json"]) == (FILES, b"{}")


def test_too_little_disk(weights: Weights, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights.push(folder, "tiny")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(StoreFull, match=r"take 3,605 bytes, 100 are free"):
        weights.pull("tiny", tmp_path / "new" / "pulled")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_pull_overwrites_nothing(weights: Weights, folder: Path, tmp_path: Path) -> None:
    weights.push(folder, "tiny")
    with pytest.raises(AlreadyExists):
        weights.pull("tiny", folder)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(AlreadyExists):
        weights.pull("tiny", tmp_path / "file")
    (tmp_path / "empty").mkdir()
    weights.pull("tiny", tmp_path / "empty")
    assert read(tmp_path / "empty") == FILES


def test_weights_are_deleted_with_what_was_left(weights: Weights, store: Failing, folder: Path) -> None:
    weights.push(folder, "tiny")
    weights.push(folder, "tiny-2")
    weights.delete("tiny")
    assert [each.name for each in weights.list()] == ["tiny-2"]
    store.puts_left = 3
    with pytest.raises(StoreUnavailable):
        weights.push(folder, "half")
    assert weights.delete("half") > 0
    assert weights.delete("tiny-2") > 0
    assert stored(store) == []
    with pytest.raises(NotFound):
        weights.delete("tiny")


@pytest.mark.parametrize("name", ["", "BGE", "a/b", "..", "-x", "x" * 65, "é"])
def test_names(weights: Weights, folder: Path, tmp_path: Path, name: str) -> None:
    for act in (
        lambda: weights.push(folder, name),
        lambda: weights.pull(name, tmp_path / "p"),
        lambda: weights.delete(name),
    ):
        with pytest.raises(InvalidRequest, match="no name for weights"):
            act()


def test_folders_that_cannot_be_pushed(weights: Weights, store: Failing, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (folder / "dangling").symlink_to("nowhere")
    other = tmp_path / "linked"
    other.mkdir()
    (other / "folder").symlink_to(folder, target_is_directory=True)
    for place in (tmp_path / "missing", tmp_path / "none", folder, other):
        with pytest.raises(InvalidRequest):
            weights.push(place, "tiny")
    assert stored(store) == []


def test_links_to_files_are_those_files(weights: Weights, folder: Path, tmp_path: Path) -> None:
    """As in the cache of the hub, where names are links to files by their hashes."""
    (folder / "config.json").rename(tmp_path / "blob")
    (folder / "config.json").symlink_to(tmp_path / "blob")
    weights.push(folder, "tiny")
    weights.pull("tiny", tmp_path / "pulled")
    assert read(tmp_path / "pulled") == FILES
    assert not (tmp_path / "pulled" / "config.json").is_symlink()

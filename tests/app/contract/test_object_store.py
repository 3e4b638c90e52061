"""The object store."""

import errno
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from app.backends.clock import SystemClock
from app.backends.objects import LocalObjectStore, RamObjectStore
from app.backends.objects.oss import OssObjectStore
from app.backends.objects.s3 import S3ObjectStore
from app.errors import AlreadyExists, InvalidRequest, NotFound, PayloadTooLarge, StoreFull
from app.ports import ObjectStore
from tests.app.objects.places import place_oss, place_s3
from tests.servers.oss import run_oss

MOST = 1_000
FOLDERS = ("a" * 32, "b" * 32)
NAMES = [f"{folder}/{digit * 32}" for folder in FOLDERS for digit in "12"]
PROFILE = f"profiles/{FOLDERS[0]}/{'1' * 32}.v000000000001"
WEIGHTS = [f"weights/{name}" for name in (f"bge-m3/{'0' * 64}", "bge-m3/manifest", f"bge-m3.old/{'f' * 64}")]
KINDRED = [*NAMES, PROFILE, *WEIGHTS]
"""One and more of each kind."""

KINDS = [
    "local",
    "ram",
    pytest.param("seaweed", marks=pytest.mark.xdist_group("seaweed")),
    pytest.param("ministack", marks=pytest.mark.xdist_group("ministack")),
    "oss",
]


@pytest.fixture(params=KINDS)
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    """An empty store: here, in S3 of two makes, and in a stand-in for OSS."""
    match request.param:
        case "local":
            yield LocalObjectStore(tmp_path / "storage" / "objects", most_bytes=MOST)
        case "ram":
            yield RamObjectStore(clock=SystemClock(), most_bytes=MOST)
        case "oss":
            with run_oss() as stand_in:
                stand_in.new_bucket("reme")
                yield OssObjectStore(place_oss(stand_in), most_bytes=MOST)
        case name:
            buckets = request.getfixturevalue(f"{name}_server")
            with closing(S3ObjectStore(place_s3(buckets, buckets.new_bucket()), most_bytes=MOST)) as store:
                yield store


@pytest.mark.parametrize("content", [b"", b"tea", "茶\x00\r\n".encode(), bytes(range(256)), b"x" * MOST])
def test_an_object_is_kept_byte_for_byte(objects: ObjectStore, content: bytes) -> None:
    objects.put(NAMES[0], content)
    assert objects.read(NAMES[0]) == content
    assert objects.size(NAMES[0]) == len(content)


def test_a_part_of_an_object_is_read(objects: ObjectStore) -> None:
    objects.put(NAMES[0], b"0123456789")
    assert objects.read(NAMES[0], offset=3, limit=4) == b"3456"
    assert objects.read(NAMES[0], offset=8, limit=4) == b"89"
    assert objects.read(NAMES[0], offset=10, limit=4) == b""
    assert objects.read(NAMES[0], offset=99) == b""
    assert objects.read(NAMES[0], limit=0) == b""


def test_an_object_is_replaced_whole(objects: ObjectStore) -> None:
    objects.put(NAMES[0], b"a long text")
    objects.put(NAMES[0], b"short")
    assert objects.read(NAMES[0]) == b"short"
    assert [each.name for each in objects.list()] == [NAMES[0]]


def test_what_is_not_there_is_not_found(objects: ObjectStore) -> None:
    for name in (NAMES[0], f"{NAMES[0]}.gz"):
        with pytest.raises(NotFound):
            objects.read(name)
        with pytest.raises(NotFound):
            objects.size(name)
        assert objects.delete(name) is False


def test_a_removed_object_is_gone(objects: ObjectStore) -> None:
    for name in NAMES:
        objects.put(name, b"tea")
    assert objects.delete(NAMES[0]) is True
    assert objects.delete(NAMES[0]) is False
    with pytest.raises(NotFound):
        objects.read(NAMES[0])
    assert [each.name for each in objects.list()] == NAMES[1:]


def test_objects_are_listed_in_order_by_prefix(objects: ObjectStore) -> None:
    names = sorted([*NAMES, f"{NAMES[1]}.gz"])
    for name in reversed(names):
        objects.put(name, name.encode())
    listed = list(objects.list())
    assert [each.name for each in listed] == names
    assert [each.bytes for each in listed] == [len(name) for name in names]
    assert all(abs(each.modified_ms - SystemClock().now_ms()) < 60_000 for each in listed)
    for prefix in (f"{FOLDERS[1]}/", FOLDERS[0], NAMES[1], "c"):
        assert [each.name for each in objects.list(prefix)] == [name for name in names if name.startswith(prefix)]


@pytest.mark.parametrize("name", [PROFILE, *WEIGHTS])
def test_each_kind_of_object_is_kept(objects: ObjectStore, name: str) -> None:
    objects.put(name, b"tea")
    assert (objects.read(name), objects.size(name)) == (b"tea", 3)
    assert [each.name for each in objects.list()] == [name]
    assert objects.delete(name) is True
    assert list(objects.list()) == []


def test_kinds_of_objects_are_listed_apart(objects: ObjectStore) -> None:
    for name in KINDRED:
        objects.put(name, b"tea")
    assert sorted(each.name for each in objects.list()) == sorted(KINDRED)
    for prefix in ("profiles/", "weights/", "weights/bge-m3/", "weights/bge", PROFILE[:-3], FOLDERS[0], "profiles"):
        expected = sorted(name for name in KINDRED if name.startswith(prefix))
        assert sorted(each.name for each in objects.list(prefix)) == expected


@pytest.mark.parametrize("name", [NAMES[0], PROFILE])
def test_only_one_of_many_makes_an_object(objects: ObjectStore, name: str) -> None:
    def create(number: int) -> bool:
        try:
            objects.create(name, b"%d" % number)
        except AlreadyExists:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(create, range(8)))
    assert made.count(True) == 1
    assert objects.read(name) == b"%d" % made.index(True)
    with pytest.raises(AlreadyExists):
        objects.create(name, b"late")
    assert [each.name for each in objects.list()] == [name]


def test_a_too_large_object_is_refused_and_nothing_kept(objects: ObjectStore) -> None:
    assert objects.most_bytes == MOST
    with pytest.raises(PayloadTooLarge, match=r"1,001 bytes.*1,000"):
        objects.put(NAMES[0], b"x" * (MOST + 1))
    assert list(objects.list()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "/etc/passwd", f"{'a' * 32}/../{'b' * 32}", "a" * 32, f"{'A' * 32}/{'b' * 32}",
     f"{'a' * 32}/{'b' * 32}/x", f"{'a' * 32}/{'b' * 32}.", f"{'a' * 32}/{'b' * 32}\n", f"{'a' * 31}\x00/{'b' * 32}",
     f"profiles/{'1' * 32}", f"profiles/../{'1' * 32}", f"profiles/ada/{'1' * 32}", f"weights/../{'1' * 64}",
     f"weights/bge/{'1' * 32}", f"weights/BGE/{'1' * 64}", f"weights/.x/{'1' * 64}", "weights/bge/../manifest",
     f"models/bge/{'1' * 64}"],
)  # fmt: skip
def test_only_names_of_this_service_are_taken(objects: ObjectStore, name: str) -> None:
    for act in (objects.read, objects.size, objects.delete):
        with pytest.raises(InvalidRequest):
            act(name)
    with pytest.raises(InvalidRequest):
        objects.put(name, b"x")
    with pytest.raises(InvalidRequest):
        objects.create(name, b"x")


class TestLocal:
    """What only files can do wrong."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "objects"

    def test_others_on_the_machine_cannot_read(self, folder: Path) -> None:
        LocalObjectStore(folder).put(NAMES[0], b"secret")
        assert (folder / NAMES[0]).stat().st_mode & 0o077 == 0
        assert (folder / FOLDERS[0]).stat().st_mode & 0o077 == 0

    def test_two_processes_see_the_same(self, folder: Path) -> None:
        LocalObjectStore(folder).put(NAMES[0], b"tea")
        assert LocalObjectStore(folder).read(NAMES[0]) == b"tea"

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
    def test_an_interrupted_write_leaves_no_object(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        store = LocalObjectStore(folder)
        store.put(NAMES[0], b"old")

        def fail(_: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(StoreFull):
            store.put(NAMES[0], b"new")
        monkeypatch.undo()
        assert store.read(NAMES[0]) == b"old"
        assert [each.name for each in store.list()] == [NAMES[0]]

    def test_what_a_killed_writer_left_is_listed(self, folder: Path) -> None:
        store = LocalObjectStore(folder)
        store.put(NAMES[0], b"tea")
        left = f"{NAMES[1]}.part-0123456789abcdef"
        (folder / left).write_bytes(b"half")
        (folder / "notes.txt").write_text("of somebody else")
        (folder / FOLDERS[0] / "notes.txt").write_text("of somebody else")
        assert [each.name for each in store.list()] == [NAMES[0], left]
        assert store.delete(left)

    def test_nothing_is_flushed_late(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The file before it gets its name, then its folder, and each folder that is new in another."""
        events: list[str] = []
        flush, rename = os.fsync, Path.replace

        def note_flush(descriptor: int) -> None:
            events.append(Path(f"/proc/self/fd/{descriptor}").resolve().name.partition("-")[0])
            flush(descriptor)

        def note_rename(self: Path, target: Path) -> Path:
            events.append("rename")
            return rename(self, target)

        monkeypatch.setattr(os, "fsync", note_flush)
        monkeypatch.setattr(Path, "replace", note_rename)
        LocalObjectStore(folder).put(NAMES[0], b"tea")
        assert sorted(events[:2]) == sorted([folder.name, folder.parent.name.partition("-")[0]])
        assert events[2:] == [f"{'1' * 32}.part", "rename", FOLDERS[0]]

"""Users' profiles: merge patches, versions, writers at once, and removal with the user and the workspace."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest

from app.backends.clock import SteppingClock, SystemClock
from app.backends.objects import LocalObjectStore, RamObjectStore
from app.backends.objects.s3 import S3ObjectStore
from app.domain.access import Role
from app.domain.memory import JsonObject, Scope
from app.domain.objects import name_profiles
from app.domain.profiles import merge
from app.errors import Forbidden, InvalidRequest, NotFound, PayloadTooLarge, StoreCorrupt, VersionConflict
from app.ports import ObjectStore
from app.service.copies import AllCopies
from app.service.profiles import Profiles
from app.service.workspaces import Workspaces
from tests.app.objects.places import place_s3
from tests.app.service.conftest import Bench, principal

ADMIN = principal()
HERE = Scope(tenant_id="acme", workspace_id="w")


@pytest.fixture(params=["in RAM", "in files", pytest.param("in S3", marks=pytest.mark.xdist_group("seaweed"))])
def objects(request: pytest.FixtureRequest, bench: Bench, tmp_path: Path) -> Iterator[ObjectStore]:
    if request.param == "in RAM":
        yield RamObjectStore(clock=bench.clock)
    elif request.param == "in files":
        yield LocalObjectStore(tmp_path / "objects")
    else:
        server = request.getfixturevalue("seaweed_server")
        with closing(S3ObjectStore(place_s3(server, server.new_bucket()))) as store:
            yield store


@pytest.fixture
def profiles(bench: Bench, objects: ObjectStore) -> Profiles:
    return Profiles(objects=objects, users=bench.store.users, clock=SystemClock(), most_bytes=1_000)


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({"a": "foo"}, {"a": {"b": {"c": None}}}, {"a": {"b": {}}}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches_are_those_of_the_standard(target: JsonObject, patch: JsonObject, result: JsonObject) -> None:
    """The cases of RFC 7396, appendix A, in which both sides are objects."""
    assert merge(target, patch) == result


@pytest.mark.slow
def test_a_profile_from_beginning_to_end(profiles: Profiles, bench: Bench, objects: ObjectStore) -> None:
    with pytest.raises(NotFound):
        profiles.get(ADMIN, "w", "ada")
    made = profiles.replace(ADMIN, "w", "ada", {"language": "中文", "units": {"length": "metric"}})
    assert (made.version, profiles.get(ADMIN, "w", "ada")) == (1, made)
    changed = profiles.patch(ADMIN, "w", "ada", {"units": {"length": None, "mass": "kg"}}, version=1)
    assert (changed.version, changed.preferences) == (2, {"language": "中文", "units": {"mass": "kg"}})
    assert [each.name for each in objects.list()] == [f"{name_profiles(HERE, 'ada')}v000000000002"]
    assert bench.workspaces.get_user(ADMIN, "w", "ada").user_id == "ada"
    profiles.delete(ADMIN, "w", "ada", version=2)
    for act in (profiles.get, profiles.delete):
        with pytest.raises(NotFound):
            act(ADMIN, "w", "ada")
    assert list(objects.list()) == []


def test_a_change_that_insists_on_an_old_version_is_refused(profiles: Profiles) -> None:
    profiles.replace(ADMIN, "w", "ada", {"a": 1})
    profiles.replace(ADMIN, "w", "ada", {"a": 2}, version=1)
    for change in (profiles.replace, profiles.patch):
        with pytest.raises(VersionConflict, match="version 2, not 1"):
            change(ADMIN, "w", "ada", {"a": 3}, version=1)
    with pytest.raises(VersionConflict):
        profiles.delete(ADMIN, "w", "ada", version=1)
    with pytest.raises(VersionConflict, match="gone"):
        profiles.replace(ADMIN, "w", "bob", {"a": 3}, version=1)
    assert profiles.get(ADMIN, "w", "ada").preferences == {"a": 2}


def test_writers_at_once_lose_no_change(profiles: Profiles) -> None:
    start = Barrier(6)

    def write(number: int) -> None:
        start.wait()
        for turn in range(5):
            while True:
                try:
                    profiles.patch(ADMIN, "w", "ada", {f"{number}-{turn}": True})
                    break
                except VersionConflict:  # others were faster so often that it asks to be repeated
                    continue

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(write, range(6)))
    assert len(profiles.get(ADMIN, "w", "ada").preferences) == 30


def test_of_writers_that_insist_on_one_version_one_gets_through(profiles: Profiles) -> None:
    profiles.replace(ADMIN, "w", "ada", {})
    start = Barrier(6)

    def write(number: int) -> bool:
        start.wait()
        try:
            profiles.patch(ADMIN, "w", "ada", {str(number): True}, version=1)
        except VersionConflict:
            return False
        return True

    with ThreadPoolExecutor(6) as threads:
        done = list(threads.map(write, range(6)))
    assert done.count(True) == 1
    assert profiles.get(ADMIN, "w", "ada").preferences == {str(done.index(True)): True}


class Interrupting:
    """An object store in which something happens just before an object is made."""

    def __init__(self, objects: ObjectStore, meanwhile: Callable[[], object]) -> None:
        self._objects, self._meanwhile = objects, meanwhile

    def create(self, name: str, content: bytes) -> None:
        meanwhile, self._meanwhile = self._meanwhile, lambda: None
        meanwhile()
        self._objects.create(name, content)

    def __getattr__(self, name: str) -> object:
        return getattr(self._objects, name)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [1, 2, 3])
def test_a_slow_writer_overwrites_nobody(profiles: Profiles, bench: Bench, objects: ObjectStore, changes: int) -> None:
    """Also after so many changes that the version that it would make was there and is gone."""
    profiles.replace(ADMIN, "w", "ada", {"a": 0})

    def overtake() -> None:
        for number in range(changes):
            profiles.patch(ADMIN, "w", "ada", {"a": number + 1})

    slow = Profiles(objects=Interrupting(objects, overtake), users=bench.store.users, clock=bench.clock)  # type: ignore[arg-type]
    with pytest.raises(VersionConflict):
        slow.patch(ADMIN, "w", "ada", {"b": 1}, version=1)
    assert profiles.get(ADMIN, "w", "ada").preferences == {"a": changes}
    slow = Profiles(objects=Interrupting(objects, overtake), users=bench.store.users, clock=bench.clock)  # type: ignore[arg-type]
    assert slow.patch(ADMIN, "w", "ada", {"b": 1}).preferences == {"a": changes, "b": 1}


def test_a_slow_writer_does_not_bring_back_what_was_erased(
    profiles: Profiles, bench: Bench, objects: ObjectStore
) -> None:
    profiles.replace(ADMIN, "w", "ada", {"secret": 1})
    erasing = Interrupting(objects, lambda: profiles.forget(HERE, user_id="ada"))
    slow = Profiles(objects=erasing, users=bench.store.users, clock=bench.clock)  # type: ignore[arg-type]
    assert slow.patch(ADMIN, "w", "ada", {"b": 1}).preferences == {"b": 1}


def test_a_writer_that_died_before_it_cleaned_up_harms_nobody(
    profiles: Profiles, bench: Bench, objects: ObjectStore
) -> None:
    profiles.replace(ADMIN, "w", "ada", {"a": 1})
    (one,) = objects.list()
    content = objects.read(one.name)
    profiles.replace(ADMIN, "w", "ada", {"a": 2})
    objects.put(one.name, content)
    objects.put(f"{name_profiles(HERE, 'ada')}part-0123456789abcdef", content)
    assert profiles.get(ADMIN, "w", "ada").preferences == {"a": 2}
    profiles.patch(ADMIN, "w", "ada", {"b": 3})
    assert [each.name[-1] for each in objects.list()] == ["f", "3"], "what is not finished may be under way"
    year_ms = 366 * 86_400_000
    later = SteppingClock(max(each.modified_ms for each in objects.list()) + year_ms)
    Profiles(objects=objects, users=bench.store.users, clock=later).patch(ADMIN, "w", "ada", {"b": 4})
    assert [each.name[-1] for each in objects.list()] == ["4"]


def test_limits(profiles: Profiles) -> None:
    with pytest.raises(PayloadTooLarge, match=r"1,000 are allowed.*storage\.max_profile_bytes"):
        profiles.replace(ADMIN, "w", "ada", {"a": "x" * 1_000})
    profiles.replace(ADMIN, "w", "ada", {"a": "x" * 900})
    with pytest.raises(PayloadTooLarge):
        profiles.patch(ADMIN, "w", "ada", {"b": "x" * 100})
    assert list(profiles.get(ADMIN, "w", "ada").preferences) == ["a"]
    for wrong in ({"a": float("nan")}, {"": 1}, {"a": "\ud800"}, {"a": 2**70}):
        with pytest.raises(InvalidRequest):
            profiles.replace(ADMIN, "w", "ada", wrong)
    for user_id in ("", " ", "x" * 129, "a\0b"):
        with pytest.raises(InvalidRequest):
            profiles.get(ADMIN, "w", user_id)


def test_rights(profiles: Profiles) -> None:
    profiles.replace(ADMIN, "w", "ada", {"a": 1})
    with pytest.raises(Forbidden):
        profiles.replace(principal(Role.READER), "w", "ada", {})
    with pytest.raises(Forbidden):
        profiles.delete(principal(Role.SERVICE_ACCOUNT), "w", "ada")
    for stranger in (principal(Role.USER, "other"), principal(tenant_id="other")):
        with pytest.raises(NotFound):
            profiles.get(stranger, "w", "ada")


def test_a_damaged_profile_is_told_and_can_be_removed(profiles: Profiles, objects: ObjectStore) -> None:
    profiles.replace(ADMIN, "w", "ada", {"a": "canary"})
    (one,) = objects.list()
    objects.put(one.name, objects.read(one.name)[:-3])
    with pytest.raises(StoreCorrupt) as caught:
        profiles.get(ADMIN, "w", "ada")
    assert "canary" not in str(caught.value)
    profiles.delete(ADMIN, "w", "ada")
    assert list(objects.list()) == []


def test_profiles_go_with_the_user_and_with_the_workspace(
    profiles: Profiles, bench: Bench, objects: ObjectStore
) -> None:
    workspaces = Workspaces(
        workspaces=bench.store.workspaces,
        users=bench.store.users,
        memories=bench.store.memories,
        copies=AllCopies(profiles),
        working=AllCopies(profiles),
    )
    for workspace in ("w", "other"):
        for user in ("ada", "bob"):
            profiles.replace(ADMIN, workspace, user, {"a": 1})
    workspaces.delete_user(ADMIN, "w", "ada")
    with pytest.raises(NotFound):
        profiles.get(ADMIN, "w", "ada")
    assert len(list(objects.list())) == 3
    workspaces.delete(ADMIN, "w", keep_copies=True)
    assert len(list(objects.list(name_profiles(HERE)))) == 0
    assert len(list(objects.list())) == 2


def test_no_preference_stands_in_a_repr(profiles: Profiles) -> None:
    assert "canary" not in repr(profiles.replace(ADMIN, "w", "ada", {"a": "canary"}))

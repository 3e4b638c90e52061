"""The store of what is known of offloads."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app.backends.clock import SteppingClock
from app.domain.memory import Scope
from app.domain.working import Offload, OffloadKind, Tier, identify, name_folder
from app.errors import InvalidRequest, NotFound
from app.ports import WorkingStore
from tests.app.contract.backends import Backend
from tests.app.contract.samples import FOREIGN, HERE, NO_ID, NOWHERE, THERE

DAY_MS = 86_400_000


@pytest.fixture
def store(backend: Backend) -> WorkingStore:
    """An empty store."""
    return backend.working


@pytest.fixture
def make(clock: SteppingClock) -> Callable[..., Offload]:
    """Makes the offload of a text, now."""

    def make_one(text: str, scope: Scope = HERE, **fields: Any) -> Offload:
        digest = text * 3
        offload_id = identify(scope, OffloadKind.TOOL_OUTPUT, digest)
        made = Offload(
            id=offload_id,
            scope=scope,
            kind=OffloadKind.TOOL_OUTPUT,
            chat_id="",
            name="web_search 搜索",
            bytes=len(text),
            lines=1,
            sha256=digest,
            object_name=f"{name_folder(scope)}{offload_id}",
            created_ms=clock.now_ms(),
            last_read_ms=clock.now_ms(),
        )
        return replace(made, **fields)

    return make_one


Make = Callable[..., Offload]


def test_an_offload_is_kept_as_it_was_given(store: WorkingStore, make: Make) -> None:
    offload = make("tea", kind=OffloadKind.MESSAGES, chat_id="对话", bytes=2**40, tier=Tier.ARCHIVE)
    assert store.put_offloads([offload]) == ()
    assert store.get_offload(HERE, offload.id) == offload
    for scope, offload_id in ((THERE, offload.id), (FOREIGN, offload.id), (HERE, NO_ID), (NOWHERE, offload.id)):
        with pytest.raises(NotFound):
            store.get_offload(scope, offload_id)


def test_putting_again_replaces_and_returns_what_was(store: WorkingStore, make: Make) -> None:
    first, other = make("tea"), make("cake")
    store.put_offloads([first, other])
    second = replace(first, object_name=f"{name_folder(HERE)}{'f' * 32}", chat_id="c2")
    assert store.put_offloads([second]) == (first,)
    assert store.get_offload(HERE, first.id) == second
    assert [each.id for each in store.list_offloads(HERE, limit=9).items] == [first.id, other.id]


def test_renewing_lets_the_age_begin_anew(store: WorkingStore, make: Make, clock: SteppingClock) -> None:
    warm, archived = make("tea", tier=Tier.WARM), make("cake", tier=Tier.ARCHIVE)
    store.put_offloads([warm, archived])
    now_ms = clock.step(DAY_MS)
    renewed = store.renew_offloads(HERE, [archived.id, NO_ID, warm.id])
    assert renewed == (
        replace(archived, created_ms=now_ms, last_read_ms=now_ms),
        replace(warm, created_ms=now_ms, last_read_ms=now_ms, tier=Tier.HOT),
    )
    assert store.get_offload(HERE, warm.id) == renewed[1]
    assert store.renew_offloads(THERE, [warm.id]) == ()
    assert store.renew_offloads(HERE, []) == ()


def test_a_reading_is_noted(store: WorkingStore, make: Make, clock: SteppingClock) -> None:
    offload = make("tea", tier=Tier.WARM)
    store.put_offloads([offload])
    now_ms = clock.step(DAY_MS)
    store.mark_read(HERE, offload.id)
    assert store.get_offload(HERE, offload.id) == replace(offload, last_read_ms=now_ms, tier=Tier.HOT)
    clock.set(now_ms - DAY_MS)  # a clock that was set back
    store.mark_read(HERE, offload.id)
    store.mark_read(THERE, offload.id)
    store.mark_read(HERE, NO_ID)
    assert store.get_offload(HERE, offload.id).last_read_ms == now_ms


def test_offloads_are_listed_in_pages_as_they_came(store: WorkingStore, make: Make) -> None:
    made = [make(f"text {number}", chat_id=f"c{number % 2}") for number in range(7)]
    for offload in made:
        store.put_offloads([offload])
    store.put_offloads([make("elsewhere", THERE)])

    def walk(limit: int, chat_id: str = "") -> list[str]:
        found, cursor = [], ""
        while True:
            page = store.list_offloads(HERE, chat_id=chat_id, limit=limit, cursor=cursor)
            assert len(page.items) <= limit
            found += [each.id for each in page.items]
            cursor = page.next_cursor
            if not cursor:
                return found

    for limit in (1, 3, 7, 8):
        assert walk(limit) == [each.id for each in made]
        assert walk(limit, "c1") == [each.id for each in made[1::2]]
    assert store.list_offloads(NOWHERE, limit=5).items == ()
    foreign = store.list_offloads(HERE, limit=1).next_cursor
    for arguments in ({"scope": THERE}, {"scope": HERE, "chat_id": "c1"}):
        with pytest.raises(InvalidRequest):
            store.list_offloads(**arguments, limit=1, cursor=foreign)
    for wrong in ("x", "!", "é"):
        with pytest.raises(InvalidRequest):
            store.list_offloads(HERE, limit=1, cursor=wrong)
    with pytest.raises(InvalidRequest):
        store.list_offloads(HERE, limit=0)


def test_a_deleted_offload_is_gone(store: WorkingStore, make: Make) -> None:
    here, there = make("tea"), make("tea", THERE)
    store.put_offloads([here, there])
    assert here.id != there.id
    with pytest.raises(NotFound):
        store.delete_offload(THERE, here.id)
    assert store.delete_offload(HERE, here.id) == here
    with pytest.raises(NotFound):
        store.delete_offload(HERE, here.id)
    assert store.get_offload(THERE, there.id) == there


def test_forgetting_takes_a_whole_workspace(store: WorkingStore, make: Make) -> None:
    mine = [make("tea"), make("cake")]
    theirs = make("tea", FOREIGN)
    store.put_offloads([*mine, theirs])
    assert sorted(each.id for each in store.forget_offloads(HERE)) == sorted(each.id for each in mine)
    assert store.forget_offloads(HERE) == ()
    assert store.list_offloads(HERE, limit=5).items == ()
    assert store.get_offload(FOREIGN, theirs.id) == theirs


def test_the_old_expire_some_at_a_time(store: WorkingStore, make: Make, clock: SteppingClock) -> None:
    old = [make(f"text {number}", (HERE, FOREIGN)[number % 2]) for number in range(5)]
    store.put_offloads(old)
    border_ms = clock.step()
    young = make("young")
    store.put_offloads([young])
    store.mark_read(HERE, old[0].id)  # reading does not lengthen a life
    gone = [store.expire_offloads(created_before_ms=border_ms, limit=2) for _ in range(4)]
    assert [len(each) for each in gone] == [2, 2, 1, 0]
    assert {each.id for part in gone for each in part} == {each.id for each in old}
    assert store.get_offload(HERE, young.id) == young


def test_the_aged_are_those_not_read_since(store: WorkingStore, make: Make, clock: SteppingClock) -> None:
    hot, warm, archived = (make(tier.value, tier=tier) for tier in Tier)
    read, foreign = make("read"), make("foreign", FOREIGN)
    store.put_offloads([hot, warm, archived, read, foreign])
    border_ms = clock.step()
    store.mark_read(HERE, read.id)

    def walk(*tiers: Tier) -> list[str]:
        found, cursor = [], ""
        while True:
            page = store.list_aged(tiers, read_before_ms=border_ms, limit=1, cursor=cursor)
            found += [each.id for each in page.items]
            cursor = page.next_cursor
            if not cursor:
                return found

    assert walk(Tier.HOT) == [hot.id, foreign.id]
    assert walk(Tier.HOT, Tier.WARM) == [hot.id, warm.id, foreign.id]
    assert store.list_aged((Tier.HOT,), read_before_ms=border_ms - 1, limit=9).items == ()


def test_only_an_unchanged_offload_is_moved(store: WorkingStore, make: Make, clock: SteppingClock) -> None:
    offload = make("tea")
    store.put_offloads([offload])
    name = f"{offload.object_name}.gz"
    assert store.move_offload(offload, tier=Tier.ARCHIVE, object_name=name)
    moved = store.get_offload(HERE, offload.id)
    assert moved == replace(offload, tier=Tier.ARCHIVE, object_name=name)
    assert not store.move_offload(offload, tier=Tier.WARM, object_name=offload.object_name)
    clock.step()
    store.mark_read(HERE, offload.id)
    assert not store.move_offload(moved, tier=Tier.WARM, object_name=offload.object_name)
    store.delete_offload(HERE, offload.id)
    assert not store.move_offload(moved, tier=Tier.WARM, object_name=offload.object_name)


def test_offloads_are_walked_by_their_objects(store: WorkingStore, make: Make) -> None:
    made = [make(f"text {number}", scope) for number in range(3) for scope in (HERE, THERE, FOREIGN)]
    store.put_offloads(made)
    expected = sorted(made, key=lambda offload: offload.object_name)
    found: list[Offload] = []
    while page := store.list_by_object(after=found[-1].object_name if found else "", limit=4):
        found += page
    assert found == expected

"""What a workspace holds by the store's own count, and erasing for good."""

import pytest

from app.backends.clock import SteppingClock
from app.domain.change import ChangeState, Delete, Receipt, Restore
from app.domain.memory import Layer, MemoryKind
from app.errors import NotFound
from tests.app.contract.backends import Backend, searched
from tests.app.contract.samples import (
    FOREIGN,
    HERE,
    NOWHERE,
    THERE,
    add,
    adding,
    change,
    commit,
    match,
    near,
    scan_all,
    texts,
    updating,
)

pytestmark = searched


def test_contents_are_counted_by_kind_and_layer(backend: Backend) -> None:
    add(backend, "tea", kind=MemoryKind.PERSONAL)
    add(backend, "茶", kind=MemoryKind.TASK, layer=Layer.RAW)
    add(backend, "milk", kind=MemoryKind.TASK)
    add(backend, "elsewhere", scope=THERE)
    backend.users.put_user(HERE, "ann", name=None, metadata=None)
    contents = backend.memories.contents(HERE)
    assert contents.memories == 3
    assert {kind: count for kind, count in contents.by_kind.items() if count} == {"personal": 1, "task": 2}
    assert {layer: count for layer, count in contents.by_layer.items() if count} == {"raw": 1, "distilled": 2}
    assert contents.text_bytes == len("tea茶milk".encode())
    assert (contents.users, contents.tombstones) == (1, 0)


def test_the_contents_of_a_workspace_that_is_missing_are_zeros(backend: Backend) -> None:
    contents = backend.memories.contents(NOWHERE)
    assert (contents.memories, contents.text_bytes, contents.users, contents.tombstones) == (0, 0, 0, 0)
    assert not any(contents.by_kind.values())
    assert not any(contents.by_layer.values())


def test_contents_follow_every_change(backend: Backend, clock: SteppingClock) -> None:
    memory = add(backend, "tea", slot="drink")
    clock.step()
    change(backend, updating(memory, content="coffee"))
    contents = backend.memories.contents(HERE)
    assert (contents.memories, contents.text_bytes) == (1, len("coffee")), "an earlier revision is no memory"
    clock.step()
    add(backend, "milk", slot="drink")
    contents = backend.memories.contents(HERE)
    assert (contents.memories, contents.text_bytes) == (2, len("coffeemilk")), "a superseded statement is one"
    change(backend, Delete(memory_id=memory.id))
    contents = backend.memories.contents(HERE)
    assert (contents.memories, contents.text_bytes, contents.tombstones) == (1, len("milk"), 1)
    backend.memories.purge(HERE)
    contents = backend.memories.contents(HERE)
    assert (contents.memories, contents.text_bytes, contents.tombstones) == (0, 0, 2)


def test_purging_old_tombstones(backend: Backend, clock: SteppingClock) -> None:
    old, young, live = (add(backend, text) for text in ("old tea", "young tea", "live tea"))
    old_ms = clock.step()
    change(backend, Delete(memory_id=old.id))
    clock.step()
    change(backend, Delete(memory_id=young.id))
    assert backend.memories.purge(HERE, deleted_before_ms=old_ms) == 0
    assert backend.memories.purge(HERE, deleted_before_ms=old_ms + 1) == 1
    assert backend.memories.purge(HERE, deleted_before_ms=old_ms + 1) == 0
    assert texts(backend.memories.get(HERE, [old.id, young.id, live.id], deleted=True)) == ["young tea", "live tea"]
    with pytest.raises(NotFound):
        change(backend, Restore(memory_id=old.id, vector=adding("old tea").vector))
    assert change(backend, Restore(memory_id=young.id)).state is ChangeState.RESTORED
    assert backend.memories.contents(HERE).tombstones == 1


def test_purging_a_user(backend: Backend, clock: SteppingClock) -> None:
    ann = add(backend, "Ann drinks tea", user_id="ann", metadata={"x": 1})
    deleted = add(backend, "Ann drank milk", user_id="ann")
    add(backend, "Bob drinks tea", user_id="bob")
    add(backend, "Ann elsewhere", user_id="ann", scope=THERE)
    before_ms = clock.now_ms()
    clock.step()
    change(backend, updating(ann, content="Ann drinks oolong"))
    change(backend, Delete(memory_id=deleted.id))
    assert backend.memories.purge(HERE, user_id="ann") == 2
    assert texts(scan_all(backend, superseded=True)) == ["Bob drinks tea"]
    assert backend.memories.get(HERE, [ann.id, deleted.id], deleted=True) == ()
    for as_of_ms in (None, before_ms):
        assert match(backend, "Ann tea oolong milk drinks", as_of_ms=as_of_ms) == ["Bob drinks tea"]
        assert near(backend, "Ann drinks tea", as_of_ms=as_of_ms) == ["Bob drinks tea"]
    assert texts(scan_all(backend, THERE)) == ["Ann elsewhere"]
    assert backend.memories.contents(HERE).tombstones == 2
    with pytest.raises(NotFound):
        change(backend, Restore(memory_id=ann.id))
    assert backend.memories.purge(HERE, user_id="nobody") == 0


def test_purging_the_old_tombstones_of_a_user(backend: Backend, clock: SteppingClock) -> None:
    memories = [add(backend, f"{user} {text}", user_id=user) for user in ("ann", "bob") for text in ("tea", "milk")]
    for memory in memories[::2]:
        change(backend, Delete(memory_id=memory.id))
    assert backend.memories.purge(HERE, deleted_before_ms=clock.step(), user_id="ann") == 1
    left = backend.memories.get(HERE, [memory.id for memory in memories], deleted=True)
    assert texts(left) == ["ann milk", "bob tea", "bob milk"]


def test_purging_a_workspace(backend: Backend) -> None:
    memories = [add(backend, text) for text in ("tea", "milk")]
    change(backend, Delete(memory_id=memories[0].id))
    add(backend, "foreign", scope=FOREIGN)
    assert backend.memories.purge(HERE) == 2
    assert backend.memories.purge(HERE) == 0
    assert backend.memories.purge(NOWHERE) == 0
    assert scan_all(backend, superseded=True) == []
    assert texts(scan_all(backend, FOREIGN)) == ["foreign"]
    assert backend.workspaces.get_workspace(HERE).scope == HERE
    assert change(backend, adding("tea")).state is ChangeState.CREATED


def test_a_purged_text_does_not_come_back_from_a_receipt(backend: Backend) -> None:
    receipt = Receipt(key="k", request_sha256="1")
    first = commit(backend, adding("Ann drinks tea", user_id="ann"), adding("Bob", user_id="bob"), receipt=receipt)
    backend.memories.purge(HERE, user_id="ann")
    again = commit(backend, adding("Ann drinks tea", user_id="ann"), adding("Bob", user_id="bob"), receipt=receipt)
    assert again.replayed
    assert [(one.state, one.memory_id) for one in again.outcomes] == [
        (one.state, one.memory_id) for one in first.outcomes
    ]
    assert "tea" not in repr(again)
    assert scan_all(backend)[0].user_id == "bob"

"""The user store."""

import pytest

from app.backends.clock import SteppingClock
from app.domain.change import ChangeState
from app.errors import InvalidRequest, NotFound
from tests.app.contract.backends import Backend
from tests.app.contract.samples import FOREIGN, HERE, THERE, add, adding, change, scan_all, texts


def test_a_user_is_made_and_changed_field_by_field(backend: Backend, clock: SteppingClock) -> None:
    made = backend.users.put_user(HERE, "ann", name="Ann", metadata={"a": [1, "二"]})
    now_ms = clock.now_ms()
    assert (made.scope, made.user_id, made.name, made.metadata) == (HERE, "ann", "Ann", {"a": [1, "二"]})
    assert (made.created_ms, made.updated_ms) == (now_ms, now_ms)
    assert backend.users.get_user(HERE, "ann") == made
    later_ms = clock.step()
    renamed = backend.users.put_user(HERE, "ann", name="Anna", metadata=None)
    assert (renamed.name, renamed.metadata) == ("Anna", {"a": [1, "二"]})
    assert (renamed.created_ms, renamed.updated_ms) == (now_ms, later_ms)
    replaced = backend.users.put_user(HERE, "ann", name=None, metadata={"b": 1})
    assert (replaced.name, replaced.metadata) == ("Anna", {"b": 1})
    emptied = backend.users.put_user(HERE, "ann", name="", metadata={})
    assert (emptied.name, emptied.metadata) == ("", {})
    assert backend.users.get_user(HERE, "ann") == emptied


def test_a_user_without_a_name_is_a_user(backend: Backend) -> None:
    made = backend.users.put_user(HERE, "ann", name=None, metadata=None)
    assert (made.name, made.metadata) == ("", {})


def test_putting_a_user_makes_the_workspace(backend: Backend) -> None:
    with pytest.raises(NotFound):
        backend.workspaces.get_workspace(HERE)
    backend.users.put_user(HERE, "ann", name=None, metadata=None)
    made = backend.workspaces.get_workspace(HERE)
    backend.users.put_user(HERE, "bob", name=None, metadata=None)
    assert backend.workspaces.get_workspace(HERE) == made
    assert change(backend, adding("tea")).state is ChangeState.CREATED


def test_users_of_other_scopes_are_other_users(backend: Backend) -> None:
    for scope in (HERE, THERE, FOREIGN):
        backend.users.put_user(scope, "ann", name=f"{scope}", metadata=None)
    backend.users.delete_user(THERE, "ann")
    with pytest.raises(NotFound):
        backend.users.get_user(THERE, "ann")
    for scope in (HERE, FOREIGN):
        assert backend.users.get_user(scope, "ann").name == f"{scope}"
    assert backend.users.list_users(THERE, limit=9).items == ()


def test_users_are_listed_in_pages(backend: Backend) -> None:
    ids = ["ann", "Bob", "ann@example.com", "安", "c d", "x" * 300, "é"]
    for user_id in ids:
        backend.users.put_user(HERE, user_id, name=None, metadata=None)
    for limit in (1, 3, 7, 8):
        listed: list[str] = []
        cursor = ""
        while True:
            page = backend.users.list_users(HERE, limit=limit, cursor=cursor)
            listed += [user.user_id for user in page.items]
            cursor = page.next_cursor
            if not cursor:
                break
        assert listed == sorted(ids)
    foreign = backend.users.list_users(HERE, limit=1).next_cursor
    with pytest.raises(InvalidRequest):
        backend.users.list_users(THERE, limit=1, cursor=foreign)


def test_a_deleted_user_is_gone_and_the_memories_stay(backend: Backend) -> None:
    add(backend, "Ann drinks tea", user_id="ann")
    with pytest.raises(NotFound):
        backend.users.get_user(HERE, "ann")
    backend.users.put_user(HERE, "ann", name="Ann", metadata={"x": 1})
    backend.users.delete_user(HERE, "ann")
    for scope in (HERE, THERE):
        with pytest.raises(NotFound):
            backend.users.delete_user(scope, "ann")
    assert texts(scan_all(backend)) == ["Ann drinks tea"]
    anew = backend.users.put_user(HERE, "ann", name=None, metadata=None)
    assert (anew.name, anew.metadata) == ("", {})

"""Workspaces and users, and what a listing does not say."""

import pytest

from app.domain.access import Role
from app.domain.memory import Scope
from app.domain.query import MemoryFilter
from app.domain.workspace import Workspace
from app.errors import AlreadyExists, Forbidden, InvalidRequest, NotFound
from app.service.workspaces import Workspaces
from tests.app.service.conftest import Bench, draft, principal

ADMIN = principal()


def names(items: tuple[Workspace, ...]) -> list[str]:
    return [workspace.scope.workspace_id for workspace in items]


def test_a_workspace_is_made_read_and_changed(bench: Bench) -> None:
    made = bench.workspaces.create(ADMIN, "w", name=" Team ", metadata={"city": "Oslo"})
    assert (made.name, made.metadata) == ("Team", {"city": "Oslo"})
    assert bench.workspaces.get(ADMIN, "w") == made
    changed = bench.workspaces.update(ADMIN, "w", name="Crew")
    assert (changed.name, changed.metadata) == ("Crew", {"city": "Oslo"})
    assert bench.workspaces.update(ADMIN, "w", metadata={}).metadata == {}
    with pytest.raises(AlreadyExists):
        bench.workspaces.create(ADMIN, "w")
    for action in (bench.workspaces.get, bench.workspaces.update, bench.workspaces.delete):
        with pytest.raises(NotFound):
            action(ADMIN, "elsewhere")


def test_contents_are_counted(bench: Bench) -> None:
    assert bench.workspaces.contents(ADMIN, "w").memories == 0
    bench.memories.add(ADMIN, "w", [draft("a"), draft("bc")])
    contents = bench.workspaces.contents(ADMIN, "w")
    assert (contents.memories, contents.text_bytes) == (2, 3)


def test_deleting_a_workspace_needs_an_admin(bench: Bench) -> None:
    bench.memories.add(ADMIN, "w", [draft("a"), draft("b")])
    with pytest.raises(Forbidden):
        bench.workspaces.delete(principal(Role.USER), "w")
    assert bench.workspaces.delete(ADMIN, "w") == 2
    assert not bench.memories.scan(ADMIN, "w", MemoryFilter()).items


@pytest.mark.parametrize("patterns", [("*",), ("a*", "c1"), ("a1", "c1", "z9"), ("c1", "a1", "a2", "a3")])
@pytest.mark.parametrize("limit", [1, 2, 50])
def test_a_listing_shows_what_the_principal_sees_page_by_page(
    bench: Bench, patterns: tuple[str, ...], limit: int
) -> None:
    every = ["a1", "a2", "a3", "b1", "b2", "c1"]
    for name in every:
        bench.workspaces.create(ADMIN, name)
    bench.workspaces.create(principal(tenant_id="other"), "a4")
    reader = principal(Role.READER, *patterns)
    found: list[str] = []
    cursor = ""
    while True:
        page = bench.workspaces.list(reader, limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        found += names(page.items)
        cursor = page.next_cursor
        if not cursor:
            break
        assert page.items
        if "*" not in patterns:
            assert cursor in found, "a cursor names nothing that was not shown"
    assert found == [name for name in every if reader.sees(name)]


def test_a_listing_has_bounds(bench: Bench) -> None:
    for limit in (0, 1_001):
        with pytest.raises(InvalidRequest):
            bench.workspaces.list(ADMIN, limit=limit)
    for reader in (ADMIN, principal(Role.READER, "a*")):
        with pytest.raises(InvalidRequest):
            bench.workspaces.list(reader, cursor="../../etc")


def test_users_are_made_listed_and_removed_with_what_is_about_them(bench: Bench) -> None:
    user = bench.workspaces.put_user(ADMIN, "w", " u1 ", name="Ada", metadata={"team": "a"})
    assert (user.user_id, user.name) == ("u1", "Ada")
    assert bench.workspaces.put_user(ADMIN, "w", "u1", metadata={}).name == "Ada"
    bench.workspaces.put_user(ADMIN, "w", "u2")
    assert [one.user_id for one in bench.workspaces.list_users(ADMIN, "w").items] == ["u1", "u2"]
    assert bench.workspaces.list_users(ADMIN, "w", limit=1).next_cursor
    bench.memories.add(ADMIN, "w", [draft("a", user_id="u1"), draft("b", user_id="u1"), draft("c", user_id="u2")])
    assert bench.workspaces.delete_user(principal(Role.USER), "w", "u1") == 2
    with pytest.raises(NotFound):
        bench.workspaces.get_user(ADMIN, "w", "u1")
    assert [memory.content for memory in bench.memories.scan(ADMIN, "w", MemoryFilter()).items] == ["c"]


def test_someone_whom_nobody_made_can_be_erased(bench: Bench) -> None:
    bench.memories.add(ADMIN, "w", [draft("a", user_id="u1")])
    assert bench.workspaces.delete_user(ADMIN, "w", "u1") == 1
    with pytest.raises(NotFound):
        bench.workspaces.delete_user(ADMIN, "w", "u1")
    with pytest.raises(Forbidden):
        bench.workspaces.delete_user(principal(Role.SERVICE_ACCOUNT), "w", "u1")


class Kept:
    """Copies that note what they are to forget."""

    def __init__(self, holds: int) -> None:
        self.holds = holds
        self.asked: list[tuple[str, str | None]] = []

    def forget(self, scope: Scope, *, user_id: str | None = None) -> int:
        self.asked.append((scope.workspace_id, user_id))
        return self.holds


@pytest.mark.parametrize("holds", [0, 1])
def test_copies_are_forgotten_too(bench: Bench, holds: int) -> None:
    copies = Kept(holds)
    store = bench.store
    workspaces = Workspaces(workspaces=store.workspaces, users=store.users, memories=store.memories, copies=copies)
    bench.memories.add(ADMIN, "w", [draft("a", user_id="u1")])
    assert workspaces.delete_user(ADMIN, "w", "u1") == 1
    assert workspaces.delete(ADMIN, "w") == 0
    assert copies.asked == [("w", "u1"), ("w", None)]
    bench.workspaces.create(ADMIN, "kept")
    assert workspaces.delete(ADMIN, "kept", keep_copies=True) == 0
    with pytest.raises(NotFound):
        workspaces.delete(ADMIN, "kept", keep_copies=True)
    assert len(copies.asked) == 2
    if holds:
        assert workspaces.delete(ADMIN, "w") == 0, "what was cut short is finished"
        assert workspaces.delete_user(ADMIN, "w", "u1") == 0
        return
    with pytest.raises(NotFound):
        workspaces.delete(ADMIN, "w")
    with pytest.raises(NotFound):
        workspaces.delete_user(ADMIN, "w", "u1")


@pytest.mark.parametrize("user_id", ["", "  ", "x" * 129, "a\x00"])
def test_user_ids_have_bounds(bench: Bench, user_id: str) -> None:
    with pytest.raises(InvalidRequest):
        bench.workspaces.put_user(ADMIN, "w", user_id)
    with pytest.raises(InvalidRequest):
        bench.workspaces.delete_user(ADMIN, "w", user_id)


def test_names_and_metadata_have_bounds(bench: Bench) -> None:
    for fields in ({"name": "x" * 129}, {"metadata": {"k": float("nan")}}):
        with pytest.raises(InvalidRequest):
            bench.workspaces.create(ADMIN, "w", **fields)
        with pytest.raises(InvalidRequest):
            bench.workspaces.put_user(ADMIN, "w", "u", **fields)

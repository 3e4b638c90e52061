"""The workspace store."""

import pytest

from app.backends.clock import SteppingClock
from app.domain.change import ChangeState, Receipt
from app.domain.job import JobState
from app.domain.memory import Scope
from app.domain.usage import UsageRecord
from app.errors import AlreadyExists, InvalidRequest, NotFound
from tests.app.contract.backends import Backend
from tests.app.contract.samples import FOREIGN, HERE, THERE, add, adding, change, commit, match, near, scan_all, texts


def test_a_workspace_is_made_once(backend: Backend, clock: SteppingClock) -> None:
    made = backend.workspaces.put_workspace(HERE, name="Project", metadata={"a": [1, "二"]}, create=True)
    assert (made.scope, made.name, made.metadata, made.version) == (HERE, "Project", {"a": [1, "二"]}, 1)
    assert (made.created_ms, made.updated_ms) == (clock.now_ms(), clock.now_ms())
    assert made.data_key_id
    assert backend.workspaces.get_workspace(HERE) == made
    with pytest.raises(AlreadyExists):
        backend.workspaces.put_workspace(HERE, name="Other", metadata=None, create=True)
    assert backend.workspaces.get_workspace(HERE) == made


def test_a_workspace_that_an_adding_made_is_like_any(backend: Backend) -> None:
    add(backend, "tea")
    made = backend.workspaces.get_workspace(HERE)
    assert (made.name, made.metadata, made.version) == ("", {}, 1)
    assert made.data_key_id
    with pytest.raises(AlreadyExists):
        backend.workspaces.put_workspace(HERE, name=None, metadata=None, create=True)
    add(backend, "coffee")
    assert backend.workspaces.get_workspace(HERE) == made


def test_a_workspace_is_changed_field_by_field(backend: Backend, clock: SteppingClock) -> None:
    made = backend.workspaces.put_workspace(HERE, name=None, metadata=None, create=True)
    assert (made.name, made.metadata) == ("", {})
    now_ms = clock.step()
    named = backend.workspaces.put_workspace(HERE, name="Name", metadata=None, create=False)
    filled = backend.workspaces.put_workspace(HERE, name=None, metadata={"x": 1}, create=False)
    filled = backend.workspaces.put_workspace(HERE, name=None, metadata={"y": 2}, create=False)
    assert (named.name, named.metadata, named.version, named.updated_ms) == ("Name", {}, 2, now_ms)
    assert (filled.name, filled.metadata, filled.version) == ("Name", {"y": 2}, 4)
    assert (filled.created_ms, filled.data_key_id) == (made.created_ms, made.data_key_id)
    assert backend.workspaces.get_workspace(HERE) == filled
    emptied = backend.workspaces.put_workspace(HERE, name="", metadata={}, create=False)
    assert (emptied.name, emptied.metadata) == ("", {})


def test_a_workspace_that_is_missing_is_not_changed(backend: Backend) -> None:
    backend.workspaces.put_workspace(HERE, name=None, metadata=None, create=True)
    for scope in (THERE, FOREIGN):
        with pytest.raises(NotFound):
            backend.workspaces.put_workspace(scope, name="x", metadata=None, create=False)
        with pytest.raises(NotFound):
            backend.workspaces.get_workspace(scope)
        with pytest.raises(NotFound):
            backend.workspaces.delete_workspace(scope)


def test_every_workspace_has_a_data_key_of_its_own(backend: Backend) -> None:
    scopes = (HERE, THERE, FOREIGN)
    made = [backend.workspaces.put_workspace(scope, name=None, metadata=None, create=True) for scope in scopes]
    assert len({workspace.data_key_id for workspace in made}) == 3


def test_workspaces_are_listed_by_tenant_in_pages(backend: Backend) -> None:
    ids = ["b", "a", "C", "a:1", "a-1", "a.1", "z"]
    for workspace_id in ids:
        scope = Scope(tenant_id="acme", workspace_id=workspace_id)
        backend.workspaces.put_workspace(scope, name=workspace_id, metadata=None, create=True)
    add(backend, "tea", scope=FOREIGN)
    for limit in (1, 3, 7, 8):
        listed: list[str] = []
        cursor = ""
        while True:
            page = backend.workspaces.list_workspaces("acme", limit=limit, cursor=cursor)
            listed += [workspace.scope.workspace_id for workspace in page.items]
            cursor = page.next_cursor
            if not cursor:
                break
        assert listed == sorted(ids)
    assert [one.scope for one in backend.workspaces.list_workspaces("umbrella", limit=9).items] == [FOREIGN]
    assert backend.workspaces.list_workspaces("nobody", limit=9).items == ()
    foreign = backend.workspaces.list_workspaces("acme", limit=1).next_cursor
    with pytest.raises(InvalidRequest):
        backend.workspaces.list_workspaces("umbrella", limit=1, cursor=foreign)


def test_a_deleted_workspace_takes_everything_along(backend: Backend) -> None:
    receipt = Receipt(key="k", request_sha256="1")
    commit(backend, adding("green tea", user_id="ann"), adding("black coffee"), receipt=receipt)
    add(backend, "green tea", scope=THERE)
    backend.users.put_user(HERE, "ann", name="Ann", metadata=None)
    job = backend.jobs.enqueue(HERE, "embed", {})
    other_job = backend.jobs.enqueue(THERE, "embed", {})
    first = backend.workspaces.get_workspace(HERE)
    record = UsageRecord(tenant_id="acme", workspace_id=HERE.workspace_id, day="2026-11-22", operation="add")
    backend.meter.record([record])
    assert backend.workspaces.delete_workspace(HERE) == 2
    with pytest.raises(NotFound):
        backend.workspaces.get_workspace(HERE)
    with pytest.raises(NotFound):
        backend.workspaces.delete_workspace(HERE)
    assert [one.scope for one in backend.workspaces.list_workspaces("acme", limit=9).items] == [THERE]
    assert scan_all(backend, superseded=True) == []
    assert near(backend, "green tea") == match(backend, "tea") == []
    contents = backend.memories.contents(HERE)
    assert (contents.memories, contents.tombstones, contents.users, contents.text_bytes) == (0, 0, 0, 0)
    assert backend.users.list_users(HERE, limit=9).items == ()
    with pytest.raises(NotFound):
        backend.jobs.find(HERE, job.id)
    with pytest.raises(NotFound):
        backend.jobs.finish(job.id, "0" * 32, JobState.DONE)
    claimed = backend.jobs.claim(["embed"], lease_ms=1000)
    assert claimed is not None
    assert claimed.id == other_job.id
    assert backend.meter.read("acme") == (record,), "what was used stays on the bill"
    assert texts(scan_all(backend, THERE)) == ["green tea"]
    again = commit(backend, adding("green tea", user_id="ann"), receipt=receipt)
    assert (again.replayed, again.outcomes[0].state) == (False, ChangeState.CREATED)
    assert match(backend, "tea") == ["green tea"]
    assert backend.workspaces.get_workspace(HERE).data_key_id != first.data_key_id


def test_an_id_of_a_deleted_workspace_can_be_imported(backend: Backend) -> None:
    memory = add(backend, "tea")
    backend.workspaces.delete_workspace(HERE)
    assert change(backend, adding("coffee", id=memory.id)).state is ChangeState.CREATED
    assert texts(scan_all(backend)) == ["coffee"]


def test_an_empty_workspace_is_deleted_too(backend: Backend) -> None:
    backend.workspaces.put_workspace(HERE, name=None, metadata=None, create=True)
    assert backend.workspaces.delete_workspace(HERE) == 0

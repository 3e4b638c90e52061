"""Work in the background: jobs are done, old tombstones erased, failures survived; and the end is clean."""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.api.inventory import Inventory
from app.api.upkeep import Upkeep
from app.domain.access import LOCAL_ADMIN, Role
from app.domain.job import JobState
from app.domain.memory import MemoryDraft, MemoryKind
from app.errors import StoreBusy
from tests.app.api.world import OTHER_TENANT, make_app, make_client, services_of
from tests.servers.waiting import PATIENCE_S, wait_until

Start = Callable[..., TestClient]
DAY_MS = 86_400_000


class Tomorrow:
    """A clock that is some days ahead."""

    def __init__(self, days: int) -> None:
        self.days = days

    def now_ms(self) -> int:
        return int(time.time() * 1000) + self.days * DAY_MS


def make_upkeep(client: TestClient, *, days_ahead: int) -> Upkeep:
    services = services_of(client)
    return Upkeep(
        services=services,
        inventory=Inventory(services.store, file_bytes=lambda: 0),
        clock=Tomorrow(days_ahead),
        purge_after_days=30,
        observe=lambda: None,
    )


@pytest.mark.parametrize(("days_ahead", "erased"), [(29, 0), (31, 2)])
def test_what_was_deleted_long_ago_is_erased_in_every_tenant(client: TestClient, days_ahead: int, erased: int) -> None:
    services = services_of(client)
    services.keys.issue(LOCAL_ADMIN, name="k", role=Role.ADMIN, workspaces=("*",), tenant_id=OTHER_TENANT)
    for tenant_id in ("default", OTHER_TENANT):
        admin = type(LOCAL_ADMIN)(key_id="x", name="x", tenant_id=tenant_id, role=Role.ADMIN)
        draft = MemoryDraft(kind=MemoryKind.TASK, content="x")
        for content in ("gone", "stays"):
            draft = MemoryDraft(kind=MemoryKind.TASK, content=content)
            memory_id = services.memories.add(admin, "ws", [draft]).outcomes[0].memory_id
            if content == "gone":
                services.memories.delete(admin, "ws", [memory_id])
    assert make_upkeep(client, days_ahead=days_ahead).purge() == erased


def test_a_failure_is_logged_and_the_work_goes_on(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    upkeep = make_upkeep(client, days_ahead=0)

    def fail(error: Exception) -> int:
        raise error

    assert upkeep._attempt("jobs", lambda: fail(StoreBusy())) == 0
    assert upkeep._attempt("jobs", lambda: fail(ValueError("unforeseen"))) == 0
    assert upkeep._attempt("jobs", lambda: 3) == 3
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if '"reme.upkeep"' in line]
    assert [line["status"] for line in lines] == ["error", "error"]
    assert "store-busy" in lines[0]["message"]
    assert lines[1]["error"] == "ValueError"


def test_a_job_survives_the_process_that_took_it_in(tmp_path: Path) -> None:
    store = {"backend": "sqlite"}
    app = make_app(tmp_path, store=store)
    client = make_client(app)  # not entered: nothing works in the background
    body = {"memories": [{"type": "task", "content": "kept for later"}]}
    accepted = client.post("/v1/workspaces/ws/memories:batch", json=body, headers={"Prefer": "respond-async"})
    assert accepted.status_code == 202
    services_of(client).close()
    with make_client(make_app(tmp_path, store=store)) as after:
        job = accepted.headers["Location"]
        wait_until(lambda: after.get(job).json()["state"] == JobState.DONE, lambda: f"the end of {after.get(job).text}")
        assert after.get("/v1/workspaces/ws/memories").json()["items"][0]["content"] == "kept for later"


def test_the_lifespan_ends_cleanly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.api.upkeep.PATIENCE_S", PATIENCE_S)
    app = make_app(tmp_path, store={"backend": "sqlite"})
    with make_client(app) as client:
        assert app.state.api.upkeep._thread.is_alive()
        client.post("/v1/workspaces/ws/memories", json={"type": "task", "content": "x"})
    assert not app.state.api.upkeep._thread.is_alive()
    with make_client(make_app(tmp_path, store={"backend": "sqlite"})) as client:
        assert client.get("/v1/usage").json()["lines"], "buffered counts were written at the end"


def test_ignored_settings_are_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from app.main import create_app
    from app.settings import load_settings

    settings = load_settings(
        [f"working_dir={tmp_path}", "store.backend=memory", "embedding.backend=hashing", "flow.x=1"]
    )
    with make_client(create_app(settings)):
        pass
    warnings = [line for line in capsys.readouterr().err.splitlines() if '"WARNING"' in line]
    assert len(warnings) == 1
    assert "flow.x" in warnings[0]
    assert logging.getLogger("reme").level == logging.INFO

"""`reme migrate`: between folders and a database, killed and resumed, refused, and back."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from app.backends import sqlite
from app.backends.clock import SystemClock
from app.backends.embedders.hashing import HashingEmbedder
from app.domain.change import Add, ChangeBatch
from app.domain.copying import CopyStand, add_up
from app.domain.memory import MemoryDraft, MemoryKind, Scope
from tests.app.commands.conftest import Runner
from tests.servers.waiting import PATIENCE_S, wait_until

HERE = Scope(tenant_id="default", workspace_id="default")


def open_file(folder: Path) -> sqlite.SqliteStore:
    return sqlite.open_store(folder / ".reme" / "memory.db", identity=HashingEmbedder().identity, clock=SystemClock())


def count_rows(folder: Path) -> tuple[int, str]:
    store = open_file(folder)
    try:
        digest = add_up(each for batch in store.copying.read_memories(HERE, after=0) for each in batch.memories)
        return digest.rows, digest.checksum
    finally:
        store.close()


@pytest.fixture
def filled(place: Path) -> Path:
    """A folder with a store of some memories."""
    folder = place / "here"
    folder.mkdir()
    texts = [f"Ada noted fact {number} about subject {number % 9}" for number in range(60)]
    vectors = HashingEmbedder().embed(texts)
    changes = [
        Add(draft=MemoryDraft(kind=MemoryKind.PERSONAL, content=text), vector=vector)
        for text, vector in zip(texts, vectors, strict=True)
    ]
    store = open_file(folder)
    store.memories.commit(ChangeBatch(scope=HERE, changes=tuple(changes)))
    store.close()
    return folder


def test_a_store_moves_to_another_folder_and_back(reme: Runner, filled: Path, place: Path) -> None:
    there = place / "there"
    planned = reme("migrate", "--from", filled, "--to", there, "--dry-run", "--json")
    assert planned.code == 0
    assert [each["memories"] for each in json.loads(planned.out)["workspaces"]] == [60]
    assert not there.exists()
    moved = reme("migrate", "--from", f"sqlite:{filled}", "--to", there, "--objects")
    assert moved.code == 0, moved.err
    assert "1 workspaces: 60 rows" in moved.out
    assert count_rows(filled) == count_rows(there)
    again = reme("migrate", "--from", filled, "--to", there)
    assert (again.code, "nothing was changed" in again.out) == (0, True)
    refused = reme("add", "late", "--working-dir", filled)
    assert refused.code == 1
    assert f"was moved to {there}" in refused.err
    assert reme("search", "fact 7", "--working-dir", filled).code == 0
    assert reme("add", "in time", "--working-dir", there).code == 0
    assert "is open again" in reme("migrate", "--from", filled, "--back").out
    assert "nothing was changed" in reme("migrate", "--from", filled, "--back").out
    assert reme("add", "not late any more", "--working-dir", filled).code == 0


@pytest.mark.xdist_group("postgres")
def test_a_store_moves_to_a_database_and_back(
    reme: Runner, filled: Path, place: Path, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue("postgres_server")
    dsn = server.new_database()
    before = count_rows(filled)
    try:
        moved = reme("migrate", "--from", filled, "--to", dsn, "--workspace", "default", "--json")
        assert moved.code == 0, moved.err
        assert (json.loads(moved.out)["rows"], json.loads(moved.out)["findings"]) == (60, [])
        settings = place / "there.toml"
        settings.write_text(f'[store]\nbackend = "postgres"\n[postgres]\nconnection_string = "{dsn}"\n')
        back = reme("migrate", "--from", settings, "--to", place / "third", "--keep-source-open")
        assert back.code == 0, back.err
        assert count_rows(place / "third") == before
    finally:
        server.drop_database(dsn)


def test_a_difference_is_a_finding(reme: Runner, filled: Path, place: Path) -> None:
    there = place / "there"
    assert reme("migrate", "--from", filled, "--to", there, "--keep-source-open").code == 0
    store = open_file(there)
    (batch,) = store.copying.read_memories(HERE, after=0)
    victim = batch.memories[5].memory
    store.close()
    connection = apsw.Connection(str(there / ".reme" / "memory.db"))
    connection.execute("UPDATE chunks_default SET text = 'forged' WHERE id = ?", (victim.id,))
    connection.close()
    found = reme("migrate", "--from", filled, "--to", there)
    assert found.code == 3
    assert f"memory {victim.id} of workspace default of tenant default differs" in found.err
    assert victim.content not in found.err + found.out
    assert reme("add", "the source stays open", "--working-dir", filled).code == 0


def test_wrong_input_is_one_line(reme: Runner, filled: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = place / "there"
    address = "postgresql://reme:hunter2@127.0.0.1:1/reme"
    for arguments, code, words in (
        (("--from", place / "empty", "--to", there), 2, "there is no store"),
        (("--from", filled), 2, "--to is missing"),
        (("--from", filled, "--to", there, "--back"), 2, "--back takes"),
        (("--from", filled, "--to", filled), 2, "same store"),
        (("--from", filled, "--to", there, "--workspace", "nope"), 2, "has no workspace nope"),
        (("--from", filled, "--to", address), 1, "127.0.0.1:1"),
    ):
        refused = reme("migrate", *arguments)
        assert (refused.code, words in refused.err) == (code, True), refused.err
        assert len(refused.err.strip().splitlines()) == 1, refused.err
        assert "hunter2" not in refused.err
    monkeypatch.setenv("REME_EMBEDDING__BACKEND", "local")
    refused = reme("migrate", "--from", filled, "--to", there)
    assert (refused.code, "embed" in refused.err) == (2, True)


def _kill_after(pause_s: float, command: list[str], target: Path) -> bool:
    """Start a mover, and kill it so long after its target is there; whether it was still at work."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ)) as mover:
        wait_until(lambda: target.exists() or mover.poll() is not None, "the mover to begin")
        time.sleep(pause_s)
        is_at_work = mover.poll() is None
        mover.kill()
    return is_at_work


@pytest.mark.slow
def test_a_mover_that_was_killed_goes_on(filled: Path, place: Path, reme: Runner) -> None:
    """Killed at any moment, the move is taken up again, and what it held of the source lapses."""
    store = open_file(filled)
    (batch,) = store.copying.read_memories(HERE, after=0)
    for number in range(60):  # so many rows that a mover takes a while
        scope = Scope(tenant_id="default", workspace_id=f"w{number}")
        workspace = store.workspaces.put_workspace(scope, name=None, metadata=None, create=True)
        rows = [replace(each, memory=replace(each.memory, scope=scope)) for each in batch.memories]
        stand = CopyStand(source="made", scope=scope, data_key_id=workspace.data_key_id)
        store.copying.put_memories(scope, rows, stand=stand)
    store.close()
    there = place / "there"
    command = [sys.executable, "-m", "app", "migrate", "--from", str(filled), "--to", str(there)]
    pauses_s = (0.1, 0.4, 0.9, 1.6)
    killed = 0
    for pause_s in pauses_s:
        killed += _kill_after(pause_s, command, there / ".reme" / "memory.db")
    assert killed >= 1
    moved = subprocess.run(
        command, capture_output=True, text=True, env=dict(os.environ), check=False, timeout=PATIENCE_S
    )
    assert moved.returncode == 0, moved.stderr
    assert count_rows(filled) == count_rows(there)
    here, new = open_file(filled), open_file(there)
    try:
        assert here.copying.list_scopes() == new.copying.list_scopes()
        assert {scope: here.memories.contents(scope) for scope in here.copying.list_scopes()} == {
            scope: new.memories.contents(scope) for scope in new.copying.list_scopes()
        }
    finally:
        here.close()
        new.close()
    assert reme("add", "late", "--working-dir", filled).code == 1

"""Opening what is not a store, what cannot be written, what is newer or older, and what a dead process left."""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw
import pytest

from app.backends.clock import SystemClock
from app.backends.sqlite import SqliteStore, open_store
from app.backends.sqlite.doctor import examine
from app.backends.sqlite.schema import list_migrations
from app.domain.embedding import EmbeddingIdentity
from app.errors import EmbeddingMismatch, SchemaTooNew, SettingsError, StoreCorrupt, StoreError
from tests.durability.children import open_read_only
from tests.durability.conftest import Grown
from tests.durability.damage import PAGE_BYTES
from tests.durability.invariants import check_file
from tests.durability.observation import EVERYTHING, Ledger, check_searches, search_everything, settle
from tests.durability.processes import start_child
from tests.durability.workers import perform, start_chooser, work_alone
from tests.durability.workload import IDENTITY, scope_of, seed_random, vector_of

WORKER = "w0"


def open_at(path: Path) -> SqliteStore:
    """Open a store with the usual settings."""
    return open_store(path, identity=IDENTITY, clock=SystemClock())


def test_everything_is_equal_after_closing_and_opening(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    store = open_at(path)
    state = work_alone(store, WORKER, operations=60, seed=11)
    answers = search_everything(store, WORKER, state)
    store.close()
    assert [each.name for each in tmp_path.iterdir()] == ["memory.db"]
    store = open_at(path)
    settle(store, Ledger(worker=WORKER, state=state))
    assert search_everything(store, WORKER, state) == answers
    check_file(path)
    store.close()


def test_a_log_that_was_left_behind_is_taken_in(tmp_path: Path) -> None:
    path, copied = tmp_path / "memory.db", tmp_path / "copy" / "memory.db"
    copied.parent.mkdir()
    store = open_at(path)
    state = work_alone(store, WORKER, operations=30, seed=11)
    for name in ("memory.db", "memory.db-wal"):  # what is on the disk when the process goes away now
        shutil.copy(tmp_path / name, copied.with_name(name))
    answers = search_everything(store, WORKER, state)
    store.close()
    assert copied.with_name("memory.db-wal").stat().st_size
    store = open_at(copied)
    settle(store, Ledger(worker=WORKER, state=state))
    assert search_everything(store, WORKER, state) == answers
    check_file(copied)
    store.close()


def test_missing_folders_are_made_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "some" / "where" / ".reme" / "memory.db"
    open_at(path).close()
    assert path.is_file()
    assert path.parent.stat().st_mode & 0o077 == 0


def test_new_folders_reach_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite flushes the folder that its file is in, but not the ones above it that were made for it."""
    flushed: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        flushed.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    open_at(tmp_path / "some" / "where" / "memory.db").close()
    assert {str(tmp_path), str(tmp_path / "some")} <= set(flushed)
    flushed.clear()
    open_at(tmp_path / "some" / "where" / "memory.db").close()
    assert not flushed


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SettingsError, match="file"):
        open_at(tmp_path / "file" / "memory.db")


def test_a_folder_in_place_of_the_file_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "memory.db").mkdir()
    with pytest.raises(StoreError):
        open_at(tmp_path / "memory.db")


@pytest.mark.parametrize(
    "content", [b"not a database, only text\n" * 300, bytes(8192), b"SQLite format 3\0" + b"x" * 9000]
)
def test_what_is_not_a_database_is_said_to_be_damaged_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "memory.db"
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt):
        open_at(path)
    with pytest.raises(StoreError):
        examine(path)
    assert path.read_bytes() == content


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE jobs (title TEXT); INSERT INTO jobs VALUES ('mine')")
    connection.close()
    with pytest.raises(StoreError):
        open_at(path)
    connection = apsw.Connection(str(path))
    assert connection.execute("SELECT * FROM jobs").fetchall() == [("mine",)]
    assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("jobs",)]
    connection.close()


@pytest.mark.parametrize("kept", [100, PAGE_BYTES, 3 * PAGE_BYTES + 17])
def test_a_file_that_was_cut_off_is_said_to_be_damaged(path: Path, kept: int) -> None:
    with path.open("r+b") as file:
        file.truncate(kept)
    with pytest.raises(StoreCorrupt):
        store = open_at(path)
        try:
            settle(store, Ledger(worker=WORKER, state={}))
            store.index.nearest(scope_of(WORKER), vector_of("x"), EVERYTHING, limit=5)
        finally:
            store.close()


def test_a_damaged_header_is_said_to_be_damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[0:100] = seed_random("header").randbytes(100)
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt):
        open_at(path)


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    newest = list_migrations()[-1][0]
    connection = apsw.Connection(str(path))
    connection.execute("INSERT INTO migrations VALUES (?, ?, 'x', 0)", (newest + 1, f"{newest + 1:04d}_later.sql"))
    connection.close()
    with pytest.raises(SchemaTooNew, match=str(newest + 1)):
        open_at(path)
    connection = apsw.Connection(str(path))
    connection.execute("DELETE FROM migrations WHERE version > ?", (newest,))
    connection.close()
    check_file(path)


def test_an_edited_migration_is_refused(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE migrations SET sha256 = 'edited'")
    connection.close()
    with pytest.raises(StoreError, match="0001"):
        open_at(path)


def test_a_store_of_another_embedding_opens_but_takes_no_vectors(path: Path, grown: Grown) -> None:
    other = EmbeddingIdentity(model="other", dimensions=12)
    store = open_store(path, identity=other, clock=SystemClock())
    operation = start_chooser(WORKER, 1, round_number=1).choose({})
    with pytest.raises(EmbeddingMismatch, match="reme reembed"):
        perform(store, WORKER, {}, operation)
    store.close()
    store = open_at(path)
    settle(store, Ledger(worker=WORKER, state=grown.state))
    check_searches(store, WORKER, grown.state, random=seed_random("other"))
    store.close()


@pytest.mark.parametrize("locked", ["folder", "file"])
def test_a_store_that_may_only_be_read_says_so(grown: Grown, locked: str) -> None:
    """Run as a user who may not write, since the superuser may write anywhere."""
    with TemporaryDirectory() as folder:  # in a place that every user may reach
        path = Path(shutil.copy(grown.path, folder)).absolute()
        path.chmod(0o444 if locked == "file" else 0o666)
        path.parent.chmod(0o555 if locked == "folder" else 0o777)
        child = start_child(open_read_only, path, WORKER, grown.state)
        _, errors = child.expect("tried")
        child.finish()
        path.parent.chmod(0o755)
        check_file(path)
    assert errors
    assert {name for name, _ in errors} == {"StoreError"}
    assert all("write" in message for _, message in errors), errors

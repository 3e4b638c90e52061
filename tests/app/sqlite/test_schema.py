"""The file: the document's tables and columns by name, versioned migrations, and settings that reach SQLite."""

from pathlib import Path

import apsw
import pytest

from app.backends.sqlite.connections import Pragmas, open_connection
from app.backends.sqlite.doctor import examine
from app.backends.sqlite.repair import repair
from app.backends.sqlite.schema import list_migrations, migrate
from app.backends.sqlite.statements import select_rows
from app.domain.change import Add, ChangeBatch
from app.domain.job import JobState
from app.domain.memory import MemoryDraft, MemoryKind
from app.domain.query import Comparison, Condition, MemoryFilter
from app.errors import SchemaTooNew, SettingsError, StoreError
from tests.app.sqlite.conftest import HERE, OpenStore, remember

DOCUMENT = {
    "files_default": ["path", "source", "hash", "mtime", "size"],
    "chunks_default": ["id", "path", "source", "start_line", "end_line", "hash", "text", "embedding", "updated_at"],
    "chunks_vec_default": ["id", "embedding"],
    "chunks_fts_default": ["text", "id", "path"],
}
"""Tables and columns of the requirements' §2.1."""


def columns(connection: apsw.Connection, table: str) -> list[str]:
    return [str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")]


@pytest.mark.parametrize("table", DOCUMENT)
def test_the_documents_tables_have_their_columns(opened: OpenStore, table: str) -> None:
    store = opened()
    connection = open_connection(store.path, Pragmas(), readonly=True)
    assert set(DOCUMENT[table]) <= set(columns(connection, table))
    if table != "chunks_fts_default":
        assert {"tenant_id", "workspace_id"} <= set(columns(connection, table))
    connection.close()


def test_a_plain_sqlite_reads_texts_and_sources(opened: OpenStore) -> None:
    store = opened()
    remember(store, "我喜欢喝咖啡", "I like tea")
    connection = apsw.Connection(str(store.path))
    rows = connection.execute(
        "SELECT c.text, f.workspace_id, c.embedding FROM chunks_default c"
        " JOIN files_default f ON f.path = c.path AND f.source = c.source ORDER BY c.number"
    ).fetchall()
    assert rows == [("我喜欢喝咖啡", "here", None), ("I like tea", "here", None)]
    assert connection.execute("SELECT text, id IS NOT NULL FROM chunks_fts_default").fetchall() == [
        ("我喜欢喝咖啡", 1),
        ("I like tea", 1),
    ]
    sql = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'chunks_fts_default'").fetchone()
    assert sql is not None and "trigram" in str(sql[0])
    connection.close()


def test_full_is_the_default_and_wal_the_journal(opened: OpenStore, tmp_path: Path) -> None:
    opened()
    path = tmp_path / ".reme" / "memory.db"
    for name, level in (("FULL", 2), ("NORMAL", 1)):
        other = open_connection(path, Pragmas(synchronous=name, cache_mb=7))
        assert other.execute("PRAGMA synchronous").fetchone() == (level,)
        assert other.execute("PRAGMA cache_size").fetchone() == (-7 * 1024,)
        other.close()
    connection = open_connection(path, Pragmas())
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    with pytest.raises(SettingsError, match="FULL"):
        opened(synchronous="OFF")


def test_readers_cannot_write(opened: OpenStore) -> None:
    store = opened()
    connection = open_connection(store.path, Pragmas(), readonly=True)
    with pytest.raises(apsw.ReadOnlyError):
        connection.execute("DELETE FROM chunks_default")
    connection.close()


def test_migrations_are_applied_once(opened: OpenStore) -> None:
    store = opened()
    connection = open_connection(store.path, Pragmas())
    assert migrate(connection, now_ms=1) == ()
    recorded = connection.execute("SELECT version, name FROM migrations").fetchall()
    assert recorded == [(version, name) for version, name, _ in list_migrations()]
    connection.close()


@pytest.fixture
def first_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store as the first release made it, with a job."""
    path = tmp_path / ".reme" / "memory.db"
    path.parent.mkdir()
    connection = open_connection(path, Pragmas())
    first = list_migrations()[:1]
    with monkeypatch.context() as patched:
        patched.setattr("app.backends.sqlite.schema.list_migrations", lambda: first)
        migrate(connection, now_ms=1)
    connection.execute(
        "INSERT INTO workspaces VALUES (1, 'default', 'here', '', '{}', 'k', 1, 1, 1);"
        "INSERT INTO jobs VALUES (1, 'j', 'default', 'here', 'add', '{\"n\": 1}', 'queued', 1, 1, 0, 0, NULL, '')"
    )
    connection.close()
    return path


def test_jobs_of_an_earlier_release_are_claimed(first_release: Path, opened: OpenStore) -> None:
    assert examine(first_release) == ()
    store = opened()
    claimed = store.jobs.claim(["add"], lease_ms=1000)
    assert claimed is not None
    assert (claimed.id, claimed.payload, claimed.not_before_ms) == ("j", {"n": 1}, None)
    store.jobs.finish(claimed.id, claimed.token, JobState.DONE)


def test_a_damaged_store_of_an_earlier_release_is_repaired(first_release: Path, opened: OpenStore) -> None:
    connection = apsw.Connection(str(first_release))
    sql = "SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = 'chunks_default_hash'"
    ((root, page_bytes),) = select_rows(connection, sql)
    connection.close()
    with first_release.open("r+b") as file:
        file.seek((root - 1) * page_bytes)
        file.write(b"\xff" * 100)
    assert "pages" in {finding.check for finding in repair(first_release)}
    assert examine(first_release) == ()
    assert opened().jobs.find(HERE, "j").payload == {"n": 1}


def test_a_record_of_migrations_that_makes_no_sense_is_made_anew(opened: OpenStore) -> None:
    store = opened()
    remember(store, "tea")
    store.close()
    connection = open_connection(store.path, Pragmas())
    connection.execute("UPDATE migrations SET version = 200 WHERE version = 2")
    connection.close()
    with pytest.raises(StoreError, match="reme doctor"):
        opened()
    assert [finding.check for finding in examine(store.path)] == ["pages"]
    repair(store.path)
    assert examine(store.path) == ()
    assert [memory.content for memory in opened().memories.scan(HERE, MemoryFilter(), limit=9).items] == ["tea"]


def test_a_store_of_a_newer_release_is_refused(opened: OpenStore) -> None:
    store = opened()
    store.close()
    connection = open_connection(store.path, Pragmas())
    connection.execute("INSERT INTO migrations VALUES (9999, '9999_later.sql', 'x', 1)")
    connection.close()
    with pytest.raises(SchemaTooNew, match="9999"):
        opened()


def test_an_edited_migration_is_refused(opened: OpenStore) -> None:
    store = opened()
    store.close()
    connection = open_connection(store.path, Pragmas())
    connection.execute("UPDATE migrations SET sha256 = 'other'")
    connection.close()
    with pytest.raises(StoreError, match="differs"):
        opened()


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 2**63, -(2**70), 10**400, -(10**400)])
def test_integers_of_any_size_are_metadata(opened: OpenStore, number: int) -> None:
    store = opened()
    draft = MemoryDraft(kind=MemoryKind.TOOL, content="large", metadata={"n": number})
    store.memories.commit(ChangeBatch(scope=HERE, changes=(Add(draft=draft, vector=None),)))
    for comparison in (Comparison.EQ, Comparison.GTE, Comparison.LTE):
        wanted = MemoryFilter(conditions=(Condition(key="n", comparison=comparison, values=(number,)),))
        (found,) = store.memories.scan(HERE, wanted, limit=5).items
        assert found.metadata == {"n": number}

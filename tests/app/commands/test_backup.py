"""`reme backup` and `reme restore`: there and back, between stores, while the service writes, damaged, killed, full."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from app import backup_places
from app.backends import postgres, sqlite
from app.backends.clock import SystemClock
from app.backends.embedders.hashing import HashingEmbedder
from app.domain.access import ApiKey, Role
from app.domain.backups import Show
from app.domain.change import Add, ChangeBatch, Delete
from app.domain.copying import Digest, add_up
from app.domain.memory import MemoryDraft, MemoryKind, Scope
from tests.app.commands.conftest import Runner
from tests.servers.buckets import Buckets
from tests.servers.postgres import Databases
from tests.servers.waiting import wait_until

ROOT = Path(__file__).parents[3]
EMBEDDER = HashingEmbedder()
SCOPES = tuple(Scope(tenant_id="default", workspace_id=name) for name in ("default", "lab"))
ROWS = 620
"""More than one batch of a copy."""


def open_file(folder: Path) -> Any:
    return sqlite.open_store(folder / ".reme" / "memory.db", identity=EMBEDDER.identity, clock=SystemClock())


def open_database(dsn: str) -> Any:
    return postgres.open_store(dsn, identity=EMBEDDER.identity, clock=SystemClock(), min_pool_size=1, max_pool_size=4)


def fill(store: Any) -> None:
    """Memories, a tombstone, a user, a job and a key."""
    for scope in SCOPES:
        texts = [
            f"Ada noted fact {number} about subject {number % 9} in {scope.workspace_id}" for number in range(ROWS)
        ]
        changes = [
            Add(draft=MemoryDraft(kind=MemoryKind.PERSONAL, content=text), vector=vector)
            for text, vector in zip(texts, EMBEDDER.embed(texts), strict=True)
        ]
        made = store.memories.commit(ChangeBatch(scope=scope, changes=tuple(changes))).outcomes
        store.memories.commit(ChangeBatch(scope=scope, changes=(Delete(memory_id=made[1].memory_id),)))
        store.users.put_user(scope, "ada", name="Ada", metadata={"team": "x"})
        store.jobs.enqueue(scope, "distil", {"text": "later"})
    store.keys.put_key(
        ApiKey(
            id="k1",
            secret_sha256="0" * 64,
            name="laptop",
            tenant_id="default",
            role=Role.READER,
            workspaces=(),
            created_ms=1,
            expires_ms=2_000_000_000_000,
        )
    )


def look(store: Any) -> list[tuple[Digest, object, object, object, object]]:
    """What a store holds, but for what each counts for itself."""
    with closing(store):
        return [
            (
                add_up(each for batch in store.copying.read_memories(scope, after=0) for each in batch.memories),
                store.memories.contents(scope),
                store.users.list_users(scope, limit=9).items,
                tuple((job.id, job.payload) for job in store.copying.read_jobs(scope)),
                store.keys.list_keys(),
            )
            for scope in SCOPES
        ]


@pytest.fixture
def filled(place: Path) -> Path:
    folder = place / "here"
    with closing(open_file(folder)) as store:
        fill(store)
    return folder


@pytest.fixture
def new_database(postgres_server: Databases) -> Iterator[Callable[[], str]]:
    made: list[str] = []

    def make() -> str:
        made.append(postgres_server.new_database())
        return made[-1]

    yield make
    for dsn in made:
        postgres_server.drop_database(dsn)


def write_settings(place: Path, dsn: str) -> Path:
    path = place / f"{dsn.rpartition('/')[2]}.toml"
    path.write_text(f'[store]\nbackend = "postgres"\n[postgres]\nconnection_string = "{dsn}"\n')
    return path


def start(module: str, *arguments: object, **options: Any) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", module, *map(str, arguments)]
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=variables, check=False, timeout=180, **options)


def list_ids(reme: Runner, target: object) -> list[tuple[str, str | None]]:
    return [
        (each["id"], each["problem"]) for each in json.loads(reme("backup", target, "--list", "--json").out)["items"]
    ]


class TestThereAndBack:
    def test_a_file_comes_back_as_it_was(self, reme: Runner, filled: Path, place: Path) -> None:
        before = look(open_file(filled))
        made = reme("backup", "one", "two", "--working-dir", filled, "--json")
        assert made.code == 0, made.err
        facts = json.loads(made.out)
        assert facts["counts"]["chunks_default"] == 2 * ROWS
        assert [each["error"] for each in facts["targets"]] == [None, None]
        for target in ("one", "two"):
            assert list_ids(reme, target) == [(facts["id"], None)]
        assert "sound, 1,240 memories" in reme("backup", "one", "--verify").out
        restored = reme("restore", "two", "--working-dir", place / "there")
        assert restored.code == 0, restored.err
        assert look(open_file(place / "there")) == before
        assert reme("doctor", "--working-dir", place / "there").code == 0
        assert (place / "there" / ".reme").stat().st_mode & 0o777 == 0o700
        with closing(open_file(filled)) as old, closing(open_file(place / "there")) as new:
            assert old.copying.node_id() != new.copying.node_id()

    def test_a_store_with_content_is_replaced_only_when_asked_for(self, reme: Runner, filled: Path) -> None:
        reme("backup", "kept", "--working-dir", filled)
        reme("add", "written since", "--working-dir", filled)
        before = look(open_file(filled))
        refused = reme("restore", "kept", "--working-dir", filled)
        assert (refused.code, refused.out) == (2, "")
        assert "holds something" in refused.err
        assert reme("restore", "kept", "--replace", "--working-dir", filled, stdin=b"n\n").code == 1
        assert look(open_file(filled)) == before
        done = json.loads(reme("restore", "kept", "--replace", "--yes", "--json", "--working-dir", filled).out)
        aside = filled / "aside"
        (aside / ".reme").mkdir(parents=True)
        Path(done["kept"]).rename(aside / ".reme" / "memory.db")
        assert look(open_file(aside)) == before
        assert look(open_file(filled)) != before

    def test_the_store_of_a_service_that_runs_is_left_alone(self, reme: Runner, filled: Path) -> None:
        reme("backup", "kept", "--working-dir", filled)
        with closing(open_file(filled)) as store:
            store.memories.contents(SCOPES[0])
            refused = reme("restore", "kept", "--replace", "--yes", "--working-dir", filled)
            assert refused.code == 1
            assert "stop the service" in refused.err

    def test_old_backups_go(self, reme: Runner, filled: Path) -> None:
        ids = [json.loads(reme("backup", "kept", "--json", "--working-dir", filled).out)["id"] for _ in range(2)]
        last = json.loads(reme("backup", "kept", "--keep", "2", "--json", "--working-dir", filled).out)
        assert last["targets"][0]["removed"] == [ids[0]]
        assert [each for each, _ in list_ids(reme, "kept")] == [last["id"], ids[1]]

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["backup"], "TARGET"),
            (["backup", "s3://B/x"], "is no place for backups"),
            (["backup", "ftp://host/x"], "is no place for backups"),
            (["backup", "s3://bucket/x", "--keep", "3"], "lifecycle"),
            (["backup", "x", "--list", "--verify"], "give one of them"),
            (["backup", "x", "--backup", "y"], "--verify"),
            (["backup", "x", "--verify", "--backup", "y"], "is no backup's id"),
            (["backup", "x", "--verify"], "no whole backup"),
            (["restore", "x"], "no whole backup"),
            (["backup", "x"], "there is no store"),
        ],
    )
    def test_bad_input(self, reme: Runner, arguments: list[str], words: str) -> None:
        done = reme(*arguments)
        assert (done.code, done.out) == (2, "")
        assert words in done.err


@pytest.mark.xdist_group("postgres")
class TestDatabases:
    def test_a_file_becomes_a_database_and_a_file_again(
        self, reme: Runner, filled: Path, place: Path, new_database: Callable[[], str]
    ) -> None:
        before = look(open_file(filled))
        dsn = new_database()
        settings = write_settings(place, dsn)
        assert reme("backup", "kept", "--working-dir", filled).code == 0
        restored = reme("restore", "kept", "--config", settings)
        assert restored.code == 0, restored.err
        assert look(open_database(dsn)) == before
        refused = reme("restore", "kept", "--config", settings)
        assert refused.code == 2
        assert "has this backup already" in refused.err
        made = reme("backup", "again", "--config", settings)
        assert made.code == 0, made.err
        assert reme("restore", "again", "--working-dir", place / "back").code == 0
        assert look(open_file(place / "back")) == before

    def test_a_database_with_content_is_left_alone(
        self, reme: Runner, filled: Path, place: Path, new_database: Callable[[], str]
    ) -> None:
        dsn = new_database()
        with closing(open_database(dsn)) as store:
            store.workspaces.put_workspace(SCOPES[0], name="mine", metadata={}, create=True)
        reme("backup", "kept", "--working-dir", filled)
        refused = reme("restore", "kept", "--config", write_settings(place, dsn))
        assert refused.code == 2
        assert "holds workspace default" in refused.err
        with closing(open_database(dsn)) as store:
            assert store.workspaces.get_workspace(SCOPES[0]).name == "mine"

    @pytest.mark.slow
    def test_a_restore_that_is_killed_goes_on(
        self, reme: Runner, filled: Path, place: Path, new_database: Callable[[], str]
    ) -> None:
        before = look(open_file(filled))
        dsn = new_database()
        restoring = ("restore", place / "kept", "--config", write_settings(place, dsn))
        reme("backup", "kept", "--working-dir", filled)
        for method, number in (("read", 2), ("put_memories", 1), ("put_memories", 1), ("put_jobs", 1)):
            died = start("tests.app.commands.dying_backup", method, number, *restoring)
            assert died.returncode == -signal.SIGKILL, died.stderr
        done = start("app", *restoring)
        assert done.returncode == 0, done.stderr
        assert look(open_database(dsn)) == before


def test_a_bucket_keeps_backups(
    reme: Runner, filled: Path, place: Path, seaweed_server: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = look(open_file(filled))
    dumps, archive = (f"s3://{seaweed_server.new_bucket()}/{name}" for name in ("dumps", "deep/archive"))
    for name, value in {
        "ENDPOINT": seaweed_server.endpoint,
        "REGION": seaweed_server.region,
        "ACCESS_KEY": seaweed_server.access_key,
        "SECRET_KEY": seaweed_server.secret_key,
        "PATH_STYLE": "true",
    }.items():
        monkeypatch.setenv(f"REME_STORAGE__{name}", value)
    made = reme("backup", dumps, archive, "--working-dir", filled)
    assert made.code == 0, made.err
    assert reme("backup", archive, "--verify", "--working-dir", filled).code == 0
    assert [problem for _, problem in list_ids(reme, dumps)] == [None]
    restored = reme("restore", dumps, "--working-dir", place / "there")
    assert restored.code == 0, restored.err
    assert look(open_file(place / "there")) == before
    (place / "blocked").write_text("a file, no folder")
    half = reme("backup", "blocked", dumps, "--working-dir", filled)
    assert half.code == 1
    assert "no backup was made in blocked" in half.err
    assert [problem for _, problem in list_ids(reme, dumps)] == [None, None]
    monkeypatch.setenv("REME_STORAGE__SECRET_KEY", "wrong-" + seaweed_server.secret_key)
    refused = reme("backup", dumps, "--working-dir", filled)
    assert refused.code == 1
    assert seaweed_server.secret_key not in refused.err + half.err + made.err


@contextmanager
def writing(path: Path, command: list[str]) -> Iterator[None]:
    """A process that writes and notes what was acknowledged."""
    worker = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})

    def goes_on() -> bool:
        assert worker.poll() is None
        return path.exists() and len(path.read_text().splitlines()) > 50

    try:
        wait_until(goes_on, "some pairs")
        yield
    finally:
        worker.kill()
        worker.wait()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def test_a_service_that_writes_does_not_tear_a_copy(
    reme: Runner,
    filled: Path,
    place: Path,
    backend: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    acknowledged = place / "acknowledged"
    take_copy = backup_places.take_copy
    before: list[str] = []

    def take_while_it_writes(settings: Any, scratch: Path, show: Show) -> Any:
        def show_and_wait(done: int, total: int) -> None:
            show(done, total)
            wait_until(lambda: len(acknowledged.read_text().split()) > len(before), "a pair that is written meanwhile")

        return take_copy(settings, scratch, show_and_wait)

    monkeypatch.setattr(backup_places, "take_copy", take_while_it_writes)
    if backend == "sqlite":
        where, chosen = str(filled), ["--working-dir", str(filled)]
    else:
        where = request.getfixturevalue("new_database")()
        chosen = ["--config", str(write_settings(place, where))]
        with closing(open_database(where)) as store:
            fill(store)
    command = [sys.executable, "-m", "tests.app.commands.pair_writer", where, str(acknowledged)]
    with writing(acknowledged, command):
        for number in range(3):
            before = acknowledged.read_text().split()
            made = reme("backup", f"kept{number}", *chosen)
            assert made.code == 0, made.err
            assert len(acknowledged.read_text().split()) > len(before)
            assert reme("restore", f"kept{number}", "--working-dir", place / f"back{number}").code == 0
            with closing(open_file(place / f"back{number}")) as store:
                batches = store.copying.read_memories(SCOPES[0], after=0)
                texts = {each.memory.content for batch in batches for each in batch.memories}
            assert {f"left {each}" for each in before} <= texts
            # Each batch adds a pair: a copy that was torn has one without the other.
            pairs = [{text.split()[1] for text in texts if text.startswith(side)} for side in ("left", "right")]
            assert pairs[0] == pairs[1]


class TestDamage:
    def test_damage_to_each_file_is_found(
        self, reme: Runner, filled: Path, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.backup_places.PART_LIMIT_BYTES", 600_000)
        reme("backup", "kept", "--working-dir", filled)
        files = [file for file in (place / "kept").rglob("*") if file.is_file()]
        assert {file.name for file in files} >= {"manifest", "store-000001", "store-000002"}
        for file in files:
            content = file.read_bytes()
            for harm in (_flip, lambda text: text[:-1], lambda _: b""):
                file.write_bytes(harm(content))
                found = reme("backup", "kept", "--verify", "--backup", file.parent.name)
                assert found.code == 3, (file.name, found.err)
                refused = reme("restore", "kept", "--backup", file.parent.name, "--working-dir", place / "there")
                assert refused.code == 1
                assert "damaged" in refused.err
                assert not (place / "there" / ".reme" / "memory.db").exists()
            file.unlink()
            gone = reme("restore", "kept", "--backup", file.parent.name, "--working-dir", place / "there")
            assert gone.code in (1, 2)
            file.write_bytes(content)
        assert reme("backup", "kept", "--verify").code == 0

    def test_a_killed_backup_is_none_and_the_next_one_is_whole(self, reme: Runner, filled: Path, place: Path) -> None:
        died = start("tests.app.commands.dying_backup", "put", 1, "backup", place / "kept", "--working-dir", filled)
        assert died.returncode == -signal.SIGKILL, died.stderr
        ((_, problem),) = list_ids(reme, "kept")
        assert problem == "not finished"
        assert reme("restore", "kept", "--working-dir", place / "there").code == 2
        assert reme("backup", "kept", "--working-dir", filled).code == 0
        assert sorted(str(each) for _, each in list_ids(reme, "kept")) == ["None", "not finished"]
        assert [each.name for each in (filled / ".reme" / "backup-scratch").iterdir()] == ["lock"]

    def test_a_killed_restore_begins_anew(self, reme: Runner, filled: Path, place: Path) -> None:
        reme("backup", "kept", "--working-dir", filled)
        restoring = ("restore", place / "kept", "--working-dir", place / "there")
        died = start("tests.app.commands.dying_backup", "read", 2, *restoring)
        assert died.returncode == -signal.SIGKILL, died.stderr
        assert not (place / "there" / ".reme" / "memory.db").exists()
        assert reme(*restoring).code == 0
        assert look(open_file(place / "there")) == look(open_file(filled))

    def test_a_full_disk_leaves_no_backup_and_an_unharmed_store(self, reme: Runner, filled: Path, place: Path) -> None:
        before = look(open_file(filled))

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        full = start("app", "backup", place / "kept", "--working-dir", filled, preexec_fn=limit)
        assert full.returncode == 1, full.stderr
        assert "limit on the size of files" in full.stderr
        assert list_ids(reme, "kept") == []
        reme("backup", "kept", "--working-dir", filled)
        full = start("app", "restore", place / "kept", "--working-dir", place / "there", preexec_fn=limit)
        assert full.returncode == 1, full.stderr
        assert "free some space" in full.stderr
        assert not (place / "there" / ".reme" / "memory.db").exists()
        assert look(open_file(filled)) == before

    def test_a_target_without_room_gets_nothing(
        self, reme: Runner, filled: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from app.backends.objects.local import LocalObjectStore
        from app.errors import StoreFull

        put = LocalObjectStore.put

        def put_or_fail(self: LocalObjectStore, name: str, content: bytes) -> None:
            if name.endswith("manifest") and "small" in str(self._folder):
                raise StoreFull
            put(self, name, content)

        monkeypatch.setattr(LocalObjectStore, "put", put_or_fail)
        half = reme("backup", "small", "large", "--working-dir", filled)
        assert half.code == 1
        assert "no backup was made in small" in half.err
        assert list_ids(reme, "small") == []
        assert [problem for _, problem in list_ids(reme, "large")] == [None]


def _flip(content: bytes) -> bytes:
    """The same with one bit of its middle turned."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]

"""Group commit, the pool of readers, and slabs of limited size."""

import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from app.backends.sqlite.connections import Pragmas, Writer, open_connection
from app.domain.memory import Scope
from app.domain.query import MemoryFilter
from app.domain.usage import UsageRecord
from app.errors import NotFound, StoreError
from tests.app.sqlite.conftest import EMBEDDER, HERE, OpenStore, remember
from tests.servers.waiting import PATIENCE_S, wait_until


def test_pieces_that_wait_together_are_committed_together(opened: OpenStore) -> None:
    store = opened()
    connection = open_connection(store.path, Pragmas())
    connection.execute("CREATE TABLE probe (n INTEGER)")
    commits: list[int] = []

    def count_commit() -> bool:
        commits.append(1)
        return False

    connection.set_commit_hook(count_commit)
    writer = Writer(connection)
    held, go = threading.Event(), threading.Event()

    def hold(_: apsw.Connection) -> None:
        held.set()
        go.wait(PATIENCE_S)

    with ThreadPoolExecutor(21) as pool:
        first = pool.submit(writer.write, hold)
        assert held.wait(PATIENCE_S)
        others = [
            pool.submit(writer.write, lambda c, n=n: c.execute("INSERT INTO probe VALUES (?)", (n,)).fetchall())
            for n in range(20)
        ]
        wait_until(lambda: writer.waiting == 20, "twenty pieces")
        go.set()
        for future in [first, *others]:
            future.result(PATIENCE_S)
    writer.close()
    assert len(commits) == 2  # the piece that held the writer, then the twenty in one transaction


def test_a_piece_that_fails_takes_nothing_with_it(opened: OpenStore) -> None:
    store = opened()
    connection = open_connection(store.path, Pragmas())
    connection.execute("CREATE TABLE probe (n INTEGER UNIQUE)")
    writer = Writer(connection)

    def insert_then_fail(c: apsw.Connection) -> None:
        c.execute("INSERT INTO probe VALUES (1)")
        raise NotFound("no")

    with pytest.raises(NotFound):
        writer.write(insert_then_fail)
    writer.write(lambda c: c.execute("INSERT INTO probe VALUES (1)").fetchall())
    with pytest.raises(StoreError):
        writer.write(lambda c: c.execute("INSERT INTO probe VALUES (1)").fetchall())
    with pytest.raises(ZeroDivisionError):
        writer.write(lambda c: 1 / 0)
    assert writer.write(lambda c: c.execute("SELECT count(*) FROM probe").fetchall()) == [(1,)]
    writer.close()
    with pytest.raises(StoreError, match="closed"):
        writer.write(lambda c: None)


LIMITED = """
import resource, sys
from pathlib import Path
from app.backends.clock import SystemClock
from app.backends.embedders.hashing import HashingEmbedder
from app.backends.sqlite import open_store
from app.domain.memory import Scope
from app.errors import StoreFull
path = Path(sys.argv[1])
store = open_store(path, identity=HashingEmbedder(dimensions=64).identity, clock=SystemClock())
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 300_000, limits[1]))
scope, written = Scope(tenant_id="default", workspace_id="w"), 0
try:
    while written < 1000:
        store.jobs.enqueue(scope, "add", {"text": "x" * 20_000})
        written += 1
except StoreFull as error:
    print(error.status, "ulimit -f" in error.message, written > 0)
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
store.jobs.enqueue(scope, "add", {})
claimed = 0
while store.jobs.claim(("add",), lease_ms=60_000):
    claimed += 1
print(claimed - written)
store.close()
"""


def test_a_limit_on_the_size_of_files_is_a_full_store(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "memory.db")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["507", "True", "True", "1"], "what was acknowledged is there, and writing goes on"


def test_a_closed_store_says_so(opened: OpenStore) -> None:
    store = opened()
    remember(store, "one")
    store.close()
    store.close()
    for call in (
        lambda: remember(store, "two"),
        lambda: store.memories.get(HERE, ["0" * 32]),
        lambda: store.index.matching(HERE, "one", MemoryFilter(), limit=1),
    ):
        with pytest.raises(StoreError, match="closed"):
            call()


def test_slabs_beyond_the_limit_are_let_go_and_come_back(opened: OpenStore) -> None:
    store = opened(slab_cache_mb=0)
    scopes = [Scope(tenant_id="default", workspace_id=f"w{n}") for n in range(5)]
    for scope in scopes:
        remember(store, f"tea in {scope.workspace_id}", scope=scope)
    for _ in range(2):
        for scope in scopes:
            found = store.index.nearest(scope, EMBEDDER.embed_query("tea"), MemoryFilter(), limit=5)
            assert len(found) == 1
            assert store.index.slabs_held == 1


def test_a_store_closes_though_the_last_counts_cannot_be_written(
    opened: OpenStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="reme")  # a service of another test may have raised it
    store = opened(busy_timeout_ms=0)
    remember(store, "one")
    holder = apsw.Connection(str(store.path))
    holder.execute("BEGIN IMMEDIATE")
    store.meter.record(
        [UsageRecord(tenant_id="default", workspace_id="here", day="2026-11-22", operation="add", items=1)]
    )
    store.close()
    holder.execute("ROLLBACK")
    holder.close()
    assert "counts of use were not written" in caplog.text
    with pytest.raises(StoreError, match="closed"):
        remember(store, "two")


def test_counts_on_their_way_to_the_file_are_read(opened: OpenStore) -> None:
    store = opened()
    record = UsageRecord(tenant_id="default", workspace_id="w", day="2026-11-22", operation="retrieve")
    held, go = threading.Event(), threading.Event()

    def hold(_: apsw.Connection) -> None:
        held.set()
        go.wait(PATIENCE_S)

    with ThreadPoolExecutor(3) as pool:
        pool.submit(store.memories._writer.write, hold)
        assert held.wait(PATIENCE_S)
        store.meter.record([record])  # from now on the meter's own thread brings nothing into the file either
        pool.submit(store.meter.flush)
        wait_until(lambda: store.meter._flushing.locked() and not store.meter._counts, "counts on their way")
        reading = pool.submit(store.meter.read, "default")
        threading.Event().wait(0.05)  # for the reader to begin; one that begins later finds the counts in the file
        go.set()
        assert [line.calls for line in reading.result(PATIENCE_S)] == [1]

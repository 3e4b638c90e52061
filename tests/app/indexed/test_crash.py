"""A process that dies between its write and the index loses nothing, and nothing is built anew for it."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.backends import sqlite
from app.backends.chroma import open_index
from app.backends.clock import SystemClock
from app.domain.query import MemoryFilter
from tests.app.contract.samples import ALL, HERE, IDENTITY, found_texts, vector_of
from tests.app.indexed.child import LEASE_MS, TEXTS
from tests.app.indexed.conftest import OpenIndexed
from tests.servers.waiting import PATIENCE_S, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chroma")]
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("stage", ["committed", "claimed", "settled"])
def test_a_crash_after_the_commit(chroma_server: Any, tmp_path: Path, open_indexed: OpenIndexed, stage: str) -> None:
    place = (chroma_server.host, chroma_server.port, f"crash-{tmp_path.name.replace('_', '-')}-{stage}")
    done = subprocess.run(
        [sys.executable, "-m", "tests.app.indexed.child", str(tmp_path), *map(str, place), stage],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    store = sqlite.open_store(tmp_path / "memory.db", identity=IDENTITY, clock=SystemClock())
    index = open_index(*place[:2], name=place[2], search_timeout_s=PATIENCE_S, timeout_s=PATIENCE_S)
    both = open_indexed(store, index, indexing=False)
    expected = {*TEXTS, "new"} - {TEXTS[1]}
    assert both.collection.mark == done.stdout.decode().strip(), "the collection is the same"

    def search(wanted: MemoryFilter = ALL) -> set[str]:
        return set(found_texts(both, both.index.nearest(HERE, vector_of("query"), wanted, limit=50)))

    assert search() == expected
    assert search(MemoryFilter(tags=("changed",))) == {TEXTS[0]}
    assert both.index.counts.by_store == 0
    both.indexer.start()
    wait_until(lambda: not store.feed.waiting(limit=1), f"what was claimed for {LEASE_MS} ms to be told")
    assert search() == expected
    alone = index.nearest(HERE, vector_of("query"), ALL, limit=50, now_ms=SystemClock().now_ms())
    assert set(found_texts(both, alone)) == expected
    assert index.count() == len(expected)
    index.drop()

"""Embeddings in a file: they outlive the process, stay within their bounds and are never needed."""

import logging
import multiprocessing
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import numpy as np
import pytest

from app.backends.clock import SteppingClock, SystemClock
from app.backends.sqlite.embedding_cache import KEEP_DAYS, SqliteVectorCache
from app.backends.sqlite.statements import select_number
from app.domain.embedding import EmbeddingIdentity, Vector
from app.errors import SettingsError
from app.service.embedding_cache import CachingEmbedder
from tests.app.service.test_embedding_cache import CountingEmbedder

DAY_MS = 86_400_000
DIMENSIONS = 16
Open = Callable[..., SqliteVectorCache]


def vector(number: int) -> Vector:
    return np.full(DIMENSIONS, number, np.float32)


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def known(cache: SqliteVectorCache, *numbers: int) -> set[int]:
    found = cache.recall([key(number) for number in numbers], dimensions=DIMENSIONS)
    for name, value in found.items():
        np.testing.assert_array_equal(value, vector(int.from_bytes(name, "big")))
    return {int.from_bytes(name, "big") for name in found}


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


@pytest.fixture
def open_cache(tmp_path: Path, clock: SteppingClock) -> Iterator[Open]:
    """Opens the cache of this test; what was opened is closed at the end."""
    opened: list[SqliteVectorCache] = []

    def open_here(entries: int = 10) -> SqliteVectorCache:
        opened.append(SqliteVectorCache(tmp_path / "new" / "embeddings.db", entries=entries, clock=clock))
        return opened[-1]

    yield open_here
    for cache in opened:
        cache.close()


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The warnings that were logged."""
    caplog.set_level(logging.WARNING, logger="reme")
    return caplog


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "embeddings.db"


def test_vectors_survive_a_restart(open_cache: Open, path: Path) -> None:
    cache = open_cache()
    assert not path.exists(), "nothing is opened before it is needed"
    assert known(cache, 1) == set()
    cache.keep({key(1): vector(1), key(2): vector(2)})
    cache.close()
    assert known(cache, 1) == set()
    assert known(open_cache(), 1, 2, 3) == {1, 2}


def test_the_file_is_bounded_and_forgets_what_was_unused_longest(open_cache: Open, clock: SteppingClock) -> None:
    cache = open_cache(entries=10)
    for number in range(10):
        cache.keep({key(number): vector(number)})
        clock.step()
    assert known(cache, 0) == {0}
    clock.step()
    cache.keep({key(number): vector(number) for number in range(10, 15)})
    assert known(cache, *range(15)) == {0, 6, 7, 8, 9, 10, 11, 12, 13, 14}
    cache.keep({key(number): vector(number) for number in range(100, 150)})
    assert len(known(cache, *range(150))) == 10


def test_what_nobody_asks_for_goes(open_cache: Open, clock: SteppingClock) -> None:
    cache = open_cache()
    cache.keep({key(1): vector(1), key(2): vector(2)})
    clock.step(KEEP_DAYS * DAY_MS - 1)
    assert known(cache, 1) == {1}
    cache.keep({key(3): vector(3)})
    clock.step(2)
    cache.keep({key(4): vector(4)})
    assert known(cache, 1, 2, 3, 4) == {1, 3, 4}


def test_a_vector_that_does_not_read_as_written_is_not_known(open_cache: Open, path: Path) -> None:
    cache = open_cache()
    cache.keep({key(number): vector(number) for number in (1, 2, 3, 4)})
    cache.close()
    connection = apsw.Connection(str(path))
    with connection:
        connection.execute("UPDATE vectors SET vector = zeroblob(64) WHERE key = ?", (key(1),))
        connection.execute("UPDATE vectors SET vector = x'00' WHERE key = ?", (key(2),))
        connection.execute("UPDATE vectors SET vector = 7 WHERE key = ?", (key(4),))
    connection.close()
    assert known(open_cache(), 1, 2, 3, 4) == {3}
    assert open_cache().recall([key(3)], dimensions=DIMENSIONS + 1) == {}


def test_more_keys_than_a_statement_takes(open_cache: Open) -> None:
    cache = open_cache(entries=3000)
    cache.keep({key(number): vector(number) for number in range(2001)})
    assert len(known(cache, *range(2001))) == 2001


@pytest.mark.parametrize("content", [b"this is no database, and long enough to be read as one" * 20, b"\0" * 5000])
def test_without_a_file_that_reads_it_goes_on(
    open_cache: Open, path: Path, told: pytest.LogCaptureFixture, content: bytes
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    within = CountingEmbedder()
    embedder = CachingEmbedder(within, 0, kept=open_cache())
    for _ in range(3):
        embedder.embed_query("secret text")
    assert within.asked == ["query secret text"] * 3
    assert [record.name for record in told.records] == ["reme.embeddings"]
    assert "a damaged file may be removed" in told.text
    assert "secret text" not in told.text
    assert path.read_bytes() == content


def test_a_damaged_page_is_survived(open_cache: Open, path: Path, told: pytest.LogCaptureFixture) -> None:
    cache = open_cache(entries=2000)
    cache.keep({key(number): vector(number) for number in range(1000)})
    cache.close()
    damaged = bytearray(path.read_bytes())
    damaged[4096:] = b"\x5a" * (len(damaged) - 4096)
    path.write_bytes(damaged)
    again = open_cache(entries=2000)
    for number in range(5):
        assert known(again, number) == set()
        again.keep({key(number): vector(number)})
    assert len(told.records) == 1


def test_another_writers_lock_is_not_waited_out(open_cache: Open, path: Path, told: pytest.LogCaptureFixture) -> None:
    cache = open_cache()
    cache.keep({key(1): vector(1)})
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    cache.keep({key(2): vector(2)})
    cache.keep({key(3): vector(3)})
    assert known(cache, 1, 2, 3) == {1}
    other.execute("ROLLBACK")
    other.close()
    assert len(told.records) == 1
    cache.keep({key(4): vector(4)})
    assert known(cache, 1, 2, 3, 4) == {1, 4}, "the lock has passed"


def test_a_folder_that_cannot_be_made(tmp_path: Path, told: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = SqliteVectorCache(tmp_path / "file" / "embeddings.db", entries=5, clock=SystemClock())
    cache.keep({key(1): vector(1)})
    assert known(cache, 1) == set()
    cache.close()
    assert len(told.records) == 1


def test_none_are_kept_where_none_may(open_cache: Open, path: Path) -> None:
    cache = open_cache(entries=0)
    cache.keep({key(1): vector(1)})
    assert known(cache, 1) == set()
    assert not path.exists()
    with pytest.raises(SettingsError, match="-1 embeddings"):
        open_cache(entries=-1)


def keep_some(path: Path, first: int) -> int:
    """Keep fifty vectors, one at a time; returns how many of them are known right after."""
    cache = SqliteVectorCache(path, entries=120, clock=SystemClock())
    found = 0
    for number in range(first, first + 50):
        cache.keep({key(number): vector(number)})
        found += len(known(cache, number))  # later the others may have pushed it out
    cache.close()
    return found


def test_processes_share_the_file(path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = pool.starmap(keep_some, [(path, first) for first in (0, 50, 100, 150)])
    assert all(found)
    connection = apsw.Connection(str(path))
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    count = select_number(connection, "SELECT count(*) FROM vectors")
    connection.close()
    assert 50 <= count <= 120


class OtherModel(CountingEmbedder):
    """The same vectors under another name."""

    @property
    def identity(self) -> EmbeddingIdentity:
        return EmbeddingIdentity(model="other", dimensions=DIMENSIONS)


def test_the_layers_are_asked_in_turn(open_cache: Open) -> None:
    first = CountingEmbedder()
    embedder = CachingEmbedder(first, 10, kept=open_cache())
    texts = embedder.embed(["red", "green"])
    query = embedder.embed_query("red")
    embedder.close()
    second = CountingEmbedder()
    again = CachingEmbedder(second, 10, kept=open_cache())
    rows = again.embed(["green", "red", "blue"])
    np.testing.assert_array_equal(rows, [texts[1], texts[0], again.embed(["blue"])[0]])
    np.testing.assert_array_equal(again.embed_query("red"), query)
    np.testing.assert_array_equal(again.embed_query("red"), query)
    assert second.asked == ["blue"]
    counts = {(count.layer, count.kind): (count.hits, count.misses) for count in again.counts}
    assert counts == {
        ("ram", "text"): (1, 3),
        ("ram", "query"): (1, 1),
        ("file", "text"): (2, 1),
        ("file", "query"): (1, 0),
    }
    assert (again.hits, again.misses) == (5, 1)
    with pytest.raises(ValueError, match="read-only"):
        again.embed_query("red")[0] = 9.0
    other = OtherModel()
    CachingEmbedder(other, 10, kept=open_cache()).embed(["red"])
    assert other.asked == ["red"], "vectors of another model are another's"

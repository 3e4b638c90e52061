"""The cache answers with what the embedder said, and forgets the oldest."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from app.backends.embedders.hashing import HashingEmbedder
from app.domain.embedding import EmbeddingIdentity, Vector
from app.errors import SettingsError
from app.service.embedding_cache import CachingEmbedder


class CountingEmbedder:
    """Notes what it was asked; queries get other vectors than texts."""

    def __init__(self) -> None:
        self._within = HashingEmbedder(dimensions=16)
        self.asked: list[str] = []

    @property
    def identity(self) -> EmbeddingIdentity:
        return self._within.identity

    def embed(self, texts: Sequence[str]) -> Vector:
        self.asked += texts
        return self._within.embed(texts)

    def embed_query(self, text: str) -> Vector:
        self.asked.append(f"query {text}")
        vector: Vector = -self._within.embed_query(text)
        return vector

    def embed_queries(self, texts: Sequence[str]) -> Vector:
        return np.stack([self.embed_query(text) for text in texts])


def test_a_text_is_embedded_once() -> None:
    within = CountingEmbedder()
    cache = CachingEmbedder(within, 10)
    first = cache.embed(["red", "green", "red"])
    second = cache.embed(["green", "blue"])
    assert within.asked == ["red", "green", "blue"]
    assert (cache.hits, cache.misses) == (1, 4)
    assert first.dtype == np.float32
    assert first.shape == (3, 16)
    np.testing.assert_array_equal(first, HashingEmbedder(dimensions=16).embed(["red", "green", "red"]))
    np.testing.assert_array_equal(second[0], first[1])


def test_queries_and_texts_are_kept_apart() -> None:
    within = CountingEmbedder()
    cache = CachingEmbedder(within, 10)
    text, query = cache.embed(["red"])[0], cache.embed_query("red")
    np.testing.assert_array_equal(query, -text)
    np.testing.assert_array_equal(cache.embed_query("red"), query)
    assert within.asked == ["red", "query red"]
    assert (cache.hits, cache.misses) == (1, 2)


def test_queries_come_in_batches() -> None:
    within = CountingEmbedder()
    cache = CachingEmbedder(within, 10)
    one = cache.embed_query("red")
    rows = cache.embed_queries(["green", "red", "green"])
    np.testing.assert_array_equal(rows, np.stack([rows[2], one, rows[0]]))
    assert within.asked == ["query red", "query green"]
    counts = {(count.layer, count.kind): (count.hits, count.misses) for count in cache.counts}
    assert counts == {("ram", "text"): (0, 0), ("ram", "query"): (1, 3)}


def test_the_entry_that_was_unused_longest_goes() -> None:
    within = CountingEmbedder()
    cache = CachingEmbedder(within, 2)
    for text in ("a", "b", "a", "c", "a", "b"):
        cache.embed_query(text)
    assert within.asked == ["query a", "query b", "query c", "query b"]


def test_no_caller_changes_what_is_kept() -> None:
    cache = CachingEmbedder(CountingEmbedder(), 2)
    vector = cache.embed_query("a")
    with pytest.raises(ValueError, match="read-only"):
        vector[0] = 9.0
    rows = cache.embed(["a"])
    rows[0, 0] = 9.0
    assert cache.embed(["a"])[0, 0] != 9.0


def test_without_entries_everything_is_asked() -> None:
    within = CountingEmbedder()
    cache = CachingEmbedder(within, 0)
    cache.embed(["a"])
    cache.embed(["a"])
    assert within.asked == ["a", "a"]
    assert (cache.hits, cache.misses) == (0, 2)


def test_an_empty_batch_is_empty() -> None:
    cache = CachingEmbedder(CountingEmbedder(), 2)
    assert cache.embed([]).shape == (0, 16)
    assert cache.identity.dimensions == 16


def test_fewer_than_no_entries_are_refused() -> None:
    with pytest.raises(SettingsError, match="-1 cache entries"):
        CachingEmbedder(CountingEmbedder(), -1)


def test_threads_may_share_it() -> None:
    cache = CachingEmbedder(CountingEmbedder(), 20)
    plain = HashingEmbedder(dimensions=16)

    def ask(number: int) -> None:
        texts = [f"text {(number * step) % 37}" for step in range(1, 6)]
        np.testing.assert_array_equal(cache.embed(texts), plain.embed(texts))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(ask, range(400)))
    assert cache.hits + cache.misses == 2000
    assert cache.hits > 0

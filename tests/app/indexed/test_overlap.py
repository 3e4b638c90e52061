"""Searches of many memories find nearly the same in every store as in the in-RAM one, also through the service."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from app.backends.clock import SteppingClock
from app.backends.memory import open_store
from app.domain.access import Principal, Role
from app.domain.change import Add
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.query import MemoryFilter, SearchMode, SearchQuery
from app.service.quarantine import GuardedIndex
from app.service.retrieval import Retrieval
from tests.app.contract.backends import Backend
from tests.app.contract.samples import ALL, HERE, commit, draft, vector_of
from tests.app.indexed.conftest import OpenStore

pytestmark = pytest.mark.slow


class WordSums:
    """An embedder whose vectors are dense, as those of models are: sums of a direction for each word."""

    identity = EmbeddingIdentity(model="sums-of-words", dimensions=256)

    def embed(self, texts: Sequence[str]) -> Vector:
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> Vector:
        total = np.sum([_direct(word) for word in text.split()], axis=0)
        vector: Vector = (total / np.linalg.norm(total)).astype(np.float32)
        return vector

    def embed_queries(self, texts: Sequence[str]) -> Vector:
        return self.embed(texts)


@cache
def _direct(word: str) -> Vector:
    return vector_of(word, WordSums.identity.dimensions)


EMBEDDER = WordSums()
TOPICS, MEMORIES, QUESTIONS, TOP = 40, 2000, 25, 10
MODES = (SearchMode.EXACT, SearchMode.VECTOR, SearchMode.HYBRID)
FILTERED = (ALL, MemoryFilter(tags=("even",)))
LEAST_OVERLAP = 0.9
LEAST_EXACT = 0.99
"""Two memories that are equally close to a question may change places where vectors are kept in half precision."""
OWNER = Principal(key_id="k", name="k", tenant_id=HERE.tenant_id, role=Role.ADMIN)


def make_texts(count: int, seed: int) -> list[str]:
    """Texts of words of a topic, and of words that few or many texts have."""
    random = np.random.default_rng(seed)
    texts = []
    for _ in range(count):
        topic = int(random.integers(TOPICS))
        own = (f"topic{topic}x{int(word)}" for word in random.integers(12, size=4))
        common = (f"word{int(rank)}" for rank in random.zipf(1.3, 5) % 400)
        texts.append(" ".join((*own, *common)))
    return texts


def fill(store: Backend, texts: Sequence[str]) -> None:
    """Commit memories of these texts, every other one with a tag."""
    for start in range(0, len(texts), 500):
        part = list(enumerate(texts[start : start + 500]))
        vectors = EMBEDDER.embed([text for _, text in part])
        changes = [
            Add(draft=draft(text, tags=("even",) if place % 2 == 0 else ()), vector=vectors[place])
            for place, text in part
        ]
        commit(store, *changes)


def retrieve(store: Backend, clock: SteppingClock) -> dict[tuple[SearchMode, bool], list[set[str]]]:
    """The texts of the best hits of every question, mode and filter, as a caller of the service gets them."""
    retrieval = Retrieval(
        index=GuardedIndex(store.index), embedder=EMBEDDER, clock=clock, meter=store.meter, parallel=False
    )
    found: dict[tuple[SearchMode, bool], list[set[str]]] = {}
    for question in make_texts(QUESTIONS, seed=11):
        for mode in MODES:
            for wanted in FILTERED:
                query = SearchQuery(text=question, top_k=TOP, mode=mode, filter=wanted)
                hits = retrieval.search(OWNER, HERE.workspace_id, query).hits
                found.setdefault((mode, wanted is not ALL), []).append({hit.memory.content for hit in hits})
    return found


@cache
def find_expected() -> dict[tuple[SearchMode, bool], list[set[str]]]:
    """What the in-RAM store finds."""
    clock = SteppingClock()
    oracle = open_store(identity=EMBEDDER.identity, clock=clock)
    fill(oracle, make_texts(MEMORIES, seed=7))
    return retrieve(oracle, clock)


def test_searches_of_many_memories_find_nearly_the_same(open_one: OpenStore, clock: SteppingClock) -> None:
    store = open_one(EMBEDDER.identity)
    fill(store, make_texts(MEMORIES, seed=7))
    found, expected = retrieve(store, clock), find_expected()
    means = {
        (mode.value, filtered): float(
            np.mean([len(one & other) / TOP for one, other in zip(sets, others, strict=True)])
        )
        for (mode, filtered), sets in found.items()
        for others in [expected[mode, filtered]]
    }
    assert min(means.values()) >= LEAST_OVERLAP, means
    assert min(means["exact", False], means["exact", True]) >= LEAST_EXACT, means

"""Questions that wait together share a call of the embedder; each gets its own vector or the error."""

import asyncio
from collections.abc import Sequence
from threading import Event

import anyio
import numpy as np
import pytest

from app.api.query_vectors import MOST, QueryVectors
from app.backends.embedders.hashing import HashingEmbedder
from app.domain.embedding import Vector
from app.errors import ModelUnavailable
from tests.servers.waiting import PATIENCE_S

EMBEDDER = HashingEmbedder(dimensions=32)


class SlowEmbedder:
    """Remembers its calls; the first waits until it may go on."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.may_go_on = Event()

    def embed(self, texts: Sequence[str]) -> Vector:
        self.calls.append(list(texts))
        if len(self.calls) == 1:
            assert self.may_go_on.wait(PATIENCE_S)
        if "bad" in texts:
            raise ModelUnavailable
        return EMBEDDER.embed_queries(texts)


def test_what_waits_together_is_embedded_together() -> None:
    slow = SlowEmbedder()

    async def ask() -> list[Vector]:
        vectors = QueryVectors(slow.embed, anyio.CapacityLimiter(1))
        first = asyncio.create_task(vectors.embed("first"))
        while not slow.calls:
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(vectors.embed(f"text {number}")) for number in range(MOST + 3)]
        gone = asyncio.create_task(vectors.embed("whose client has gone"))
        await asyncio.sleep(0)
        gone.cancel()
        slow.may_go_on.set()
        return [(await task)[0] for task in (first, *others)]

    found = asyncio.run(ask())
    assert [len(call) for call in slow.calls] == [1, MOST, 4]
    for text, vector in zip(["first", *(f"text {number}" for number in range(MOST + 3))], found, strict=True):
        assert np.array_equal(vector, EMBEDDER.embed_query(text))


def test_an_error_reaches_those_who_waited_and_nobody_after() -> None:
    slow = SlowEmbedder()
    slow.may_go_on.set()

    async def ask() -> Vector:
        vectors = QueryVectors(slow.embed, anyio.CapacityLimiter(1))
        with pytest.raises(ModelUnavailable):
            await vectors.embed("bad")
        return (await vectors.embed("good"))[0]

    assert np.array_equal(asyncio.run(ask()), EMBEDDER.embed_query("good"))

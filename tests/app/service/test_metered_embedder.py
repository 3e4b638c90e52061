"""Every text that a provider embeds is charged to whoever asked; what the caches know costs nothing."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from app.backends.embedders.hashing import HashingEmbedder
from app.domain.embedding import EmbeddingIdentity
from app.domain.language import Embedded
from app.domain.spending import charging
from app.domain.usage import TokenUsage
from app.errors import SpendCapReached
from app.service.embedding_cache import CachingEmbedder
from app.service.metered_models import MeteredEmbedder
from tests.app.service.conftest import Bench
from tests.app.service.test_metered_models import PAYER, entries, make_till


class ScriptedEmbeddings:
    """Counts a token for each character."""

    def __init__(self) -> None:
        self._within = HashingEmbedder(dimensions=16)
        self.counted = 0

    @property
    def identity(self) -> EmbeddingIdentity:
        return EmbeddingIdentity(model="text-embedding-3-small", dimensions=16)

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Embedded:
        tokens = sum(len(text) for text in texts)
        self.counted += tokens
        vectors = self._within.embed(texts)
        return Embedded(vectors=-vectors if query else vectors, usage=TokenUsage(input_tokens=tokens))


def test_embeddings_are_charged_for_what_the_cache_does_not_know(bench: Bench) -> None:
    model = ScriptedEmbeddings()
    embedder = CachingEmbedder(MeteredEmbedder(model, till=make_till(bench)), 10)
    with charging(replace(PAYER, operation="add")):
        texts = embedder.embed(["four", "sixsix", "four"])
        embedder.embed(["sixsix"])
    with charging(replace(PAYER, operation="retrieve")):
        query = embedder.embed_query("four")
        np.testing.assert_array_equal(embedder.embed_queries(["four"])[0], query)
    np.testing.assert_array_equal(query, -texts[0])
    assert embedder.embed([]).shape == (0, 16)
    assert [(one.task, one.payer.operation, one.input_tokens, one.usd) for one in entries(bench)] == [
        ("embed", "add", 10, Decimal("2e-7")),
        ("embed", "retrieve", 4, Decimal("8e-8")),
    ]
    assert model.counted == 14
    assert [(record.operation, record.items) for record in bench.store.meter.read("acme")] == [
        ("add", 2),
        ("retrieve", 1),
    ]
    assert embedder.identity == model.identity


def test_an_embedding_beyond_the_cap_is_not_asked_for(bench: Bench) -> None:
    model = ScriptedEmbeddings()
    embedder = MeteredEmbedder(model, till=make_till(bench, daily_usd=Decimal(0)))
    with charging(PAYER), pytest.raises(SpendCapReached):
        embedder.embed_query("four")
    assert model.counted == 0

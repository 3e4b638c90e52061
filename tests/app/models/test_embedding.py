"""An embedding model: batches, order, dimensions and what is sent of a text."""

from contextlib import closing
from functools import partial
from typing import Any

import numpy as np
import pytest

from app.backends.embedders.hashing import HashingEmbedder
from app.backends.models import embedding as embedding_models
from app.backends.models.embedding import READ_CHARACTERS, TEXT_BYTES, OpenAIEmbeddingModel
from app.backends.models.rests import Rest
from app.domain.embedding import EmbeddingIdentity
from app.domain.usage import NO_TOKENS, TokenUsage
from app.errors import ModelRefused, ModelTimeout, ModelUnavailable, SettingsError
from tests.app.models.conftest import make_embedding
from tests.standin import Fault, ModelServer

TEXTS = [f"note {number} on {['tea', 'coffee', 'milk'][number % 3]}" for number in range(25)]


def sent(server: ModelServer) -> list[list[str]]:
    """The texts of each call."""
    return [call.body["input"] for call in server.calls]


def test_vectors_in_order_in_batches_of_unit_length(server: ModelServer, embedding: OpenAIEmbeddingModel) -> None:
    embedded = embedding.embed(TEXTS)
    assert embedded.vectors.dtype == np.float32
    assert embedded.vectors == pytest.approx(HashingEmbedder(dimensions=64).embed(TEXTS), abs=1e-5)
    assert [len(texts) for texts in sent(server)] == [10, 10, 5]
    assert embedded.usage == server.usage
    assert "dimensions" not in server.calls[0].body
    assert embedding.embed(["tea"], query=True).vectors == pytest.approx(embedding.embed(["tea"]).vectors)


def test_nothing_is_no_call(server: ModelServer, embedding: OpenAIEmbeddingModel) -> None:
    embedded = embedding.embed([])
    assert embedded.vectors.shape == (0, 64)
    assert (embedded.usage, server.calls) == (NO_TOKENS, [])


def test_batches_by_tokens(server: ModelServer) -> None:
    with closing(make_embedding(server, batch_texts=100, batch_tokens=30)) as model:
        model.embed(["x" * 10] * 4 + ["y" * 50] + ["我" * 5] * 3)
    assert [[len(text.encode()) for text in texts] for texts in sent(server)] == [
        [10, 10, 10],
        [10],
        [50],
        [15, 15],
        [15],
    ]


@pytest.mark.parametrize(
    ("fields", "dimensions", "asked", "batch"),
    [
        ({"model_name": "text-embedding-3-small", "dimensions": 0}, 1536, None, 256),
        ({"model_name": "openai/text-embedding-3-small", "dimensions": 512}, 512, 512, 256),
        ({"model_name": "text-embedding-v4", "dimensions": 256}, 256, 256, 10),
        ({"model_name": "BAAI/bge-m3", "dimensions": 0}, 1024, None, 32),
        ({"model_name": "text-embedding-v3", "dimensions": 1024, "batch_texts": 3}, 1024, None, 3),
    ],
)
def test_what_is_known_of_models(
    server: ModelServer, fields: dict[str, Any], dimensions: int, asked: int | None, batch: int
) -> None:
    server.dimensions = dimensions
    with closing(make_embedding(server, **fields)) as model:
        assert model.identity == EmbeddingIdentity(model=fields["model_name"], dimensions=dimensions)
        assert model.embed(["tea"] * (batch + 1)).vectors.shape == (batch + 1, dimensions)
    server.dimensions = 64
    assert [len(texts) for texts in sent(server)] == [batch, 1]
    assert server.calls[0].body.get("dimensions") == asked


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"model_name": ""}, "model_name is empty"),
        ({"model_name": "text-embedding-v3", "dimensions": 100}, "gives 512|768|1024"),
        ({"model_name": "own-model", "dimensions": 0}, "embedding.dimensions is 0"),
        ({"model_name": "gpt-4o-mini", "dimensions": 0}, "not a known model"),
        ({"batch_texts": -1}, "batches of -1 texts"),
        ({"deadline_s": 0.0}, "deadline_s is 0.0"),
        ({"query_deadline_s": 0.0}, "deadline_s is 0.0"),
        ({"requests_per_minute": 0}, "requests_per_minute is 0"),
    ],
)
def test_settings_that_cannot_be_used(server: ModelServer, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        make_embedding(server, **fields)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "."),
        (" \n\u3000", "."),
        ("\x00", "."),
        ("broken \ud83d text", "broken ? text"),
        ("x" * 32_000, "x" * READ_CHARACTERS),
    ],
)
def test_what_is_sent_of_a_text(server: ModelServer, embedding: OpenAIEmbeddingModel, text: str, shown: str) -> None:
    assert np.isfinite(embedding.embed([text]).vectors).all()
    assert sent(server) == [[shown]]


def test_texts_that_are_refused_for_their_length_are_cut_once(
    server: ModelServer, embedding: OpenAIEmbeddingModel
) -> None:
    server.fail(Fault.BAD_REQUEST)
    assert embedding.embed(["字" * 8_000, "short"]).vectors.shape == (2, 64)
    assert sent(server)[1] == ["字" * (TEXT_BYTES // 3), "short"]
    server.fail(Fault.BAD_REQUEST, times=None)
    with pytest.raises(ModelRefused):
        embedding.embed(["字" * 8_000])
    assert len(server.calls) == 4


def test_a_batch_that_fails_tells_what_the_earlier_cost(server: ModelServer, embedding: OpenAIEmbeddingModel) -> None:
    server.fail(Fault.UNAUTHORISED, after=2)
    with pytest.raises(ModelRefused) as caught:
        embedding.embed(TEXTS)
    assert caught.value.usage == server.usage != TokenUsage()


def test_after_closing_nothing_is_asked(server: ModelServer, embedding: OpenAIEmbeddingModel) -> None:
    embedding.close()
    with pytest.raises(ModelUnavailable, match="closing"):
        embedding.embed(["tea"])
    assert not server.calls


def test_a_question_waits_for_less_time_than_a_text(server: ModelServer) -> None:
    server.fail(Fault.HANG, times=None)
    for limits in ({"query_deadline_s": 0.3}, {"deadline_s": 0.3}):  # the other one is far longer
        with closing(make_embedding(server, **limits)) as model, pytest.raises(ModelTimeout, match="deadline"):
            model.embed(["tea"], query="query_deadline_s" in limits)


def test_a_provider_that_is_away_is_left_alone_for_a_while(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 0.0
    monkeypatch.setattr(embedding_models, "Rest", partial(Rest, seconds=lambda: now_s))
    server.fail(Fault.SERVER_ERROR, times=None, retry_after="3600")
    with closing(make_embedding(server, rest_s=15.0)) as model:
        for _ in range(3):
            with pytest.raises(ModelUnavailable, match="answered 500"):
                model.embed(["tea"], query=True)
        assert len(server.calls) == 1
        server.recover()
        assert model.embed(["tea"]).vectors.shape == (1, 64), "texts have more time, so they are asked for"
        with pytest.raises(ModelUnavailable):
            model.embed(["tea"], query=True)
        now_s = 15.0
        for _ in range(2):
            assert model.embed(["tea"], query=True).vectors.shape == (1, 64)


def test_one_caller_finds_out_whether_a_rest_is_over() -> None:
    now_s = 0.0
    rest = Rest(10.0, seconds=lambda: now_s)
    rest.check(5.0)
    rest.begin(ModelTimeout("slow"))
    for moment_s, free in ((9.9, False), (10.0, True), (14.9, False), (15.0, True), (15.1, False)):
        now_s = moment_s
        if free:
            rest.check(5.0)
        else:
            with pytest.raises(ModelTimeout, match="slow"):
                rest.check(5.0)
    rest.end()
    rest.check(5.0)


def test_a_rate_that_is_used_up_is_no_reason_to_rest(server: ModelServer) -> None:
    with closing(make_embedding(server, requests_per_minute=1, deadline_s=30.0, rest_s=3600.0)) as model:
        model.embed(["tea"])
        for _ in range(2):
            with pytest.raises(ModelUnavailable, match="1 requests a minute"):
                model.embed(["tea"])

"""The contract of every embedder: one suite for all of them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

from app.backends.embedders.hashing import HashingEmbedder
from app.backends.embedders.local import LocalEmbedder
from app.ports import Embedder

TEXTS = (
    "I like coffee",
    "My name is Ana and I live in Lisbon.",
    "我喜欢喝咖啡",
    "我住在杭州，在医院上班。",
    "mixed 中文 and English, numbers 42 and 3.14",
    "ÀÉÎÕÜ ß ﬁ ① ½",
    "👩‍👩‍👧 🎉",
)
BLANK = ("", " ", "\n\t ", "\u3000", "...", "\x00")


@pytest.fixture(scope="module", params=["local", "hashing"])
def embedder(request: pytest.FixtureRequest) -> Iterator[Embedder]:
    yield LocalEmbedder() if request.param == "local" else HashingEmbedder()


def test_shape_and_type(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.identity.dimensions)
    assert vectors.dtype == np.float32
    query = embedder.embed_query(TEXTS[0])
    assert query.shape == (embedder.identity.dimensions,)
    assert query.dtype == np.float32


def test_nothing_in_nothing_out(embedder: Embedder) -> None:
    vectors = embedder.embed([])
    assert vectors.shape == (0, embedder.identity.dimensions)
    assert vectors.dtype == np.float32


def test_unit_length(embedder: Embedder) -> None:
    lengths = np.linalg.norm(embedder.embed([*TEXTS, *BLANK]), axis=1)
    assert lengths == pytest.approx(np.ones(len(lengths)), abs=1e-5)


def test_repeatable(embedder: Embedder) -> None:
    assert np.array_equal(embedder.embed(TEXTS), embedder.embed(TEXTS))


def test_another_instance_agrees(embedder: Embedder) -> None:
    other = type(embedder)()
    assert other.identity == embedder.identity
    assert np.array_equal(other.embed(TEXTS), embedder.embed(TEXTS))


def test_a_batch_equals_single_texts_in_order(embedder: Embedder) -> None:
    batch = embedder.embed(TEXTS)
    for vector, text in zip(batch, TEXTS, strict=True):
        assert vector == pytest.approx(embedder.embed([text])[0], abs=1e-5)
        assert vector == pytest.approx(embedder.embed_query(text), abs=1e-5)
    assert embedder.embed(TEXTS[::-1]) == pytest.approx(batch[::-1], abs=1e-5)


def test_other_texts_have_other_vectors(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS[:-1])
    closeness = vectors @ vectors.T - np.eye(len(vectors))
    assert closeness.max() < 0.999


@pytest.mark.parametrize("text", BLANK)
def test_a_blank_text_has_a_vector_of_its_own(embedder: Embedder, text: str) -> None:
    vector = embedder.embed_query(text)
    assert np.isfinite(vector).all()
    assert np.array_equal(vector, embedder.embed_query(text))


def test_half_a_surrogate_pair_is_no_error(embedder: Embedder) -> None:
    assert np.isfinite(embedder.embed_query("broken \ud83d text")).all()


@pytest.mark.parametrize(
    "piece", ["The quick brown fox jumps over the lazy dog. ", "我住在杭州，喜欢喝咖啡。", "x", "字"]
)
def test_a_text_of_32k_characters(embedder: Embedder, piece: str) -> None:
    text = (piece * 32_000)[:32_000]
    vectors = embedder.embed([piece, text])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1.0, 1.0], abs=1e-5)


def test_a_long_text_of_one_matter_stays_near_it(embedder: Embedder) -> None:
    sentence = "I keep two cats and they sleep on the sofa all day. "
    short, long, other = embedder.embed([sentence, sentence * 60, "The invoice was sent to the accounting department."])
    assert short @ long > short @ other
    assert short @ long > 0.8


def test_threads_get_what_one_gets(embedder: Embedder) -> None:
    expected = [embedder.embed_query(text) for text in TEXTS]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(embedder.embed_query, TEXTS * 20))
    for index, vector in enumerate(found):
        assert vector == pytest.approx(expected[index % len(TEXTS)], abs=1e-5)


def test_the_same_words_are_nearer_than_others(embedder: Embedder) -> None:
    pairs = [
        ("I like coffee", "I like coffee very much"),
        ("我喜欢喝咖啡", "我很喜欢喝咖啡"),
        ("deployment failed", "the deployment has failed"),
    ]
    left = embedder.embed([one for one, _ in pairs])
    right = embedder.embed([other for _, other in pairs])
    for index, row in enumerate(left @ right.T):
        assert row.argmax() == index


def test_order_of_a_large_batch(embedder: Embedder) -> None:
    texts = [f"note {number} about {'abcdefghij'[number % 10] * 3}" for number in range(300)]
    vectors = embedder.embed(texts)
    for number in range(0, 300, 37):
        assert vectors[number] == pytest.approx(embedder.embed_query(texts[number]), abs=1e-5)
    assert all(not np.array_equal(one, other) for one, other in pairwise(vectors))

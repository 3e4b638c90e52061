"""Collections: made for an embedding, marked, counted, dropped; and a server that is away."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from app.domain.embedding import EmbeddingIdentity
from app.errors import EmbeddingMismatch, IndexUnavailable, SettingsError
from app.ports import VectorIndex
from tests.app.contract.samples import ALL, COSINE_ERROR, HERE, IDENTITY, OTHER_IDENTITY, vector_of
from tests.app.indexes.samples import NOW_MS, ask, entry, numbers


def test_the_mark_stays_while_the_collection_does(open_index: Callable[[], VectorIndex]) -> None:
    first = open_index()
    mark = first.prepare(IDENTITY)
    assert mark
    first.apply([entry(1, "tea")])
    assert first.prepare(IDENTITY) == mark
    again = open_index()
    assert again.prepare(IDENTITY) == mark
    assert numbers(ask(again)) == {1}


def test_a_collection_made_anew_has_another_mark_and_holds_nothing(open_index: Callable[[], VectorIndex]) -> None:
    index = open_index()
    mark = index.prepare(IDENTITY)
    index.apply([entry(1, "tea")])
    index.drop()
    assert index.prepare(IDENTITY) != mark
    assert index.count() == 0
    assert ask(index) == []
    index.drop()
    index.drop()


def test_another_embedding_has_a_collection_made_anew(open_index: Callable[[], VectorIndex]) -> None:
    index = open_index()
    first = index.prepare(IDENTITY)
    index.apply([entry(1, "tea")])
    second = index.prepare(OTHER_IDENTITY)
    assert second != first
    assert index.count() == 0
    index.apply([entry(1, "tea", vector=vector_of("tea", OTHER_IDENTITY.dimensions))])
    found = index.nearest(HERE, vector_of("tea", OTHER_IDENTITY.dimensions), ALL, limit=5, now_ms=NOW_MS)
    assert numbers(found) == {1}
    like = EmbeddingIdentity(model="another-8", dimensions=IDENTITY.dimensions)
    assert index.prepare(like) not in (first, second)
    assert index.count() == 0
    assert index.prepare(IDENTITY) not in (first, second)


def test_a_client_is_not_answered_by_a_collection_that_it_did_not_prepare(
    index: VectorIndex, open_index: Callable[[], VectorIndex]
) -> None:
    index.apply([entry(1, "tea")])
    other = open_index()
    other.prepare(IDENTITY)
    other.drop()
    mark = other.prepare(IDENTITY)
    for attempt in (index.check, index.count, lambda: ask(index), lambda: index.apply([entry(2, "milk")])):
        with pytest.raises(IndexUnavailable):
            attempt()
    assert other.count() == 0
    assert index.prepare(IDENTITY) == mark
    assert ask(index) == []


def test_clients_that_prepare_at_once_get_one_collection(open_index: Callable[[], VectorIndex]) -> None:
    clients = [open_index() for _ in range(6)]
    with ThreadPoolExecutor(len(clients)) as threads:
        marks = set(threads.map(lambda client: client.prepare(IDENTITY), clients))
    assert len(marks) == 1
    clients[0].apply([entry(1, "tea")])
    assert all(numbers(ask(client)) == {1} for client in clients)


def test_vectors_of_other_dimensions_are_refused(index: VectorIndex) -> None:
    wide = vector_of("tea", OTHER_IDENTITY.dimensions)
    with pytest.raises(EmbeddingMismatch):
        index.apply([entry(1, "tea", vector=wide)])
    with pytest.raises(EmbeddingMismatch):
        index.nearest(HERE, wide, ALL, limit=5, now_ms=NOW_MS)
    assert index.count() == 0


@pytest.mark.slow
@pytest.mark.parametrize("dimensions", [256, 512, 768, 1024, 1536, 3072])
def test_dimensions_of_the_usual_embeddings(open_index: Callable[[], VectorIndex], dimensions: int) -> None:
    index = open_index()
    index.prepare(EmbeddingIdentity(model="wide", dimensions=dimensions))
    texts = [f"note {number}" for number in range(1, 31)]
    index.apply([entry(place, text, vector=vector_of(text, dimensions)) for place, text in enumerate(texts, start=1)])
    for place, text in list(enumerate(texts, start=1))[::7]:
        found = index.nearest(HERE, vector_of(text, dimensions), ALL, limit=3, now_ms=NOW_MS)
        assert found[0].number == place
        assert found[0].score == pytest.approx(1.0, abs=COSINE_ERROR)


def test_more_dimensions_than_it_takes_are_said_at_the_start(open_index: Callable[[], VectorIndex]) -> None:
    index = open_index()
    most = index.abilities.dimensions
    assert most >= 3072
    with pytest.raises(SettingsError, match=str(most)):
        index.prepare(EmbeddingIdentity(model="too-wide", dimensions=most + 1))


def test_what_it_lacks_is_said_in_sentences(index: VectorIndex) -> None:
    for sentence in index.abilities.lacks:
        assert len(sentence.split()) > 3, sentence


def test_a_check_passes_while_it_can_be_searched(index: VectorIndex) -> None:
    index.check()


def test_without_its_collection_it_is_unavailable(index: VectorIndex) -> None:
    index.drop()
    with pytest.raises(IndexUnavailable):
        index.check()
    with pytest.raises(IndexUnavailable):
        ask(index)
    with pytest.raises(IndexUnavailable):
        index.apply([entry(1, "tea")])


def test_a_vector_of_zeros_finds_or_finds_not_but_does_no_harm(index: VectorIndex) -> None:
    index.apply([entry(1, "tea")])
    found = index.nearest(HERE, np.zeros(IDENTITY.dimensions, np.float32), ALL, limit=5, now_ms=NOW_MS)
    assert numbers(found) <= {1}
    assert numbers(ask(index)) == {1}


def test_a_server_that_is_away_is_said_in_its_own_words(away_index: VectorIndex) -> None:
    for attempt in (
        lambda: away_index.prepare(IDENTITY),
        lambda: away_index.apply([entry(1, "a secret text")]),
        lambda: ask(away_index),
        away_index.count,
        away_index.check,
        away_index.drop,
    ):
        with pytest.raises(IndexUnavailable) as failure:
            attempt()
        assert "127.0.0.1" in failure.value.message
        assert "secret" not in failure.value.message

"""The generated memories: the same for everyone, all different, and spread as the suites assume."""

import json
from collections import Counter
from dataclasses import asdict

import numpy as np
import pytest

from benchmarks.corpus.blocks import Corpus, Matrix, load_questions, memories_file, vectors_file
from benchmarks.corpus.datasets import Dataset
from benchmarks.corpus.memories import (
    BLOCK,
    LONGEST,
    SHORTEST,
    WORKSPACES,
    Choice,
    Draws,
    Generated,
    Lexicon,
    generate_block,
    hash_text,
)
from benchmarks.corpus.preparation import choose_questions, neighbourhood, normalise, prepare_near_copies
from benchmarks.corpus.synthetic import prepare_vectors


def is_chinese(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def test_the_stream_is_the_same_every_time(generated: list[Generated]) -> None:
    again = generate_block(Lexicon(), 0, set())
    assert [next(again) for _ in range(200)] == generated[:200]
    assert [row.number for row in generated] == list(range(BLOCK))


def test_texts_differ_and_keep_to_their_length(generated: list[Generated]) -> None:
    assert len({row.text for row in generated}) == BLOCK
    assert all(SHORTEST <= len(row.text) <= LONGEST for row in generated)
    assert not any("{" in row.text or "{" in row.question for row in generated)


def test_a_text_of_an_earlier_block_is_not_repeated(generated: list[Generated]) -> None:
    seen = {hash_text(row.text) for row in generated}
    again = generate_block(Lexicon(), 0, set(seen))
    assert not {next(again).text for _ in range(300)} & {row.text for row in generated}


@pytest.mark.parametrize(
    ("field", "value", "share"),
    [
        ("kind", "working", 0.01),
        ("kind", "tool", 0.10),
        ("author", "auditor", 0.01),
        ("author", "reviewer", 0.10),
        ("channel", "letter", 0.01),
        ("channel", "phone", 0.10),
        ("tags", ("pinned",), 0.01),
        ("tags", ("shared",), 0.10),
    ],
)
def test_filters_meet_one_and_ten_percent(generated: list[Generated], field: str, value: object, share: float) -> None:
    found = sum(getattr(row, field) == value for row in generated) / BLOCK
    assert found == pytest.approx(share, rel=0.25)


def test_workspaces_follow_zipf_and_languages_mix(generated: list[Generated]) -> None:
    sizes = [count for _, count in Counter(row.workspace for row in generated).most_common()]
    assert len(sizes) == WORKSPACES
    assert sizes[0] == pytest.approx(2 * sizes[1], rel=0.15)
    chinese = [row for row in generated if is_chinese(row.text)]
    assert 0.35 < len(chinese) / BLOCK < 0.45
    crossed = sum(is_chinese(row.text) != is_chinese(row.question) for row in generated) / BLOCK
    assert 0.03 < crossed < 0.2


def test_choices_follow_their_weights() -> None:
    choice = Choice([3, 1])
    values = np.random.default_rng(5).random(4000).tolist()
    draws = Draws(values)
    assert sum(choice.pick(draws) for _ in range(4000)) / 4000 == pytest.approx(0.25, abs=0.03)
    assert Choice([1, 1]).pick(Draws([1.0])) == 1


def test_blocks_are_read_from_anywhere(dataset: Dataset, generated: list[Generated], vectors: Matrix) -> None:
    assert list(dataset.corpus.rows(490, 510)) == generated[490:510]
    assert np.array_equal(dataset.corpus.matrix(490, 510), vectors[490:510])
    assert dataset.corpus.matrix(3, 3).shape == (0, dataset.corpus.dimensions)
    again = load_questions(dataset.questions_path)
    assert again.texts == dataset.questions.texts
    assert np.array_equal(again.vectors, dataset.questions.vectors)


def test_questions_are_distinct_and_name_their_memory(dataset: Dataset, generated: list[Generated]) -> None:
    chosen = choose_questions(dataset.corpus, 500, 100)
    assert len({text for text, _, _ in chosen}) == len(chosen) == 100
    assert all(generated[number].question == text for text, number, _ in chosen)
    assert all(generated[number].workspace == workspace for _, number, workspace in chosen)
    assert choose_questions(dataset.corpus, 500, 10_000) == choose_questions(dataset.corpus, 500, 20_000)


def test_neighbourhood_tells_how_close_questions_are(dataset: Dataset) -> None:
    found = neighbourhood(dataset.corpus, dataset.count, dataset.questions.vectors)
    assert found["first_cosine"] == pytest.approx(1, abs=1e-5)
    assert found["random_cosine"] < found["tenth_cosine"] < found["first_cosine"]


@pytest.mark.slow
def test_made_vectors_are_as_close_as_real_ones(
    dataset: Dataset, generated: list[Generated], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, real_folder = tmp_path_factory.mktemp("near"), tmp_path_factory.mktemp("real")
    for block in range(2):
        lines = "\n".join(json.dumps(asdict(row)) for row in generated)
        memories_file(folder, block).write_text(lines, encoding="utf-8")
    random = np.random.default_rng(2)
    centres = random.standard_normal((400, dataset.corpus.dimensions))
    points = centres[random.integers(0, 400, BLOCK)] + 0.5 * random.standard_normal((BLOCK, dataset.corpus.dimensions))
    np.save(vectors_file(real_folder, 0), normalise(points.astype(np.float32)))
    near = Corpus(memories=folder, vectors=folder, dimensions=dataset.corpus.dimensions)
    prepare_near_copies(near, real_folder, BLOCK, 2 * BLOCK, lambda _: None)
    real, made = near.matrix(0, BLOCK), near.matrix(BLOCK, 2 * BLOCK)
    assert np.allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)
    own = real[:300] @ real.T
    own[np.arange(300), np.arange(300)] = -1
    other = made[:300] @ real.T
    assert float(np.median(other.max(axis=1))) == pytest.approx(float(np.median(own.max(axis=1))), abs=0.05)


@pytest.mark.slow
def test_synthetic_vectors_look_like_embeddings(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("synthetic")
    corpus = Corpus(memories=folder, vectors=folder, dimensions=1024)
    prepare_vectors(corpus, BLOCK, lambda _: None)
    points = corpus.matrix(0, BLOCK)
    cosines = points[:200] @ points.T
    assert float(np.median(cosines)) == pytest.approx(0.35, abs=0.08)
    cosines[np.arange(200), np.arange(200)] = -1
    assert 0.8 < float(np.median(cosines.max(axis=1))) < 0.95

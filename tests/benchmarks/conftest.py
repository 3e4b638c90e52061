"""A small corpus on disk: one block of generated memories with random vectors."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from benchmarks.corpus.blocks import Corpus, Matrix, Questions, memories_file, save_questions, vectors_file
from benchmarks.corpus.datasets import Dataset
from benchmarks.corpus.memories import BLOCK, Generated, Lexicon, generate_block

DIMENSIONS = 64


@pytest.fixture(scope="session")
def generated() -> list[Generated]:
    """The first block of the stream."""
    return list(generate_block(Lexicon(), 0, set()))


@pytest.fixture(scope="session")
def vectors() -> Matrix:
    """Random vectors of unit length."""
    points = np.random.default_rng(1).standard_normal((BLOCK, DIMENSIONS)).astype(np.float32)
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True), np.float32)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory, generated: list[Generated], vectors: Matrix) -> Dataset:
    """A data set of 500 memories whose questions are their own vectors."""
    folder = tmp_path_factory.mktemp("corpus")
    memories_file(folder, 0).write_text("\n".join(json.dumps(asdict(row)) for row in generated), encoding="utf-8")
    np.save(vectors_file(folder, 0), vectors)
    asked = [generated[number] for number in range(0, 500, 10)]
    questions = Questions(
        texts=tuple(row.question for row in asked),
        vectors=vectors[[row.number for row in asked]],
        numbers=tuple(row.number for row in asked),
        workspaces=tuple(row.workspace for row in asked),
    )
    path: Path = folder / "questions"
    save_questions(path, questions)
    return Dataset(
        name="small",
        count=500,
        corpus=Corpus(memories=folder, vectors=folder, dimensions=DIMENSIONS),
        questions_path=path,
        questions=questions,
        embedded=500,
    )

"""Synthetic vectors of 1,024 dimensions, for engines that are asked for more than the embedder gives.

Clusters with a power-law spectrum and an offset that all share, as embeddings have them: random
pairs have a cosine of about 0.35, nearest neighbours of about 0.9.
"""

from pathlib import Path

import numpy as np

from benchmarks.corpus.blocks import Corpus, Matrix, Questions, load_questions, save_questions, vectors_file
from benchmarks.corpus.memories import BLOCK, SEED
from benchmarks.corpus.preparation import Say, normalise

DIMENSIONS = 1024
CLUSTERS = 1000
_DECAY = 0.59
"""Exponent of the spectrum, which puts 90 % of the variance in about 200 dimensions."""
_OFFSET = 0.8
_SPREAD = 0.6


def _scales() -> Matrix:
    scales = np.arange(1, DIMENSIONS + 1, dtype=np.float32) ** -_DECAY
    return np.asarray(scales / np.linalg.norm(scales), np.float32)


def _draw(generator: np.random.Generator, count: int) -> Matrix:
    """Points around the centres of random clusters."""
    shared = np.random.default_rng((SEED, 5))
    centres = shared.standard_normal((CLUSTERS, DIMENSIONS), np.float32) * _scales()
    offset = normalise(shared.standard_normal(DIMENSIONS).astype(np.float32)) * _OFFSET
    points = centres[generator.integers(0, CLUSTERS, count)]
    points = points + _SPREAD * _scales() * generator.standard_normal((count, DIMENSIONS), np.float32)
    return normalise(points + offset)


def prepare_vectors(corpus: Corpus, count: int, say: Say) -> None:
    """Write the blocks that are missing for `count` vectors."""
    corpus.vectors.mkdir(parents=True, exist_ok=True)
    missing = [block for block in range(-(-count // BLOCK)) if not vectors_file(corpus.vectors, block).exists()]
    if missing:
        say(f"making {len(missing) * BLOCK:,} synthetic vectors of {DIMENSIONS} dimensions")
    for block in missing:
        np.save(vectors_file(corpus.vectors, block), _draw(np.random.default_rng((SEED, 6, block)), BLOCK))


def prepare_queries(path: Path, asked: Questions) -> Questions:
    """Fresh points of the same clusters, for the texts of `asked`."""
    if path.with_suffix(".json").exists():
        found = load_questions(path)
        if found.texts == asked.texts:
            return found
    vectors = _draw(np.random.default_rng((SEED, 7)), len(asked))
    questions = Questions(texts=asked.texts, vectors=vectors, numbers=asked.numbers, workspaces=asked.workspaces)
    save_questions(path, questions)
    return questions

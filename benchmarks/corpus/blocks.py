"""Reads the blocks of memories and vectors that were prepared on disk. Needs nothing but numpy."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.corpus.memories import BLOCK, Generated

Matrix = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """A corpus on disk: `memories` is the folder of texts, `vectors` that of vectors of some dimensions."""

    memories: Path
    vectors: Path
    dimensions: int

    def rows(self, start: int, stop: int) -> Iterator[Generated]:
        """The memories of numbers start .. stop - 1."""
        for block in range(start // BLOCK, -(-stop // BLOCK)):
            for number, line in enumerate(_open_lines(memories_file(self.memories, block)), start=block * BLOCK):
                if number >= stop:
                    return
                if number >= start:
                    yield read_line(line)

    def matrix(self, start: int, stop: int) -> Matrix:
        """The vectors (stop - start, dimensions), float32, unit length."""
        parts = []
        for block in range(start // BLOCK, -(-stop // BLOCK)):
            part = np.load(vectors_file(self.vectors, block), mmap_mode="r")
            parts.append(part[max(start - block * BLOCK, 0) : min(stop - block * BLOCK, BLOCK)])
        return np.concatenate(parts) if parts else np.zeros((0, self.dimensions), np.float32)


@dataclass(frozen=True, kw_only=True, slots=True)
class Questions:
    """Questions with their vectors (count, dimensions), and the number of the memory each was made of."""

    texts: tuple[str, ...]
    vectors: Matrix
    numbers: tuple[int, ...]
    workspaces: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)


def memories_file(folder: Path, block: int) -> Path:
    """Where a block of memories lies."""
    return folder / f"memories-{block:04d}.jsonl"


def vectors_file(folder: Path, block: int) -> Path:
    """Where the vectors of a block lie."""
    return folder / f"vectors-{block:04d}.npy"


def _open_lines(path: Path) -> Sequence[str]:
    # A block has 10,000 lines, about 4 MB: reading it whole is quicker than line by line.
    return path.read_text(encoding="utf-8").splitlines()


def read_line(line: str) -> Generated:
    """A memory of a line of a block."""
    fields = json.loads(line)
    fields["tags"] = tuple(fields["tags"])
    return Generated(**fields)


def save_questions(path: Path, questions: Questions) -> None:
    """Write questions and their vectors to `path`.json and `path`.npy."""
    np.save(path.with_suffix(".npy"), questions.vectors)
    document = {"texts": questions.texts, "numbers": questions.numbers, "workspaces": questions.workspaces}
    path.with_suffix(".json").write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")


def load_questions(path: Path) -> Questions:
    """Read what `save_questions` wrote."""
    document = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return Questions(
        texts=tuple(document["texts"]),
        vectors=np.load(path.with_suffix(".npy")),
        numbers=tuple(document["numbers"]),
        workspaces=tuple(document["workspaces"]),
    )

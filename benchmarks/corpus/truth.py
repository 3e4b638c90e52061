"""The exact answers: cosine of a question with every memory that a condition lets through, by numpy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.corpus.blocks import Matrix
from benchmarks.corpus.datasets import Dataset
from benchmarks.corpus.memories import BLOCK
from benchmarks.engines.contract import Where

TIE = 1e-5
"""Cosines that differ by less count as equal: engines add up in different orders and precisions."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """The cosine that a tenth answer must reach for each question, and how many answers there are at most."""

    least: Sequence[float]
    counts: Sequence[int]


class Truth:
    """Knows a data set's attributes and compares what engines found with what is exactly right."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        rows = list(dataset.corpus.rows(0, dataset.count))
        self._columns: dict[str, NDArray[np.str_]] = {
            "kind": np.array([row.kind for row in rows]),
            "author": np.array([row.author for row in rows]),
            "tag": np.array([row.tags[0] for row in rows]),
            "channel": np.array([row.channel for row in rows]),
            "workspace": np.array([row.workspace for row in rows]),
        }
        self.created_ms = np.array([row.created_ms for row in rows])

    def select(self, where: Where | None, rows: int) -> Mask:
        """Which of the first `rows` memories meet a condition."""
        if where is None:
            return np.ones(rows, np.bool_)
        if where.field == "created":
            created = self.created_ms[:rows]
            return np.asarray((created >= where.from_ms) & (created < where.to_ms))
        return np.asarray(self._columns[where.field][:rows] == where.value)

    def span(self, share: float) -> Where:
        """The latest days that hold this share of the memories."""
        start = int(np.quantile(self.created_ms, 1 - share))
        return Where(field="created", from_ms=start, to_ms=int(self.created_ms.max()) + 1)

    def expect(self, items: Sequence[int], where: Where | None, *, mixed: bool, rows: int, limit: int) -> Expected:
        """The exact answers to some questions among the first `rows` memories."""
        allowed = self.select(where, rows)
        asked = self._dataset.questions
        vectors = asked.vectors[list(items)]
        places = np.array([asked.workspaces[item] for item in items])
        best = np.full((len(items), limit), -2, np.float32)
        counts = np.zeros(len(items), np.int64)
        for start in range(0, rows, BLOCK):
            stop = min(start + BLOCK, rows)
            chosen = np.flatnonzero(allowed[start:stop])
            if not len(chosen):
                continue
            cosines = vectors @ self._dataset.corpus.matrix(start, stop)[chosen].T
            if mixed:
                same = places[:, None] == self._columns["workspace"][start:stop][chosen][None, :]
                cosines[~same] = -2
                counts += same.sum(axis=1)
            else:
                counts += len(chosen)
            joined = np.concatenate([best, cosines], axis=1)
            best = -np.partition(-joined, limit - 1, axis=1)[:, :limit]
        least = [
            float(np.sort(row)[-min(limit, int(count))]) if count else 2.0
            for row, count in zip(best, counts, strict=True)
        ]
        return Expected(least=least, counts=[min(int(count), limit) for count in counts])

    def recall(
        self,
        items: Sequence[int],
        found: Sequence[Sequence[int]],
        expected: Expected,
        where: Where | None,
        *,
        mixed: bool,
        rows: int,
    ) -> float:
        """The share of the exact answers that an engine found; an answer that breaks the condition counts as missed."""
        allowed = self.select(where, rows)
        asked = self._dataset.questions
        shares = []
        for place, item in enumerate(items):
            wanted = expected.counts[place]
            if not wanted:
                continue
            numbers = [number for number in dict.fromkeys(found[place]) if number < rows and allowed[number]]
            if mixed:
                numbers = [number for number in numbers if self._columns["workspace"][number] == asked.workspaces[item]]
            cosines = self._cosines(asked.vectors[item], numbers)
            right = int((cosines >= expected.least[place] - TIE).sum())
            shares.append(min(right, wanted) / wanted)
        return float(np.mean(shares)) if shares else float("nan")

    def _cosines(self, vector: Matrix, numbers: Sequence[int]) -> Matrix:
        if not numbers:
            return np.zeros(0, np.float32)
        corpus = self._dataset.corpus
        return np.asarray(np.stack([corpus.matrix(number, number + 1)[0] for number in numbers]) @ vector, np.float32)

    def share_found(self, items: Sequence[int], found: Sequence[Sequence[int]]) -> float:
        """The share of questions whose own memory is among the answers."""
        numbers = self._dataset.questions.numbers
        return float(np.mean([numbers[item] in answer for item, answer in zip(items, found, strict=True)]))

"""The in-RAM search index: every vector and every text is compared."""

from collections.abc import Sequence

import numpy as np

from app.backends.memory.changes import check_dimensions
from app.backends.memory.state import Row, State, show
from app.backends.memory.words import score_words, split_words
from app.domain.embedding import Vector
from app.domain.filters import holds, passes
from app.domain.memory import Memory, Scope
from app.domain.query import Candidate, MemoryFilter


class Search:
    """The `SearchIndex` of the in-RAM backend."""

    def __init__(self, state: State) -> None:
        self._state = state

    def nearest(
        self,
        scope: Scope,
        vector: Vector,
        memory_filter: MemoryFilter,
        *,
        limit: int,
        as_of_ms: int | None = None,
        exact: bool = False,  # noqa: ARG002 - it always is
    ) -> list[Candidate]:
        """The closest memories by cosine. Raises `EmbeddingMismatch` for a vector of other dimensions."""
        with self._state.lock:
            check_dimensions(vector, self._state.stamped or self._state.configured)
            rows = self._search_rows(scope, memory_filter, as_of_ms)
        found = [(row.number, row.vector) for row in rows if row.vector is not None]
        if not found:
            return []
        matrix = np.stack([stored for _, stored in found])
        lengths = np.linalg.norm(matrix, axis=1) * np.linalg.norm(vector)
        cosines = matrix @ vector / np.maximum(lengths, np.finfo(np.float32).tiny)
        return _best([number for number, _ in found], cosines.tolist(), limit)

    def matching(
        self, scope: Scope, text: str, memory_filter: MemoryFilter, *, limit: int, as_of_ms: int | None = None
    ) -> list[Candidate]:
        """The memories that share words with a text, by BM25 over those that pass the filter."""
        with self._state.lock:
            rows = self._search_rows(scope, memory_filter, as_of_ms)
        scores = score_words(split_words(text), [row.words for row in rows])
        found = [(row.number, score) for row, score in zip(rows, scores, strict=True) if score > 0]
        return _best([number for number, _ in found], [score for _, score in found], limit)

    def fetch(self, scope: Scope, numbers: Sequence[int]) -> dict[int, Memory]:
        """The memories of these numbers, without those deleted meanwhile."""
        return {number: show(row.memory) for number, row in self._rows_of(scope, numbers).items()}

    def vectors(self, scope: Scope, numbers: Sequence[int]) -> dict[int, Vector]:
        """The stored vectors of these numbers."""
        rows = self._rows_of(scope, numbers)
        return {number: row.vector.copy() for number, row in rows.items() if row.vector is not None}

    def _search_rows(self, scope: Scope, memory_filter: MemoryFilter, as_of_ms: int | None) -> list[Row]:
        rows, now_ms = self._state.shelf(scope).rows.values(), self._state.clock.now_ms()
        return [row for row in rows if holds(row.memory, as_of_ms, now_ms=now_ms) and passes(row.memory, memory_filter)]

    def _rows_of(self, scope: Scope, numbers: Sequence[int]) -> dict[int, Row]:
        with self._state.lock:
            shelf = self._state.shelf(scope)
            return {number: row for number in numbers if (row := shelf.row_of(number)) is not None}


def _best(numbers: Sequence[int], scores: Sequence[float], limit: int) -> list[Candidate]:
    """The best first; of two that are equally good the older text."""
    ranked = sorted(zip(numbers, scores, strict=True), key=lambda pair: (-pair[1], pair[0]))
    return [Candidate(number=number, score=float(score)) for number, score in ranked[: max(limit, 0)]]

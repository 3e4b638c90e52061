"""The in-RAM store's embedding, and its move to another."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from app.backends.memory.changes import check_dimensions
from app.backends.memory.state import Row, Shelf, State
from app.domain.embedding import EmbeddingIdentity, Lacking, Vector
from app.domain.memory import Scope, embedded_text
from app.errors import InvalidRequest, StoreBusy


class Spaces:
    """The `VectorSpaces` of the in-RAM backend."""

    def __init__(self, state: State) -> None:
        self._state = state

    def identity(self) -> EmbeddingIdentity | None:
        """What the store's vectors were made with."""
        with self._state.lock:
            return self._state.stamped

    def begin(self, target: EmbeddingIdentity) -> int:
        """Start a move, or go on with the one to this target; a move to another target is given up."""
        with self._state.lock:
            if self._state.target != target:
                self.abandon()
                self._state.target = target
            return sum(1 for _ in self._pending())

    def pending(self, limit: int) -> Sequence[tuple[int, str]]:
        """Numbers and texts that lack a vector of the target, oldest text first; none where no move was begun."""
        with self._state.lock:
            if self._state.target is None:
                return []
            lacking = sorted((row for _, row in self._pending()), key=lambda row: row.number)
            return [(row.number, embedded_text(row.memory.when_to_use, row.memory.content)) for row in lacking[:limit]]

    def supply(self, vectors: Sequence[tuple[int, Vector]]) -> None:
        """Keep vectors of the target.

        A number belongs to a text, not to a memory, so a vector that comes after its text was changed stands for the
        earlier text, and the new one stays pending. Vectors of memories that were deleted meanwhile are dropped.
        Raises `EmbeddingMismatch`, or `InvalidRequest` where no move was begun.
        """
        with self._state.lock:
            target = self._required_target()
            for _, vector in vectors:
                check_dimensions(vector, target)
            by_number = dict(vectors)
            for shelf, row in self._state.rows():
                if row.number in by_number and row.live:
                    shelf.put(replace(row, moved=by_number[row.number].astype("float32", copy=True)))

    def lacking(self, limit: int, *, scope: Scope | None = None, after: int = 0) -> Sequence[Lacking]:
        """Live memories behind a number without a vector of the store's own embedding, oldest text first."""
        with self._state.lock:
            rows = [
                row
                for _, row in self._state.rows()
                if row.live and row.vector is None and row.number > after and scope in (None, row.memory.scope)
            ]
        return [
            Lacking(
                number=row.number,
                scope=row.memory.scope,
                text=embedded_text(row.memory.when_to_use, row.memory.content),
            )
            for row in sorted(rows, key=lambda row: row.number)[:limit]
        ]

    def fill(self, vectors: Sequence[tuple[int, Vector]]) -> int:
        """Keep vectors for live memories that lack one, of the embedding of this process and the store."""
        with self._state.lock:
            identity = self._state.stamped or self._state.configured
            for _, vector in vectors:
                check_dimensions(vector, identity)
            by_number = dict(vectors)
            lacking = [
                (shelf, row)
                for shelf, row in self._state.rows()
                if row.number in by_number and row.live and row.vector is None
            ]
            for shelf, row in lacking:
                shelf.put(replace(row, vector=by_number[row.number].astype("float32", copy=True)))
            if lacking:
                self._state.stamped = identity
            return len(lacking)

    def cut_over(self) -> None:
        """Make the target the store's embedding; `StoreBusy` while memories are pending."""
        with self._state.lock:
            target = self._required_target()
            lacking = sum(1 for _ in self._pending())
            if lacking:
                raise StoreBusy(f"{lacking} memories lack a vector of {target}: supply them, then cut over")
            for shelf, row in self._state.rows():
                shelf.put(replace(row, vector=self._vector_of_target(row), moved=None))
            self._state.stamped, self._state.target = target, None

    def abandon(self) -> None:
        """Give up a move and its vectors."""
        with self._state.lock:
            self._state.target = None
            for shelf, row in self._state.rows():
                if row.moved is not None:
                    shelf.put(replace(row, moved=None))

    def _required_target(self) -> EmbeddingIdentity:
        if self._state.target is None:
            raise InvalidRequest("no move to another embedding was begun: start it with `reme reembed`")
        return self._state.target

    def _pending(self) -> Iterator[tuple[Shelf, Row]]:
        for shelf, row in self._state.rows():
            if row.live and self._vector_of_target(row) is None:
                yield shelf, row

    def _vector_of_target(self, row: Row) -> Vector | None:
        """A move to the embedding that the store has only fills in what is missing."""
        same = self._state.target == self._state.stamped
        return row.vector if row.moved is None and same else row.moved

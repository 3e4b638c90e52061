"""What an adapter offers to the worker that measures it. Needs nothing but numpy."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.corpus.blocks import Matrix
from benchmarks.corpus.memories import Generated

EVERYONE = "everyone"
"""The one workspace of the layout `single`; in the layout `mix` the memories keep their 64."""

VECTOR, HYBRID, PIPELINE = "vector", "hybrid", "pipeline"
"""Legs: the nearest vectors with their texts; fused with a keyword search; a text that the engine embeds itself."""

RRF_K = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Where:
    """A condition: a field equals a value, or `created` lies in a span that includes its start only."""

    field: str
    value: str = ""
    from_ms: int = 0
    to_ms: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """A question, its vector (dimensions,), and where it is asked."""

    text: str
    vector: Matrix
    workspace: str
    where: Where | None
    limit: int


class Engine(Protocol):
    """An engine under measurement. Every search gives numbers of memories whose texts it has read."""

    packages: Sequence[str]
    legs: Sequence[str]
    fields: Sequence[str]
    """The fields of `Where` that it can filter by."""

    def open(self, folder: Path, dimensions: int) -> None:
        """Open the store in a folder, or make it."""
        ...

    def add(self, rows: Sequence[Generated], vectors: Matrix, workspace: str) -> None:
        """Add memories to a workspace, as durably as the engine does by default."""
        ...

    def settle(self) -> None:
        """Build what the engine builds after loading."""
        ...

    def search(self, leg: str, query: Query) -> list[int]:
        """The numbers of the best memories, best first."""
        ...

    def remove(self, rows: Sequence[Generated], workspace: str) -> None:
        """Remove memories."""
        ...

    def close(self) -> None:
        """Let go of files."""
        ...


def fuse(rankings: Sequence[Sequence[int]], limit: int) -> list[int]:
    """Reciprocal rank fusion of several rankings, for engines that leave it to their callers."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, number in enumerate(ranking, start=1):
            scores[number] = scores.get(number, 0.0) + 1 / (RRF_K + rank)
    return sorted(scores, key=lambda number: -scores[number])[:limit]

"""What a copy of a store in one file says of itself, and what is asked when it is compared with its manifest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.domain.embedding import EmbeddingIdentity

Show = Callable[[int, int], None]
"""Told how much is done and how much there is; 0 for an unknown end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CopyFacts:
    """A copy of a store: the version of its schema, its own id, what its vectors were made with, rows by table."""

    schema_version: int
    node_id: str
    embedding: EmbeddingIdentity | None
    counts: Mapping[str, int]

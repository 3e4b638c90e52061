"""A vector index beside the store, and the store's notes of what the index does not know yet.

The store is the truth: it keeps every memory and vector. An index is derived from it and can be made anew; what it
has not been told yet a search takes from the store, so that a search sees every write that was acknowledged.
"""

from collections.abc import Sequence
from typing import Protocol

from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.indexing import IndexAbilities, IndexEntry
from app.domain.memory import Scope
from app.domain.query import Candidate, MemoryFilter


class VectorIndex(Protocol):
    """Finds numbers of memories by their vectors. Raises `IndexUnavailable` while its server does not answer.

    Holds superseded memories and earlier revisions too: they are found as of a moment.
    """

    @property
    def abilities(self) -> IndexAbilities:
        """What it can do by itself."""
        ...

    def prepare(self, identity: EmbeddingIdentity) -> str:
        """Make the collection for an embedding if it is missing; returns the mark that the collection was made with.

        Another mark than last time says that it was made anew and holds nothing of before. Raises `SettingsError`
        where the server, its version or the collection cannot do what the settings ask for.
        """
        ...

    def apply(self, entries: Sequence[IndexEntry]) -> None:
        """Hold or take out each entry, in batches; durable and searchable when this returns. Twice does no harm."""
        ...

    def nearest(
        self,
        scope: Scope,
        vector: Vector,
        memory_filter: MemoryFilter,
        *,
        limit: int,
        now_ms: int,
        as_of_ms: int | None = None,
        exact: bool = False,
    ) -> list[Candidate]:
        """The closest of a workspace that hold (as `app.domain.filters.holds` says) and pass the filter, best first.

        The score is the cosine; of two that are equally close the smaller number comes first.
        """
        ...

    def matching(
        self,
        scope: Scope,
        text: str,
        memory_filter: MemoryFilter,
        *,
        limit: int,
        now_ms: int,
        as_of_ms: int | None = None,
    ) -> list[Candidate]:
        """The memories that share words with a text, best first. Only where `abilities.keywords`."""
        ...

    def count(self) -> int:
        """How many memories it holds, of all workspaces."""
        ...

    def check(self) -> None:
        """Raise `IndexUnavailable` where a search would fail now; quick, for readiness."""
        ...

    def drop(self) -> None:
        """Remove the collection for good."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class IndexFeed(Protocol):
    """The store's notes of memories that its index has not been told yet; kept in the transaction of each change.

    A store notes nothing until it is attached. Of several processes each claims other notes.
    """

    def attached(self) -> str:
        """The mark of the collection that the notes are for; empty where none is attached."""
        ...

    def attach(self, mark: str) -> int:
        """Note from now on, and note everything that there is; returns how many. The same mark again does nothing."""
        ...

    def detach(self) -> None:
        """Stop, and forget the notes."""
        ...

    def claim(self, limit: int, *, lease_ms: int) -> Sequence[IndexEntry]:
        """Some that nobody has claimed, oldest note first, as the store now has them."""
        ...

    def settle(self, entries: Sequence[IndexEntry]) -> None:
        """The index was told: forget the notes, but for those of memories that changed again since the claim."""
        ...

    def release(self, entries: Sequence[IndexEntry]) -> None:
        """The index was not told: let others claim them."""
        ...

    def waiting(self, scope: Scope | None = None, *, limit: int) -> Sequence[int]:
        """Numbers of a workspace, or of all, that the index has not been told, at most `limit`."""
        ...

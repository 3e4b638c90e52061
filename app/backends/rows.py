"""What the rules of changes ask of a store that keeps rows."""

from collections.abc import Sequence
from typing import Any, Protocol

from app.backends.stored import Stored
from app.domain.embedding import Vector
from app.domain.memory import Memory


class Rows(Protocol):
    """The rows of one workspace inside a transaction, as it has changed them. What is collected counts as written."""

    def stamp(self) -> dict[str, Any]:
        """The fields of the next write: `seq`, `hlc`, `node_id` and `updated_ms`."""
        ...

    # -- what there is

    def find(self, memory_id: str) -> Stored | None:
        """The row of an id, tombstones included."""
        ...

    def find_taken(self, memory_id: str) -> Stored | None:
        """The same for an id that is to be new, which it nearly always is."""
        ...

    def find_twin(self, digest: str) -> Stored | None:
        """A row that stands and has not ended with this hash of its text."""
        ...

    def find_other_twin(self, digest: str, memory_id: str) -> Stored | None:
        """The same of another memory than the one of this id."""
        ...

    def list_standing(self, slot: str, *, user_id: str, kind: str) -> list[Stored]:
        """The rows that stand and state a slot of a user; `slot` is not empty."""
        ...

    def find_graves(self, digests: Sequence[str]) -> dict[str, Memory]:
        """Deleted memories by these hashes of their texts; one that was purged has none."""
        ...

    def list_family(self, found: Stored) -> list[Stored]:
        """A memory and its earlier revisions."""
        ...

    # -- what becomes of it

    def insert(self, memory: Memory, digest: str, vector: Vector | None) -> int:
        """Add a row and return its number."""
        ...

    def replace(self, found: Stored, new: Memory) -> None:
        """Write a row anew whose searched text is the same."""
        ...

    def rewrite(self, found: Stored, new: Memory, vector: Vector | None) -> None:
        """Write a memory whose searched text differs under a new number; the row stays as an earlier revision."""
        ...

    def bury(self, family: list[Stored], graves: list[Memory]) -> None:
        """Turn rows into tombstones."""
        ...

    def unearth(self, found: Stored, new: Memory, vector: Vector | None) -> None:
        """Turn a tombstone back into a memory, with the vector given or else with the one that it kept."""
        ...

    def finish(self) -> None:
        """Write what was collected."""
        ...

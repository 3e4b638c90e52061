"""What a copied row means for the rows of a workspace, in every store that keeps rows."""

from abc import ABC, abstractmethod
from dataclasses import replace

from app.backends.stored import Stored, hash_memory
from app.domain.copying import CopiedMemory, is_purged
from app.domain.embedding import Vector
from app.domain.memory import Memory


class CopyRules(ABC):
    """Puts copied rows into a workspace, over what a store's writer of rows can do."""

    erased = False
    """Whether a text was erased, so that no trace of it may stay."""

    def put(self, copied: CopiedMemory) -> bool:
        """Keep a row unless the one that is there is newer; returns whether anything changed."""
        memory, vector = copied.memory, copied.vector
        found = self.find_taken(memory.id)
        if found is None:
            self._add(memory, vector)
            return True
        old = found.memory
        if (old.version, old.hlc) >= (memory.version, memory.hlc):
            same = (old.version, old.hlc) == (memory.version, memory.hlc)
            return same and self._add_vector(found, vector)
        if copied.is_purged:
            self._erase(found, self._stamped(memory))
            self._forget_hash(found.number)
            self.erased = True
        elif (old.content, old.when_to_use) != (memory.content, memory.when_to_use):
            self._drop(found)
            self._add(memory, vector)
            self.erased = True
        else:
            self._turn(found, self._stamped(memory), vector)
        return True

    def _add(self, memory: Memory, vector: Vector | None) -> None:
        memory = self._stamped(memory)
        if memory.deleted_ms is None:
            self.insert(memory, hash_memory(memory), vector)
            return
        living = replace(memory, deleted_ms=None)
        number = self.insert(living, hash_memory(living), vector)
        self.flush()
        self.bury([Stored(number=number, memory=living)], [memory])
        if is_purged(memory):
            self._forget_hash(number)
            self.erased = True

    # -- what a writer of rows can do

    @abstractmethod
    def find_taken(self, memory_id: str) -> Stored | None:
        """The row of an id, tombstones included."""

    @abstractmethod
    def insert(self, memory: Memory, digest: str, vector: Vector | None) -> int:
        """Add a row and return its number."""

    @abstractmethod
    def bury(self, family: list[Stored], graves: list[Memory]) -> None:
        """Turn rows into tombstones."""

    @abstractmethod
    def flush(self) -> None:
        """Write what was collected."""

    @abstractmethod
    def _stamped(self, memory: Memory) -> Memory:
        """A memory with a place in the order of this store's writes."""

    @abstractmethod
    def _turn(self, found: Stored, memory: Memory, vector: Vector | None) -> None:
        """Write a row anew whose text is the same, whether it was or is a tombstone."""

    @abstractmethod
    def _add_vector(self, found: Stored, vector: Vector | None) -> bool:
        """Keep a vector where there is none."""

    @abstractmethod
    def _erase(self, found: Stored, memory: Memory) -> None:
        """Turn a row into a tombstone without content."""

    @abstractmethod
    def _forget_hash(self, number: int) -> None:
        """Let nothing be known as a duplicate of a text that was erased."""

    @abstractmethod
    def _drop(self, found: Stored) -> None:
        """Remove a row whose memory has another text, which gets a number of its own."""

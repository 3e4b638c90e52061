"""What a store's vectors were made with, compared with what this process embeds with."""

import json
from collections.abc import Callable
from typing import Generic, TypeVar

from app.domain.embedding import EmbeddingIdentity
from app.errors import EmbeddingMismatch, StoreCorrupt

ConnectionT = TypeVar("ConnectionT")

_IDENTITY, _TARGET, _GENERATION = "embedding", "embedding_target", "generation"


class ProcessEmbedding:
    """What this process embeds with; it follows a move that this process itself completes."""

    def __init__(self, identity: EmbeddingIdentity) -> None:
        self.identity = identity

    def compare(self, stamped: EmbeddingIdentity | None) -> None:
        """Raise `EmbeddingMismatch` where the store was built with, or moved to, another embedding."""
        if stamped is not None and stamped != self.identity:
            raise EmbeddingMismatch(
                f"the store was built with {stamped}, this process embeds with {self.identity}: "
                "configure the former, or move the store with `reme reembed`"
            )


class Stamp(Generic[ConnectionT]):
    """The facts of a store that tell of its embedding, over what reads and writes facts on a connection."""

    def __init__(
        self,
        read_fact: Callable[[ConnectionT, str], str | None],
        write_fact: Callable[[ConnectionT, str, str | None], None],
    ) -> None:
        self._read, self._write = read_fact, write_fact

    def read_identity(self, connection: ConnectionT) -> EmbeddingIdentity | None:
        """What the store's vectors were made with; None for a store without any."""
        return load_identity(self._read(connection, _IDENTITY))

    def write_identity(self, connection: ConnectionT, identity: EmbeddingIdentity) -> None:
        """Stamp the store."""
        self._write(connection, _IDENTITY, dump_identity(identity))

    def read_target(self, connection: ConnectionT) -> EmbeddingIdentity | None:
        """What the store is being moved to; None where no move is under way."""
        return load_identity(self._read(connection, _TARGET))

    def write_target(self, connection: ConnectionT, target: EmbeddingIdentity | None) -> None:
        """Keep what the store is being moved to; None ends the move."""
        self._write(connection, _TARGET, None if target is None else dump_identity(target))

    def read_generation(self, connection: ConnectionT) -> int:
        """A number that changes when the store moves to another embedding."""
        return int(self._read(connection, _GENERATION) or 1)

    def raise_generation(self, connection: ConnectionT) -> None:
        """Tell every process that the vectors are others now."""
        self._write(connection, _GENERATION, str(self.read_generation(connection) + 1))


def dump_identity(identity: EmbeddingIdentity) -> str:
    """The form in which a store keeps an identity."""
    return json.dumps(
        {"model": identity.model, "dimensions": identity.dimensions, "normalised": identity.normalised}, sort_keys=True
    )


def load_identity(text: str | None) -> EmbeddingIdentity | None:
    """The identity that a store has kept; `StoreCorrupt` where it does not read."""
    try:
        return None if text is None else EmbeddingIdentity(**json.loads(text))
    except (TypeError, ValueError) as fault:
        raise StoreCorrupt(
            f"the store's embedding does not read ({fault}): stop the service and run `reme doctor`"
        ) from fault

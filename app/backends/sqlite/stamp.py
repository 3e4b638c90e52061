"""The stamp of the embedding that the store's vectors were made with."""

import json

import apsw

from app.backends.sqlite.schema import read_fact, write_fact
from app.domain.embedding import EmbeddingIdentity
from app.errors import EmbeddingMismatch, StoreCorrupt

_IDENTITY, _TARGET, _GENERATION = "embedding", "embedding_target", "generation"


def _dump(identity: EmbeddingIdentity) -> str:
    return json.dumps(
        {"model": identity.model, "dimensions": identity.dimensions, "normalised": identity.normalised}, sort_keys=True
    )


def _load(text: str | None) -> EmbeddingIdentity | None:
    try:
        return None if text is None else EmbeddingIdentity(**json.loads(text))
    except (TypeError, ValueError) as fault:
        raise StoreCorrupt(
            f"the store's embedding does not read ({fault}): stop the service and run `reme doctor`"
        ) from fault


class ProcessEmbedding:
    """What this process embeds with; it follows a move that this process itself completes."""

    def __init__(self, identity: EmbeddingIdentity) -> None:
        self.identity = identity

    def check(self, connection: apsw.Connection) -> None:
        """Raise `EmbeddingMismatch` where the store was built with, or moved to, another embedding."""
        stamped = read_identity(connection)
        if stamped is not None and stamped != self.identity:
            raise EmbeddingMismatch(
                f"the store was built with {stamped}, this process embeds with {self.identity}: "
                "configure the former, or move the store with `reme reembed`"
            )


def read_identity(connection: apsw.Connection) -> EmbeddingIdentity | None:
    """What the store's vectors were made with; None for a store without any."""
    return _load(read_fact(connection, _IDENTITY))


def write_identity(connection: apsw.Connection, identity: EmbeddingIdentity) -> None:
    """Stamp the store."""
    write_fact(connection, _IDENTITY, _dump(identity))


def read_target(connection: apsw.Connection) -> EmbeddingIdentity | None:
    """What the store is being moved to; None where no move is under way."""
    return _load(read_fact(connection, _TARGET))


def write_target(connection: apsw.Connection, target: EmbeddingIdentity | None) -> None:
    """Keep what the store is being moved to; None ends the move."""
    write_fact(connection, _TARGET, None if target is None else _dump(target))


def read_generation(connection: apsw.Connection) -> int:
    """A number that changes when the store moves to another embedding."""
    return int(read_fact(connection, _GENERATION) or 1)


def raise_generation(connection: apsw.Connection) -> None:
    """Tell every process that the vectors are others now."""
    write_fact(connection, _GENERATION, str(read_generation(connection) + 1))

"""The stamp of the embedding that the store's vectors were made with."""

from app.backends.identities import ProcessEmbedding, Stamp
from app.backends.postgres.locks import lock_stamp
from app.backends.postgres.schema import read_fact, write_fact
from app.backends.postgres.statements import Connection

_STAMP = Stamp(read_fact, write_fact)

read_identity, write_identity = _STAMP.read_identity, _STAMP.write_identity
read_target, write_target = _STAMP.read_target, _STAMP.write_target
read_generation, raise_generation = _STAMP.read_generation, _STAMP.raise_generation


def stamp_store(connection: Connection, embedding: ProcessEmbedding) -> None:
    """Stamp a store that had no vectors; `EmbeddingMismatch` where another process stamped it otherwise meanwhile."""
    lock_stamp(connection)
    stamped = read_identity(connection)
    embedding.compare(stamped)
    if stamped is None:
        write_identity(connection, embedding.identity)

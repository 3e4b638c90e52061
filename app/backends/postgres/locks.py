"""Advisory locks of a store, all but the last taken before the rows of a workspace, in the order that they have here.

The keys are two words, so that another program's locks in the same database are others.
"""

from app.backends.postgres.statements import Connection

_FAMILY = 0x72656D65
"""The ASCII codes of "reme"."""
_SCHEMA, _EMBEDDING, _STAMP = 1, 2, 4
"""3 is held for an instant inside `advance_clock` (migration 0001)."""


def lock_schema(connection: Connection) -> None:
    """Let one process at a time migrate, until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_FAMILY, _SCHEMA))


def share_embedding(connection: Connection) -> None:
    """Keep the store's embedding what it is until the transaction ends; everyone who writes vectors takes this."""
    connection.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", (_FAMILY, _EMBEDDING))


def hold_embedding(connection: Connection) -> None:
    """Wait for everyone who writes vectors, and keep others out until the transaction ends.

    For a transaction that changes the embedding, or which tables hold vectors. Take it first.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_FAMILY, _EMBEDDING))


def lock_stamp(connection: Connection) -> None:
    """Let one transaction at a time stamp a store without vectors. Taken last, and nothing is waited for under it."""
    connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_FAMILY, _STAMP))

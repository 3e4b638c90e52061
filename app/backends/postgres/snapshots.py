"""The store of a database as it stood at one moment, for a copy that a running service cannot tear."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import psycopg

from app.backends.postgres.faults import translated
from app.backends.postgres.marks import GuardedDatabase
from app.backends.postgres.sessions import Address, configure, connect
from app.backends.postgres.statements import Connection
from app.errors import StoreError

T = TypeVar("T")

STATEMENT_S = 900.0
"""A statement lists all rows of a workspace, which takes longer than those of the service may (ours)."""
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class FrozenDatabase(GuardedDatabase):
    """A database as it stands when this is made: every reading is in one transaction, and nothing is written.

    For one thread. A connection that breaks ends the snapshot: `StoreUnavailable`.
    """

    def __init__(self, address: Address) -> None:
        super().__init__(address, min_pool_size=1, max_pool_size=1)
        try:
            with translated(self.address):
                self._session = connect(address)
                configure(self._session, address)
                # What was read is written elsewhere meanwhile, and the server would end a transaction that waits.
                self._session.execute("SET idle_in_transaction_session_timeout = 0")
                self._session.execute(_BEGIN)
                self._session.execute("SELECT 1")  # the snapshot is that of the first statement
        except BaseException:
            super().close()
            raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """The connection of the snapshot."""
        with translated(self.address):
            yield self._session

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """The same."""
        with self.read() as connection:
            yield connection

    def ask(self, work: Callable[[Connection], T], *, snapshot: bool = False) -> T:  # noqa: ARG002
        """What a reading finds."""
        with self.read() as connection:
            return work(connection)

    def write(
        self,
        work: Callable[[Connection], T],  # noqa: ARG002
        *,
        statement_timeout_s: float | None = None,  # noqa: ARG002
        pipelined: bool = False,  # noqa: ARG002
    ) -> T:
        """Nothing is written to the past: raises `StoreError`."""
        raise StoreError("a snapshot of a database is only read")

    def close(self) -> None:
        """End the transaction and close every connection."""
        with suppress(psycopg.Error):
            self._session.close()
        super().close()

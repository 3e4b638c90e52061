"""The store's clock: `seq` and `hlc` of writes and the numbers of new rows, taken in blocks for a transaction."""

from dataclasses import dataclass

from app.backends.postgres.statements import Connection, select_row
from app.errors import StoreError

_TAKE = (
    "SELECT first_seq, first_hlc, first_number, (SELECT value FROM store_facts WHERE name = 'node_id')"
    " FROM advance_clock(%s, %s, %s)"
)
_LEAST = 4
"""An update of a text takes two stamps, the statement of a slot one for each that it ends."""


@dataclass(kw_only=True, slots=True)
class _Block:
    """What is left of a block."""

    first: int
    left: int

    def take(self) -> int:
        """The next one."""
        self.first, self.left = self.first + 1, self.left - 1
        return self.first - 1


class Stamps:
    """The stamps of one transaction, which holds its workspace; each is later than all that were taken before it."""

    def __init__(self, connection: Connection, *, now_ms: int, expected: int) -> None:
        self._connection, self._now_ms = connection, now_ms
        self._size = max(expected, _LEAST)
        self.node_id = ""
        self._advance()

    def take(self) -> tuple[int, int]:
        """The `seq` and the `hlc` of the next write."""
        if not self._seqs.left:
            self._advance()
        return self._seqs.take(), self._hlcs.take()

    def take_number(self) -> int:
        """The number of the next row."""
        if not self._numbers.left:
            self._advance()
        return self._numbers.take()

    def _advance(self) -> None:
        row = select_row(self._connection, _TAKE, (self._now_ms, self._size, self._size))
        if row is None:
            raise StoreError("the store's clock gave no answer: restore the database")
        *firsts, self.node_id = row
        self._seqs, self._hlcs, self._numbers = (_Block(first=first, left=self._size) for first in firsts)

"""What searches look up of the store again and again, remembered until any process commits."""

import threading
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import apsw

from app.backends.identities import ProcessEmbedding
from app.backends.sqlite.rows import find_workspace
from app.backends.sqlite.stamp import read_generation, read_identity
from app.backends.sqlite.statements import select_number
from app.domain.memory import Scope

_WORKSPACES = 1000


@dataclass(slots=True)
class Moment:
    """A state of the store. `caught_up` tells up to which `seq` a workspace's slab has to be to show it whole."""

    version: int
    generation: int
    checked: bool = False
    workspaces: dict[Scope, int | None] = field(default_factory=dict)
    caught_up: dict[int, int] = field(default_factory=dict)

    def find_workspace(self, connection: apsw.Connection, scope: Scope) -> int | None:
        """The number of a workspace, or None where there is none."""
        if scope not in self.workspaces:
            if len(self.workspaces) >= _WORKSPACES:
                self.workspaces.clear()
            self.workspaces[scope] = find_workspace(connection, scope)
        return self.workspaces[scope]


class Moments:
    """The moments of the connections that read.

    SQLite counts, for each connection, the commits that others made, and tells the count in 3 microseconds; within a
    transaction the question also fixes the moment that all later statements see.
    """

    def __init__(self, embedding: ProcessEmbedding) -> None:
        self._embedding = embedding
        self._known: WeakKeyDictionary[apsw.Connection, Moment] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def see(self, connection: apsw.Connection) -> Moment:
        """The moment of a connection in a transaction that has just begun."""
        version = select_number(connection, "PRAGMA data_version")
        with self._lock:
            moment = self._known.get(connection)
        if moment is None or moment.version != version:
            moment = Moment(version=version, generation=read_generation(connection))
            with self._lock:
                self._known[connection] = moment
        return moment

    def check(self, connection: apsw.Connection, moment: Moment) -> None:
        """Raise `EmbeddingMismatch` where the store was built with another embedding than this process has."""
        if not moment.checked:
            self._embedding.compare(read_identity(connection))
            moment.checked = True

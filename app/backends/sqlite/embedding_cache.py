"""Embeddings that outlive the process: a SQLite file of its own, which may be removed at any time."""

import logging
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

import apsw
import numpy as np

from app.backends.sqlite.connections import Pragmas, open_connection
from app.backends.sqlite.statements import list_places, select_number, select_rows
from app.domain.embedding import Vector
from app.errors import SettingsError, StoreBusy, StoreError, StoreFull
from app.ports import Clock

log = logging.getLogger("reme.embeddings")

BUSY_TIMEOUT_MS = 100
"""How long another process's write is waited for: less than it takes a provider to embed a text."""
CACHE_MB = 8
KEEP_DAYS = 30
"""A vector that nobody asked for this long goes, as a deleted memory does (requirements §10.2): a text that was erased
is never asked for again."""
TOUCHES = 256
"""Vectors whose use is noted in one write."""
_MS_PER_DAY = 86_400_000
_KEYS = 500
_VERSION = 1
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS vectors (
    key BLOB PRIMARY KEY,
    used_at INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    vector BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS vectors_used ON vectors (used_at);
PRAGMA user_version = {_VERSION};
"""


class SqliteVectorCache:
    """The `VectorCache` in a file that several processes share; it forgets the vectors that were unused longest.

    Never more than `entries` are kept, and none unused for `keep_days`. A vector takes 4 bytes a dimension and some 60
    bytes. The file is opened with the first use. Where it cannot be used (damaged, locked, no space) there are no hits;
    that is logged once.
    """

    def __init__(self, path: Path, *, entries: int, clock: Clock, keep_days: int = KEEP_DAYS) -> None:
        if entries < 0:
            raise SettingsError(f"{entries} embeddings cannot be kept: give 0 (keep none) or more")
        self._path = path
        self._entries = entries
        self._clock = clock
        self._keep_ms = keep_days * _MS_PER_DAY
        self._lock = Lock()
        self._connection: apsw.Connection | None = None
        self._touched: set[bytes] = set()
        self._told = False
        self._off = not entries

    def recall(self, keys: Sequence[bytes], *, dimensions: int) -> dict[bytes, Vector]:
        """Those that are known, read-only; one that does not read as it was written is not known."""
        known: dict[bytes, Vector] = {}

        def work(connection: apsw.Connection) -> None:
            for start in range(0, len(keys), _KEYS):
                some = keys[start : start + _KEYS]
                sql = f"SELECT key, checksum, vector FROM vectors WHERE key IN ({list_places(len(some))})"
                for key, checksum, stored in select_rows(connection, sql, some):
                    if isinstance(stored, bytes) and len(stored) == 4 * dimensions and zlib.crc32(stored) == checksum:
                        known[key] = np.frombuffer(stored, np.float32)
            self._touched |= known.keys()
            if len(self._touched) >= TOUCHES:
                self._touch(connection)

        self._use(work)
        return known

    def keep(self, vectors: Mapping[bytes, Vector]) -> None:
        """Remember vectors, and forget what is too much or too old."""

        def work(connection: apsw.Connection) -> None:
            now_ms = self._clock.now_ms()
            rows = []
            for key, vector in vectors.items():
                stored = np.ascontiguousarray(vector, np.float32).tobytes()
                rows.append((key, now_ms, zlib.crc32(stored), stored))
            with connection:
                self._touch(connection)
                connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)", rows)
                connection.execute("DELETE FROM vectors WHERE used_at < ?", (now_ms - self._keep_ms,))
                surplus = select_number(connection, "SELECT count(*) FROM vectors") - self._entries
                if surplus > 0:
                    connection.execute(
                        "DELETE FROM vectors WHERE key IN (SELECT key FROM vectors ORDER BY used_at, rowid LIMIT ?)",
                        (surplus,),
                    )

        self._use(work)

    def close(self) -> None:
        """Note what was used and close the file."""
        with self._lock:
            self._off = True
            if self._connection is not None:
                with suppress(apsw.Error):
                    self._touch(self._connection)
                self._connection.close()
                self._connection = None

    def _touch(self, connection: apsw.Connection) -> None:
        touched, self._touched = self._touched, set()
        now_ms = self._clock.now_ms()
        with connection:
            connection.executemany("UPDATE vectors SET used_at = ? WHERE key = ?", [(now_ms, key) for key in touched])

    def _use(self, work: Callable[[apsw.Connection], None]) -> None:
        with self._lock:
            if self._off:
                return
            try:
                if self._connection is None:
                    self._connection = self._open()
                work(self._connection)
            except (StoreError, apsw.Error, OSError) as fault:
                # Another's lock and a full disk pass; of the rest every text would suffer.
                self._off = not isinstance(fault, StoreBusy | StoreFull | apsw.BusyError | apsw.FullError)
                self._tell(fault)

    def _open(self) -> apsw.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Losing the file loses nothing, but a torn page must not be read for a vector: NORMAL, not OFF.
        pragmas = Pragmas(synchronous="NORMAL", busy_timeout_ms=BUSY_TIMEOUT_MS, cache_mb=CACHE_MB)
        connection = open_connection(self._path, pragmas)
        try:
            if select_number(connection, "PRAGMA user_version") != _VERSION:
                connection.execute(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        return connection

    def _tell(self, fault: Exception) -> None:
        if not self._told:
            self._told = True
            log.warning(
                "embeddings are not kept in %s (%s): texts are embedded anew; a damaged file may be removed",
                self._path.name,
                fault,
            )

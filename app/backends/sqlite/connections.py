"""Connections: one writer with group commit, and a pool of readers."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, LifoQueue, SimpleQueue
from typing import Any, Generic, TypeVar

import apsw

from app.backends.sqlite.faults import UNREADABLE, recognise_full, translate, translated
from app.backends.sqlite.statements import select_number
from app.errors import MemoryServiceError, StoreError

T = TypeVar("T")

MINIMUM_SQLITE = (3, 44, 0)
"""RETURNING needs 3.35, FTS5's trigram tokenizer 3.34; 3.44 is what the requirements recommend (§2.1)."""
_READER_CACHE_KB = 4096
_GROUP = 256
_SWITCH_RETRY_S = 0.005


@dataclass(frozen=True, kw_only=True, slots=True)
class Pragmas:
    """How connections are opened. `synchronous` is FULL (acknowledged means on disk) or NORMAL."""

    synchronous: str = "FULL"
    busy_timeout_ms: int = 5000
    cache_mb: int = 64


def open_connection(path: Path, pragmas: Pragmas, *, readonly: bool = False, vfs: str | None = None) -> apsw.Connection:
    """A connection in WAL mode with the service's settings; raises a `StoreError`."""
    if tuple(int(part) for part in apsw.sqlite_lib_version().split(".")[:3]) < MINIMUM_SQLITE:
        raise StoreError(f"SQLite {apsw.sqlite_lib_version()} is too old: 3.44 or newer is needed; upgrade apsw")
    with translated():
        flags = apsw.SQLITE_OPEN_READWRITE | (0 if readonly else apsw.SQLITE_OPEN_CREATE)
        connection = apsw.Connection(str(path), flags=flags, vfs=vfs)
        connection.set_busy_timeout(pragmas.busy_timeout_ms)
        cache_kb = _READER_CACHE_KB if readonly else pragmas.cache_mb * 1024
        _enter_wal_mode(connection, pragmas.busy_timeout_ms)
        settings = {
            "synchronous": pragmas.synchronous,
            "cache_size": -cache_kb,
            "temp_store": "MEMORY",
            "secure_delete": "ON",  # a row that is written anew must not leave its former text in the free space
            "query_only": "ON" if readonly else "OFF",
        }
        for name, value in settings.items():
            connection.execute(f"PRAGMA {name} = {value}").fetchall()
    return connection


def _enter_wal_mode(connection: apsw.Connection, timeout_ms: int) -> None:
    """Switch a new file to a write-ahead log; of processes that do so at once, SQLite lets all but one fail."""
    deadline = time.monotonic() + timeout_ms / 1000
    while True:
        try:
            ((mode,),) = connection.execute("PRAGMA journal_mode = WAL").fetchall()
        except apsw.BusyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_SWITCH_RETRY_S)
            continue
        if mode != "wal":
            raise StoreError(f"the store stays in journal mode {mode!r}: put it on a local disk, not a network share")
        return


class Readers:
    """Lends read-only connections; the one that came back last goes out first, because its cache is warm."""

    def __init__(self, path: Path, pragmas: Pragmas, *, vfs: str | None = None) -> None:
        self._path, self._pragmas, self._vfs = path, pragmas, vfs
        self._idle: LifoQueue[apsw.Connection] = LifoQueue()
        self._closed = threading.Event()

    @contextmanager
    def lend(self) -> Iterator[apsw.Connection]:
        """A connection for one reading; SQLite's errors come out as `StoreError`."""
        if self._closed.is_set():
            raise StoreError("the store is closed")
        try:
            connection = self._idle.get_nowait()
        except Empty:
            connection = open_connection(self._path, self._pragmas, readonly=True, vfs=self._vfs)
        try:
            with translated():
                yield connection
        finally:
            if self._closed.is_set():
                connection.close()
            else:
                self._idle.put(connection)

    @contextmanager
    def lend_snapshot(self) -> Iterator[apsw.Connection]:
        """A connection on which every statement sees the same moment."""
        with self.lend() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:  # SQLite ends a transaction by itself when the disk fails
                    connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close what is idle; what is lent closes when it comes back."""
        self._closed.set()
        with suppress(Empty):
            while True:
                self._idle.get_nowait().close()


class _Task(Generic[T]):
    """One piece of writing and its outcome."""

    def __init__(self, work: Callable[[apsw.Connection], T], *, alone: bool = False) -> None:
        self.work, self.alone = work, alone
        self.done = threading.Event()
        self.value: T | None = None
        self.error: BaseException | None = None

    def settle(self, *, value: T | None = None, error: BaseException | None = None) -> None:
        self.value, self.error = value, error
        self.done.set()


class Writer:
    """The one writing connection of a process, on a thread of its own.

    Pieces of work that wait together are committed together: one flush to disk acknowledges them
    all. Each piece runs in a savepoint, so that one that fails takes nothing with it. Processes
    take turns by SQLite's write lock.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._tasks: SimpleQueue[_Task[Any] | None] = SimpleQueue()
        self._closed = False
        self._log_is_due = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="reme-writer", daemon=True)
        self._thread.start()

    def write(self, work: Callable[[apsw.Connection], T]) -> T:
        """Run a piece of work in a transaction and return its value once it is durable."""
        return self._wait(_Task(work))

    @property
    def waiting(self) -> int:
        """How many pieces of work are queued."""
        return self._tasks.qsize()

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file and empty it.

        What is committed stays so: where a reader of an old moment or a failing disk is in the way, this raises
        nothing, and every later commit tries again until the log is empty.
        """
        self._wait(_Task(self._empty_log, alone=True))

    def _empty_log(self, connection: apsw.Connection) -> None:
        self._log_is_due = True
        with suppress(apsw.Error):
            ((kept, _, _),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._log_is_due = bool(kept)

    def _retry_empty_log(self) -> None:
        """Try once more without waiting for readers: writers wait behind this thread."""
        timeout_ms = select_number(self._connection, "PRAGMA busy_timeout")
        self._connection.set_busy_timeout(0)
        self._empty_log(self._connection)
        self._connection.set_busy_timeout(timeout_ms)

    def _wait(self, task: _Task[T]) -> T:
        with self._lock:
            if self._closed:
                raise StoreError("the store is closed")
            self._tasks.put(task)
        task.done.wait()
        if isinstance(task.error, (apsw.Error, *UNREADABLE)):
            raise translate(task.error) from task.error
        if task.error is not None:
            raise task.error
        return task.value  # type: ignore[return-value]

    def close(self) -> None:
        """Finish what waits, then close the connection."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._tasks.put(None)
        self._thread.join()
        with translated():
            self._connection.close()

    def _run(self) -> None:
        held: _Task[Any] | None = None
        while (task := held or self._tasks.get()) is not None:
            group, held = [task], None
            if task.alone:
                self._run_alone(task)
                continue
            with suppress(Empty):
                while len(group) < _GROUP:
                    following = self._tasks.get_nowait()
                    if following is None:
                        self._tasks.put(None)
                        break
                    if following.alone:
                        held = following
                        break
                    group.append(following)
            self._commit(group)

    def _run_alone(self, task: _Task[Any]) -> None:
        try:
            task.settle(value=task.work(self._connection))
        except Exception as error:
            task.settle(error=error)

    def _commit(self, group: list[_Task[Any]]) -> None:
        settled: list[tuple[_Task[Any], Any, BaseException | None]] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for task in group:
                settled.append((task, *self._attempt(task)))
            self._connection.execute("COMMIT")
        except Exception as fault:  # the transaction as a whole failed: full disk, lost lock, I/O
            error = recognise_full(fault, self._connection)
            if self._connection.in_transaction:
                with suppress(apsw.Error):
                    self._connection.execute("ROLLBACK")
            if isinstance(fault, apsw.BusyError):  # trying each alone would make the last wait for all
                for task in group:
                    task.settle(error=fault)
            elif len(group) > 1:  # one large piece may have spoilt it for the others
                for task in group:
                    self._commit([task])
            else:
                group[0].settle(error=error)
            return
        for task, value, refusal in settled:
            task.settle(value=value, error=refusal)
        if self._log_is_due:
            self._retry_empty_log()

    def _attempt(self, task: _Task[Any]) -> tuple[Any, BaseException | None]:
        self._connection.execute("SAVEPOINT piece")
        try:
            value = task.work(self._connection)
        except Exception as error:
            if not self._connection.in_transaction:
                raise  # SQLite has rolled the whole transaction back
            self._connection.execute("ROLLBACK TO piece; RELEASE piece")
            if not isinstance(error, MemoryServiceError | apsw.ConstraintError):
                raise
            return None, error
        self._connection.execute("RELEASE piece")
        return value, None

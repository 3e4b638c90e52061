"""The pool of connections: readings that are repeated, and transactions that take place once."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, LifoQueue
from secrets import token_hex
from threading import Event
from typing import TypeVar

import psycopg
from psycopg.errors import QueryCanceled, ReadOnlySqlTransaction
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from app.backends.postgres.faults import is_gone, is_passing, translated
from app.backends.postgres.sessions import Address, Session, allow, configure, list_parameters, stands
from app.backends.postgres.statements import Connection, select_row
from app.errors import MemoryServiceError, StoreBusy, StoreError, StoreUnavailable

T = TypeVar("T")

_SOON_S = 1.0
"""How long a request waits for a connection while the server is known not to answer."""
_RECONNECT_S = 3.0
"""The pool tries again after 1 and after 3 seconds, then when the next caller waits (`AttemptWithBackoff`)."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 1.0

_BEGIN = "BEGIN READ WRITE"
_BEGIN_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_COMMIT = "SELECT mark_commit('{}', {}) WHERE pg_current_xact_id_if_assigned() IS NOT NULL; COMMIT"
_SETTLE = (
    "INSERT INTO commit_marks (session, mark, committed) VALUES (%s, %s, false)"
    " ON CONFLICT (session) DO UPDATE SET mark = excluded.mark,"
    " committed = commit_marks.committed AND commit_marks.mark = excluded.mark RETURNING committed"
)
_FORGET = "DELETE FROM commit_marks WHERE starts_with(session, %s) OR marked_at < now() - interval '1 day'"
"""This process's rows, and those of processes that have ended otherwise; who lives and writes makes its row anew."""
_IN_DOUBT = (
    "the connection to PostgreSQL at {} was lost while a change was committed, and the server does not answer: whether "
    "the change was written is not known; repeat the request with its Idempotency-Key, or read before you repeat it"
)


@dataclass(kw_only=True, slots=True)
class _Seat:
    """The right to one connection. `session` and `mark` name a transaction in `commit_marks`."""

    session: str
    mark: int = 0


class Database:
    """Lends connections in autocommit mode, and runs transactions; every method may be called from any thread.

    `ask` and `write` may run a piece of work several times, so the work must have no effect outside of the database.
    While the server fails over or starts, callers wait up to `connect_timeout_s` for a connection, then get
    `StoreUnavailable`; where all connections stay in use for so long, `StoreBusy`.
    """

    def __init__(self, address: Address, *, min_pool_size: int, max_pool_size: int) -> None:
        self._address, self._size = address, max_pool_size
        self._node = token_hex(8)
        self._closed = Event()
        self._answers = True
        self._seats: LifoQueue[_Seat | None] = LifoQueue()
        for number in range(max_pool_size):
            self._seats.put(_Seat(session=f"{self._node}-{number}"))
        self._pool: ConnectionPool[Session] = ConnectionPool(
            address.dsn,
            connection_class=Session,
            kwargs=dict(list_parameters(address)),
            configure=lambda session: configure(session, address),
            min_size=min(min_pool_size, max_pool_size),
            max_size=max_pool_size,
            reconnect_timeout=_RECONNECT_S,
            name="reme-postgres",
            open=False,
        )
        self._pool.open()

    @property
    def address(self) -> str:
        """Host and port of the server."""
        return self._address.name

    # -- reading

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection on which every statement sees what was committed before it."""
        with self._sit(), translated(self.address), self._lend() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection on which every statement sees the same moment."""
        with self.read() as connection, _snapshot(connection):
            yield connection

    def ask(self, work: Callable[[Connection], T], *, snapshot: bool = False) -> T:
        """What a reading finds; one whose connection broke is repeated on another."""

        def attempt() -> T:
            with self._lend() as connection:
                if not snapshot:
                    return work(connection)
                with _snapshot(connection):
                    return work(connection)

        with self._sit(), translated(self.address):
            return self._repeat(attempt)

    # -- writing

    def write(
        self, work: Callable[[Connection], T], *, statement_timeout_s: float | None = None, pipelined: bool = False
    ) -> T:
        """Run a piece of work in a READ COMMITTED transaction and return its value once it is durable.

        A transaction that gave way to another, or whose connection broke, is repeated. Where it broke during the
        commit, `commit_marks` tells whether the transaction took place: it does so once. `statement_timeout_s` is for
        work with statements that take long. With `pipelined` a statement is waited for only when its rows are fetched,
        so that many take one round trip; the work must look neither at `rowcount` nor for errors before that.
        """

        def run(connection: Session) -> T:
            connection.execute(_BEGIN, prepare=False)
            if statement_timeout_s is not None:
                allow(connection, self._address, statement_timeout_s)
            return work(connection)

        with self._sit() as seat, translated(self.address):
            return self._repeat(lambda: self._transact(seat, _pipelined(run) if pipelined else run))

    def _transact(self, seat: _Seat, run: Callable[[Session], T]) -> T:
        seat.mark += 1
        try:
            with self._lend() as connection, _undone_on_error(connection):
                value = run(connection)
                if connection.info.transaction_status is not TransactionStatus.INTRANS:
                    raise StoreError("a piece of writing ended or spoilt its transaction")
                with _marked_as_commit():
                    connection.execute(_COMMIT.format(seat.session, seat.mark), prepare=False)
        except _CommitFailed as failure:
            if is_gone(failure.fault) and self._settle(seat):
                return value
            raise failure.fault from None
        return value

    def _settle(self, seat: _Seat) -> bool:
        """Whether a transaction took place whose end was not heard; if not, it cannot do so any more.

        The row is locked by a transaction that is at its end, so this waits for it; one whose commit has not reached
        the server yet finds its mark taken and fails (`mark_commit` in migration 0001). The server's own record of
        ids of transactions would not do: after a crash it may give an id to another transaction.
        """

        def attempt() -> bool:
            with self._lend() as connection:
                row = select_row(connection, _SETTLE, (seat.session, seat.mark))
                return row is not None and bool(row[0])

        try:
            return self._repeat(attempt)
        except (psycopg.Error, StoreUnavailable):
            raise StoreUnavailable(_IN_DOUBT.format(self.address)) from None

    def _repeat(self, attempt: Callable[[], T]) -> T:
        """Repeat what fails for a passing reason, after pauses that grow and differ between callers."""
        policy = Retrying(
            retry=retry_if_exception(is_passing),
            wait=wait_random_exponential(multiplier=_FIRST_PAUSE_S, max=_LONGEST_PAUSE_S),
            stop=stop_after_delay(self._address.connect_timeout_s),
            reraise=True,
        )
        return policy(attempt)

    # -- connections

    @contextmanager
    def _sit(self) -> Iterator[_Seat]:
        try:
            seat = self._seats.get(timeout=self._address.connect_timeout_s)
        except Empty:
            raise StoreBusy(
                f"all {self._size} connections to PostgreSQL at {self.address} stayed in use for "
                f"{self._address.connect_timeout_s:g} s: repeat the request, or raise max_pool_size"
            ) from None
        try:
            if seat is None:
                raise StoreError("the store is closed")
            yield seat
        finally:
            self._seats.put(seat)

    @contextmanager
    def _lend(self) -> Iterator[Session]:
        session = self._borrow()
        try:
            yield session
        except psycopg.Error as fault:
            if is_gone(fault) or isinstance(fault, QueryCanceled):  # a cancelled session may hold a lock of its own
                session.close()
            if isinstance(fault, ReadOnlySqlTransaction):  # the others lead to the same standby
                self._pool.drain()
            raise
        finally:
            session.answer_timeout_s = self._address.answer_timeout_s
            self._pool.putconn(session)

    def _borrow(self) -> Session:
        """A connection that stands; those that the server has ended are replaced."""
        timeout_s = self._address.connect_timeout_s if self._answers else min(_SOON_S, self._address.connect_timeout_s)
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                session = self._pool.getconn(timeout=deadline - time.monotonic())
            except PoolClosed:
                raise StoreError("the store is closed") from None
            except PoolTimeout:
                self._answers = False
                raise StoreUnavailable(
                    f"PostgreSQL at {self.address} gave no connection within {timeout_s:g} s: repeat the request "
                    "later, and look at the server"
                ) from None
            if stands(session):
                self._answers = True
                return session
            session.close()
            self._pool.putconn(session)

    def close(self) -> None:
        """Wait for what is under way, then close every connection. Again it does nothing."""
        if self._closed.is_set():
            return
        self._closed.set()
        deadline = time.monotonic() + self._address.answer_timeout_s
        with suppress(Empty):
            for _ in range(self._size):
                self._seats.get(timeout=max(0.0, deadline - time.monotonic()))
        self._seats.put(None)
        with suppress(psycopg.Error, StoreError), self._lend() as connection:
            connection.execute(_FORGET, (f"{self._node}-",))
        self._pool.close()


class _CommitFailed(Exception):
    """A COMMIT was sent and its success was not heard."""

    def __init__(self, fault: psycopg.Error) -> None:
        super().__init__()
        self.fault = fault


@contextmanager
def _marked_as_commit() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as fault:
        raise _CommitFailed(fault) from None


def _pipelined(run: Callable[[Session], T]) -> Callable[[Session], T]:
    """The same in one pipeline. A refusal leaves it before it is raised: psycopg would log what fails after it."""

    def run_in_pipeline(connection: Session) -> T:
        with connection.pipeline():
            try:
                return run(connection)
            except MemoryServiceError as error:
                refusal = error
        raise refusal

    return run_in_pipeline


@contextmanager
def _undone_on_error(connection: Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(psycopg.Error):
            connection.rollback()
        raise


@contextmanager
def _snapshot(connection: Connection) -> Iterator[None]:
    connection.execute(_BEGIN_SNAPSHOT, prepare=False)
    try:
        yield
    finally:
        with suppress(psycopg.Error):
            connection.rollback()

"""One connection to the server: how it is opened, how long it waits, and whether it still stands."""

import math
import select
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict

from app.backends.postgres.statements import Connection, Row
from app.errors import SettingsError, StoreUnavailable

T = TypeVar("T")

_LOCK_SHARE = 0.5
"""Who waits for a lock gives up after half of the time that a statement has, so that the error tells which it was."""
_NOT_IN_HOSTS = frozenset("@?# ")

_CONFIGURE = """
SELECT set_config('statement_timeout', %(statement)s, false),
    set_config('lock_timeout', %(lock)s, false),
    set_config('idle_in_transaction_session_timeout', %(idle)s, false),
    set_config('TimeZone', 'UTC', false),
    set_config('jit', 'off', false),
    set_config('default_transaction_isolation', 'read committed', false),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
        ELSE current_setting('synchronous_commit') END, false)
"""
"""What is acknowledged is on the disk, also where the server's default is to acknowledge first. Compiling a statement
(jit) takes longer than most of them run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Where the server is and how to get in; only `name`, without credentials, is ever shown."""

    dsn: str = field(repr=False)
    name: str
    connect_timeout_s: float
    statement_timeout_s: float

    @property
    def answer_timeout_s(self) -> float:
        """How long a silent server is waited for, which ends statements that take too long by itself."""
        return self.statement_timeout_s + self.connect_timeout_s


def read_address(dsn: str, *, connect_timeout_s: float, statement_timeout_s: float) -> Address:
    """The address of a connection string; `SettingsError`, which does not repeat it, where it does not read."""
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.Error:
        raise SettingsError(
            "the connection string of PostgreSQL does not read: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        ) from None
    host, port = str(parts.get("host") or parts.get("hostaddr") or "localhost"), str(parts.get("port") or 5432)
    if not _NOT_IN_HOSTS.isdisjoint(host) or not all(part.isdigit() for part in port.split(",") if part):
        raise SettingsError(
            "the connection string of PostgreSQL has a host or port that cannot be one: write @ : / ? # in a password "
            "as %40 %3A %2F %3F %23"
        )
    return Address(
        dsn=dsn, name=f"{host}:{port}", connect_timeout_s=connect_timeout_s, statement_timeout_s=statement_timeout_s
    )


class Session(psycopg.Connection[Row]):
    """A connection that gives up a server which does not answer at all; such a connection is closed."""

    answer_timeout_s: float | None = None
    """None waits for ever; the server's own timeouts end a statement before, while the server runs."""

    def wait(self, gen: PQGen[T], *args: Any, **options: Any) -> T:
        """Let a piece of the protocol run to its end."""
        if self.answer_timeout_s is None:
            return super().wait(gen, *args, **options)
        try:
            return super().wait(_bound(gen, time.monotonic() + self.answer_timeout_s), *args, **options)
        except _NoAnswer:
            self.close()
            raise


class _NoAnswer(psycopg.OperationalError):
    """The server said nothing until the deadline."""


def _bound(gen: PQGen[T], deadline: float) -> PQGen[T]:
    """The same piece of the protocol until a moment; psycopg asks it several times a second whether it goes on."""
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > deadline:
                raise _NoAnswer("no answer in time")
            wanted = gen.send(ready)
    except StopIteration as end:
        value: T = end.value
        return value


def list_parameters(address: Address) -> Mapping[str, Any]:
    """What is given to libpq beside the connection string, where that does not say otherwise."""
    timeout_s = math.ceil(address.connect_timeout_s)
    defaults: dict[str, Any] = {
        "connect_timeout": max(2, timeout_s),
        "application_name": "reme-cloud",
        "target_session_attrs": "read-write",
        "tcp_user_timeout": 1000 * timeout_s,
        "keepalives_idle": 30,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    given = conninfo_to_dict(address.dsn)
    return {name: value for name, value in defaults.items() if name not in given} | {
        "client_encoding": "UTF8",
        "autocommit": True,
    }


def configure(session: Session, address: Address) -> None:
    """Give a new connection its timeouts and what else must not depend on the server's defaults."""
    session.answer_timeout_s = address.answer_timeout_s
    milliseconds = {
        "statement": address.statement_timeout_s,
        "lock": address.statement_timeout_s * _LOCK_SHARE,
        "idle": address.answer_timeout_s,
    }
    session.execute(_CONFIGURE, {name: f"{round(1000 * seconds)}ms" for name, seconds in milliseconds.items()})


def allow(session: Session, address: Address, statement_timeout_s: float) -> None:
    """Let the statements of the transaction that has begun take long."""
    session.answer_timeout_s = statement_timeout_s + address.connect_timeout_s
    session.execute("SELECT set_config('statement_timeout', %s, true)", (f"{round(1000 * statement_timeout_s)}ms",))


def connect(address: Address) -> Session:
    """A connection of its own, outside of any pool; `StoreUnavailable` tells why there is none."""
    try:
        return Session.connect(address.dsn, **list_parameters(address))
    except psycopg.Error as fault:
        reason = " ".join(str(fault).split())
        raise StoreUnavailable(
            f"no connection to PostgreSQL at {address.name} ({reason}): check that the server runs, and the host, "
            "user, password and database in the connection string"
        ) from None


def stands(connection: Connection) -> bool:
    """Whether an idle connection is of use. A server that ends a session tells it, so silence takes no round trip."""
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if not poll.poll(0):
        return True
    try:
        connection.execute("")
    except psycopg.Error:
        return False
    return True

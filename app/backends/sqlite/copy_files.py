"""A whole store as one file: taken while the service runs, examined, and put in a store's place."""

import os
import time
from contextlib import closing, suppress
from pathlib import Path
from secrets import token_hex
from urllib.parse import quote

import apsw

from app.backends.folders import flush_folder, make_folder
from app.backends.sqlite.connections import Pragmas, open_connection
from app.backends.sqlite.faults import UNREADABLE, recognise_full, translated
from app.backends.sqlite.schema import check_version, read_fact, write_fact
from app.backends.sqlite.stamp import read_identity
from app.backends.sqlite.statements import select_number, select_rows
from app.domain.backups import CopyFacts, Show
from app.errors import AlreadyExists, StoreBusy, StoreCorrupt, StoreError

STEP_PAGES = 2_048
"""8 MiB of pages of 4 KiB: small enough to show progress, large enough that a step costs nothing beside its reading."""
_KEPT = ("store_facts", "store_clock", "migrations")
"""What even an empty store has."""
_WAIT_MS = 1_000


def save_copy(source: Path, target: Path, *, show: Show) -> None:
    """Write a store as it stands at one moment to a new file; the service goes on reading and writing meanwhile.

    Raises a `StoreError`: `StoreFull`, or `StoreCorrupt` for a store with a page that does not read.
    """
    with (
        closing(open_connection(source, Pragmas(), readonly=True)) as store,
        closing(_make(target)) as copy,
        translated(),
    ):
        # A transaction of our own: SQLite begins a backup anew whenever another process writes between two steps.
        store.execute("BEGIN; SELECT count(*) FROM store_facts").fetchall()
        try:
            with copy.backup("main", store, "main") as backup:
                while not backup.done:
                    backup.step(STEP_PAGES)
                    show(backup.page_count - backup.remaining, backup.page_count)
        except apsw.Error as fault:
            raise recognise_full(fault, copy) from fault
    _flush(target)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _make(path: Path) -> apsw.Connection:
    with translated():
        return apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)


def examine_copy(path: Path) -> CopyFacts:
    """What a file that nobody writes to holds, all pages examined.

    Raises `StoreCorrupt` where it is damaged or no store, `SchemaTooNew` where a newer release wrote it.
    """
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    with (
        translated(),
        closing(apsw.Connection(f"file:{quote(str(path))}?mode=ro&immutable=1", flags=flags)) as copy,
    ):
        try:
            ((answer, *_),) = copy.execute("PRAGMA quick_check(1)").fetchall()
            tables = {name for (name,) in select_rows(copy, _TABLES)}
        except UNREADABLE as fault:
            raise StoreCorrupt(f"the copy of the store is damaged ({fault})") from fault
        if answer != "ok":
            raise StoreCorrupt(f"the copy of the store is damaged ({answer}): stop the service, run `reme doctor`")
        if not set(_KEPT) <= tables:
            raise StoreCorrupt("the copy of the store lacks its tables")
        check_version(copy)
        return CopyFacts(
            schema_version=select_number(copy, "SELECT coalesce(max(version), 0) FROM migrations"),
            node_id=read_fact(copy, "node_id") or "",
            embedding=read_identity(copy),
            counts={name: select_number(copy, f'SELECT count(*) FROM "{name}"') for name in sorted(tables)},
        )


_TABLES = (
    "SELECT s.name FROM sqlite_schema s JOIN pragma_table_list t ON t.name = s.name AND t.schema = 'main'"
    " WHERE t.type = 'table' AND s.name NOT LIKE 'sqlite_%'"
)
"""The tables themselves, without virtual ones and what these keep."""


def put_in_place(copy: Path, path: Path, *, replaces: bool) -> Path | None:
    """Make a verified copy the store at a path; returns where the former store now is, if there was one with content.

    The copy gets an id of its own, since other stores remember how much they have of the former one. At each moment
    the path has the former store or the new one, whole. Raises `AlreadyExists` for a store with content unless it
    `replaces` it, and `StoreBusy` while a process has it open.
    """
    with closing(open_connection(copy, Pragmas())) as connection, translated():
        write_fact(connection, "node_id", token_hex(8))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    _flush(copy)
    aside = None
    make_folder(path.parent)
    if path.exists():
        if _holds_something(path):
            if not replaces:
                raise AlreadyExists(
                    f"the store at {path} holds something: restore to an empty folder, or use --replace, which keeps "
                    "the present store under another name"
                )
            aside = path.with_name(f"{path.name}.{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}.before-restore")
            with suppress(FileExistsError):
                aside.hardlink_to(path)
        log = Path(f"{path}-wal")
        if aside is not None and log.exists():  # only a store that does not read leaves one
            log.rename(f"{aside}-wal")
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
    copy.replace(path)
    flush_folder(path.parent)
    return aside


def is_free(path: Path) -> bool:
    """Whether there is no store at a path, or one that holds nothing. Raises `StoreBusy` while a process has it."""
    return not path.exists() or not _holds_something(path)


def _holds_something(path: Path) -> bool:
    """Whether a store has content; what waits in its log is moved into the file, and nobody else may have it open."""
    try:
        with closing(open_connection(path, Pragmas(busy_timeout_ms=_WAIT_MS))) as store:
            store.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
            store.execute("BEGIN IMMEDIATE; COMMIT").fetchall()
            store.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            tables = [name for (name,) in select_rows(store, _TABLES) if name not in _KEPT]
            return any(store.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchall() for name in tables)
    except (apsw.BusyError, StoreBusy) as fault:
        raise StoreBusy(f"another process has {path} open: stop the service before a restore") from fault
    except (apsw.Error, StoreError):
        return True  # what does not read may still be saved by `reme doctor`

"""The embedded store: one SQLite file with memories, vectors, full text, keys, jobs and counts."""

from dataclasses import dataclass
from pathlib import Path

from app.backends.folders import make_folder
from app.backends.identities import ProcessEmbedding
from app.backends.sqlite.connections import Pragmas, Readers, open_connection
from app.backends.sqlite.copying import SqliteCopying
from app.backends.sqlite.faults import translated
from app.backends.sqlite.jobs import SqliteJobQueue
from app.backends.sqlite.keys import SqliteKeyStore
from app.backends.sqlite.ledger import SqliteLedger
from app.backends.sqlite.marks import GuardedWriter
from app.backends.sqlite.memories import SqliteMemoryStore
from app.backends.sqlite.meter import SqliteMeter
from app.backends.sqlite.notes import SqliteIndexFeed
from app.backends.sqlite.schema import migrate
from app.backends.sqlite.search import SqliteSearchIndex
from app.backends.sqlite.spaces import SqliteVectorSpaces
from app.backends.sqlite.users import SqliteUserStore
from app.backends.sqlite.working import SqliteWorkingStore
from app.backends.sqlite.workspaces import SqliteWorkspaceStore
from app.domain.embedding import EmbeddingIdentity
from app.errors import SettingsError
from app.ports import Clock

__all__ = ["SqliteStore", "open_store"]


@dataclass(frozen=True, kw_only=True)
class SqliteStore:
    """Every storage port over one file."""

    path: Path
    memories: SqliteMemoryStore
    index: SqliteSearchIndex
    workspaces: SqliteWorkspaceStore
    users: SqliteUserStore
    keys: SqliteKeyStore
    jobs: SqliteJobQueue
    meter: SqliteMeter
    ledger: SqliteLedger
    working: SqliteWorkingStore
    spaces: SqliteVectorSpaces
    feed: SqliteIndexFeed
    copying: SqliteCopying

    def close(self) -> None:
        """Write what is buffered and close the file."""
        try:
            self.meter.close()
        finally:
            self.memories.close()


def open_store(
    path: Path,
    *,
    identity: EmbeddingIdentity,
    clock: Clock,
    synchronous: str = "FULL",
    busy_timeout_ms: int = 5000,
    cache_mb: int = 64,
    slab_cache_mb: int = 192,
    vfs: str | None = None,
) -> SqliteStore:
    """Open or make the store and bring its schema up to date.

    `identity` is what this process embeds with; a store that was built with another is opened, so
    that it can be moved, but refuses vectors with `EmbeddingMismatch`. `vfs` names an apsw VFS, for tests of
    failing disks. Raises a `StoreError` where the file cannot be used.
    """
    if synchronous not in ("FULL", "NORMAL"):
        raise SettingsError(f"store.synchronous is {synchronous!r}: use FULL (acknowledged means on disk) or NORMAL")
    pragmas = Pragmas(synchronous=synchronous, busy_timeout_ms=busy_timeout_ms, cache_mb=cache_mb)
    try:
        make_folder(path.parent)
    except OSError as fault:
        raise SettingsError(
            f"the store's folder {path.parent} cannot be made ({fault.strerror}): name another"
        ) from fault
    connection = open_connection(path, pragmas, vfs=vfs)
    try:
        with translated():
            migrate(connection, now_ms=clock.now_ms())
    except BaseException:
        connection.close()
        raise
    writer, readers = GuardedWriter(connection), Readers(path, pragmas, vfs=vfs)
    embedding = ProcessEmbedding(identity)
    jobs = SqliteJobQueue(writer, readers, clock=clock)
    return SqliteStore(
        path=path,
        memories=SqliteMemoryStore(writer, readers, embedding=embedding, clock=clock),
        index=SqliteSearchIndex(readers, embedding=embedding, clock=clock, slab_cache_mb=slab_cache_mb),
        workspaces=SqliteWorkspaceStore(writer, readers, clock=clock),
        users=SqliteUserStore(writer, readers, clock=clock),
        keys=SqliteKeyStore(writer, readers),
        jobs=jobs,
        meter=SqliteMeter(writer, readers),
        ledger=SqliteLedger(writer, readers),
        working=SqliteWorkingStore(writer, readers, clock=clock),
        spaces=SqliteVectorSpaces(writer, readers, embedding=embedding),
        feed=SqliteIndexFeed(writer, readers, clock=clock),
        copying=SqliteCopying(writer, readers, embedding=embedding, clock=clock, jobs=jobs),
    )

"""The store in PostgreSQL with pgvector: for several processes and machines over one database."""

from contextlib import ExitStack, closing
from dataclasses import dataclass

from app.backends.identities import ProcessEmbedding
from app.backends.postgres.connections import Database
from app.backends.postgres.copying import PostgresCopying
from app.backends.postgres.faults import translated
from app.backends.postgres.indexes import IndexKeeper, IndexPlan
from app.backends.postgres.jobs import PostgresJobQueue
from app.backends.postgres.keys import PostgresKeyStore
from app.backends.postgres.ledger import PostgresLedger
from app.backends.postgres.marks import GuardedDatabase
from app.backends.postgres.memories import PostgresMemoryStore
from app.backends.postgres.meter import PostgresMeter
from app.backends.postgres.notes import PostgresIndexFeed
from app.backends.postgres.schema import prepare
from app.backends.postgres.search import PostgresSearchIndex
from app.backends.postgres.sessions import connect, read_address
from app.backends.postgres.snapshots import STATEMENT_S, FrozenDatabase
from app.backends.postgres.spaces import PostgresVectorSpaces
from app.backends.postgres.users import PostgresUserStore
from app.backends.postgres.working import PostgresWorkingStore
from app.backends.postgres.workspaces import PostgresWorkspaceStore
from app.domain.embedding import EmbeddingIdentity
from app.errors import SettingsError
from app.ports import Clock

__all__ = ["PostgresStore", "open_snapshot", "open_store"]


@dataclass(frozen=True, kw_only=True)
class PostgresStore:
    """Every storage port over one database."""

    database: Database
    keeper: IndexKeeper
    memories: PostgresMemoryStore
    index: PostgresSearchIndex
    workspaces: PostgresWorkspaceStore
    users: PostgresUserStore
    keys: PostgresKeyStore
    jobs: PostgresJobQueue
    meter: PostgresMeter
    ledger: PostgresLedger
    working: PostgresWorkingStore
    spaces: PostgresVectorSpaces
    feed: PostgresIndexFeed
    copying: PostgresCopying

    def close(self) -> None:
        """Write what is buffered and close every connection."""
        with ExitStack() as closing:
            closing.callback(self.memories.close)
            closing.callback(self.keeper.close)
            closing.callback(self.meter.close)


def open_store(
    dsn: str,
    *,
    identity: EmbeddingIdentity,
    clock: Clock,
    min_pool_size: int = 5,
    max_pool_size: int = 20,
    connect_timeout_s: float = 10.0,
    statement_timeout_s: float = 30.0,
    index: str = "hnsw",
    lists: int = 100,
    m: int = 16,
    ef_construction: int = 200,
    ef_search: int = 256,
) -> PostgresStore:
    """Open the store of a database, bring its schema up to date and have its vectors indexed.

    `dsn` is a connection string of libpq, of one host or several, of which the one that accepts writes is taken; what
    it says of timeouts goes before the defaults here. `identity` is what this process embeds with; a store that was
    built with another is opened, so that it can be moved, but refuses vectors with `EmbeddingMismatch`.
    `connect_timeout_s` is how long a request waits for a connection, also while the server fails over. The `index` is
    "hnsw" (with `m`, `ef_construction`, `ef_search`) or "ivfflat" (with `lists`). Raises `SettingsError` where the
    server, its pgvector or a setting cannot be used, `SchemaTooNew`, or another `StoreError`.
    """
    for name, value in (("connect_timeout_s", connect_timeout_s), ("statement_timeout_s", statement_timeout_s)):
        if value <= 0:
            raise SettingsError(f"{name} is {value:g}: give more than 0 seconds")
    if not 1 <= min_pool_size <= max_pool_size:
        raise SettingsError(
            f"the pool is to have {min_pool_size} to {max_pool_size} connections: give at least 1, and no fewer at most"
        )
    address = read_address(dsn, connect_timeout_s=connect_timeout_s, statement_timeout_s=statement_timeout_s)
    plan = IndexPlan(method=index, m=m, ef_construction=ef_construction, ef_search=ef_search, lists=lists)
    embedding = ProcessEmbedding(identity)
    keeper = IndexKeeper(address, plan, embedding=embedding)
    with translated(address.name):
        with connect(address) as session:
            prepare(session, now_ms=clock.now_ms())
        keeper.open()
    database = GuardedDatabase(address, min_pool_size=min_pool_size, max_pool_size=max_pool_size)
    return _gather(database, keeper, embedding=embedding, clock=clock)


def open_snapshot(
    dsn: str, *, identity: EmbeddingIdentity, clock: Clock, connect_timeout_s: float = 10.0
) -> PostgresStore:
    """The store of a database as it stands now, to be read by one thread; what is written raises `StoreError`.

    Raises `SettingsError` where the server cannot be used, `SchemaTooNew`, or another `StoreError`.
    """
    address = read_address(dsn, connect_timeout_s=connect_timeout_s, statement_timeout_s=STATEMENT_S)
    embedding = ProcessEmbedding(identity)
    with translated(address.name), closing(connect(address)) as session:
        prepare(session, now_ms=clock.now_ms())
    keeper = IndexKeeper(address, IndexPlan(), embedding=embedding)  # never opened: nothing is searched
    return _gather(FrozenDatabase(address), keeper, embedding=embedding, clock=clock)


def _gather(
    database: GuardedDatabase, keeper: IndexKeeper, *, embedding: ProcessEmbedding, clock: Clock
) -> PostgresStore:
    jobs = PostgresJobQueue(database, clock=clock)
    return PostgresStore(
        database=database,
        keeper=keeper,
        memories=PostgresMemoryStore(database, embedding=embedding, clock=clock, keeper=keeper),
        index=PostgresSearchIndex(database, embedding=embedding, clock=clock, keeper=keeper),
        workspaces=PostgresWorkspaceStore(database, clock=clock),
        users=PostgresUserStore(database, clock=clock),
        keys=PostgresKeyStore(database),
        jobs=jobs,
        meter=PostgresMeter(database, clock=clock),
        ledger=PostgresLedger(database),
        working=PostgresWorkingStore(database, clock=clock),
        spaces=PostgresVectorSpaces(database, embedding=embedding, keeper=keeper),
        feed=PostgresIndexFeed(database, clock=clock),
        copying=PostgresCopying(database, embedding=embedding, clock=clock, jobs=jobs),
    )

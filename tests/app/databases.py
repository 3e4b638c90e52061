"""Databases for the PostgreSQL store: copies of one that is up to date, which are emptied and used again.

To migrate a database takes a second, to copy one a fifth of it, to empty one less than a hundredth.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from app.backends.clock import SteppingClock
from app.backends.postgres import PostgresStore, open_store
from app.backends.postgres.statements import Connection, select_rows
from app.domain.embedding import EmbeddingIdentity
from app.ports import Clock
from tests.servers.postgres import Databases
from tests.servers.waiting import PATIENCE_S

_SHAPE = """
SELECT md5(string_agg(part, ' ' ORDER BY part)) FROM (
    SELECT concat_ws(':', oid, relname) AS part FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(':', oid, tgname, tgenabled) FROM pg_trigger
    UNION ALL SELECT DISTINCT 'billed' FROM ledger_entries
) AS parts
"""
"""Tells whether tables, indexes or triggers came or went, or rows that cannot be removed; such a database is dropped."""

_EMPTY = """
DO $$
DECLARE
    named regclass;
BEGIN
    PERFORM set_config('session_replication_role', 'replica', true);
    TRUNCATE chunks_vec_default;
    FOR named IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
        CONTINUE WHEN named = 'migrations'::regclass;
        EXECUTE format('DELETE FROM %s', named);
    END LOOP;
    FOR named IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S' LOOP
        PERFORM setval(named, 1, false);
    END LOOP;
    INSERT INTO store_facts VALUES ('node_id', left(replace(gen_random_uuid()::text, '-', ''), 16)), ('generation', '1');
END $$
"""

_spare: dict[tuple[Databases, EmbeddingIdentity], list[tuple[str, str]]] = defaultdict(list)
"""Addresses of empty databases, and their shapes."""


@lru_cache(maxsize=8)
def _make_template(databases: Databases, identity: EmbeddingIdentity) -> str:
    dsn = databases.new_database()
    open_store(dsn, identity=identity, clock=SteppingClock(), min_pool_size=1, max_pool_size=2).close()
    return dsn


def new_store_database(databases: Databases, identity: EmbeddingIdentity) -> str:
    """The address of a database with an empty store for this embedding."""
    return databases.new_database(_make_template(databases, identity))


@dataclass(frozen=True, kw_only=True)
class OwnDatabaseStore(PostgresStore):
    """A store with a database of its own, which is for others when the store is closed."""

    databases: Databases
    identity: EmbeddingIdentity
    dsn: str
    shape: str

    def close(self) -> None:
        """Close the store; its database is emptied, or dropped where a test has changed more than rows."""
        self.meter.close()
        self.keeper.close()
        with self.database.read() as connection:
            unchanged = _read_shape(connection) == self.shape
            if unchanged:
                connection.execute(_EMPTY)
        self.memories.close()
        if unchanged:
            _spare[self.databases, self.identity].append((self.dsn, self.shape))
        else:
            self.databases.drop_database(self.dsn)


PATIENT: Mapping[str, Any] = {"connect_timeout_s": PATIENCE_S, "statement_timeout_s": PATIENCE_S}
"""A machine may be as busy as it likes; who waits for a lock gives up after half of it."""


def open_own_store(databases: Databases, *, identity: EmbeddingIdentity, clock: Clock) -> OwnDatabaseStore:
    """An empty store in a database of its own, with the connections that eight threads need."""
    spare = _spare[databases, identity]
    dsn, shape = spare.pop() if spare else (new_store_database(databases, identity), "")
    store = open_store(
        dsn,
        identity=identity,
        clock=clock,
        min_pool_size=1,
        max_pool_size=10,
        **PATIENT,
    )
    parts = {each.name: getattr(store, each.name) for each in fields(store)}
    shape = shape or store.database.ask(_read_shape)
    return OwnDatabaseStore(databases=databases, identity=identity, dsn=dsn, shape=shape, **parts)


def _read_shape(connection: Connection) -> str:
    ((shape,),) = select_rows(connection, _SHAPE)
    return str(shape)

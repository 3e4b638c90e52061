"""The index of the nearest vectors: HNSW, or lists around centres (ivfflat).

It is over half precision, made from the single precision that is stored, and what it finds is compared in single
precision. Measured at 20,000 clustered vectors (pgvector 0.8.5, m 16, ef_construction 200), recall@10 is the same as
over single precision (1.000 with ef_search 256, 0.996 with 100); the index takes a third of the space with 1,024
dimensions (52 against 156 MB) and half with 512, is built in 0.85 of the time, and searched as fast or faster. It takes
up to 4,000 dimensions, one over single precision 2,000.

To write a vector of 1,024 dimensions into the graph takes 4.3 ms, all else that belongs to a memory 0.8 ms. So the
index is made once a workspace holds more than is compared in any case: a store of small workspaces never pays for it,
and what is loaded into an empty one is indexed together.
"""

import logging
import math
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from secrets import token_hex

import psycopg

from app.backends.identities import ProcessEmbedding
from app.backends.postgres.derived import VECTORS
from app.backends.postgres.faults import translated
from app.backends.postgres.sessions import Address, Session, connect
from app.backends.postgres.stamp import read_identity
from app.backends.postgres.statements import Connection, select_number, select_rows
from app.domain.embedding import EmbeddingIdentity
from app.errors import SettingsError

LARGEST_DIMENSIONS = 4000
"""The most that an index over half precision takes (HNSW_MAX_DIM and IVFFLAT_MAX_DIM of pgvector, doubled)."""
COMPARED = 2000
"""Up to so many memories of a workspace are always compared, in about 10 ms: only for more is an index of use."""
_UNSEARCHED = 10_000
"""How many vectors a process writes before it looks whether an index is due, if no search asks for it before."""
_FILLED = 50
"""Vectors that there must be for each list: pgvector samples as many to place the centres (ivfbuild.c)."""
_SAMPLED = 10_000
"""It samples at least so many."""
_AT_ONCE = 5000
"""Of up to so many vectors an index is made in seconds, while nobody writes; of more beside those who do."""
_INLINE = 1000
"""Vectors of up to so many dimensions stay in their rows, of which two and more fill a page: to compare one takes half
the time that it takes to gather its parts from elsewhere (512 dimensions: 1.8 against 3.4 microseconds)."""
_GRAPH_BYTES = 400
"""What the graph takes in RAM for a vector beside its components, while it is made."""
_MOST_BYTES = 2 * 2**30
"""No more is asked of the server, whatever the plan."""

_VECTOR_BYTES, _LISTS = 16, 8
"""What k-means keeps for a vector and for a list beside their components and distances, rounded up."""

_BEGIN = "chunks_vec_nearest_"
_LARGEST = (
    "SELECT coalesce(max(memories), 0)::bigint"
    " FROM (SELECT sum(memories) AS memories FROM tallies GROUP BY workspace) AS each"
)
_PAUSE_S, _CLOSE_S = 0.2, 10.0
"""How often what is under way is cancelled, and how long a server that does not answer is waited for."""
_RETRIED_S = 60.0
"""How long nobody tries again to make an index that could not be made."""
_TRY_LOCK = "SELECT pg_try_advisory_lock(1919249765, 16)"
"""Held by the session that makes an index, until it is closed; the words are those of locks.py."""

log = logging.getLogger("reme.postgres")


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexPlan:
    """How the index is made and how widely it is searched; the names are those of pgvector's options."""

    method: str = "hnsw"
    m: int = 16
    ef_construction: int = 200
    ef_search: int = 256
    lists: int = 100

    def __post_init__(self) -> None:
        if self.method not in ("hnsw", "ivfflat"):
            raise SettingsError(f"the index is {self.method!r}: use hnsw, or ivfflat")
        for name, value, least, most in (
            ("m", self.m, 2, 100),
            ("ef_construction", self.ef_construction, max(4, 2 * self.m), 1000),
            ("ef_search", self.ef_search, 1, 1000),
            ("lists", self.lists, 1, 32768),
        ):
            if not least <= value <= most:
                raise SettingsError(f"the index's {name} is {value}: pgvector takes {least} to {most}")

    @property
    def probes(self) -> int:
        """The lists that a search looks into at first: the square root of their number, as pgvector's README advises.

        Measured at 20,000 clustered vectors of 256 dimensions in 100 lists, recall@10 is 0.88 with 3 probes, 0.97 with
        5, 0.998 with 10 and 1.000 with 20.
        """
        return max(1, round(math.sqrt(self.lists)))

    @property
    def least_vectors(self) -> int:
        """How many vectors there must be before the index is made."""
        return _FILLED * self.lists if self.method == "ivfflat" else 0

    def weigh(self, count: int, dimensions: int) -> int:
        """The bytes that making it of so many vectors takes: the graph, or what k-means keeps (ivfkmeans.c)."""
        if self.method == "hnsw":
            return count * (2 * dimensions + _GRAPH_BYTES)
        sampled = max(_SAMPLED, _FILLED * self.lists)  # room is taken for so many, however few there are
        components = (sampled + 4 * self.lists) * (2 * dimensions + _VECTOR_BYTES)
        return components + 4 * (sampled + self.lists + _LISTS) * self.lists + _VECTOR_BYTES * sampled

    def name(self, dimensions: int) -> str:
        """What the name of an index that was made by this plan begins with."""
        made = f"{self.lists}" if self.method == "ivfflat" else f"{self.m}_{self.ef_construction}"
        return f"{begin_name(dimensions)}{self.method}_{made}_"

    def write(self, table: str, dimensions: int, *, beside: bool) -> str:
        """The statement that makes the index of a table, whose vectors may be of other dimensions before a stamp."""
        options = f"lists = {self.lists}"
        if self.method == "hnsw":
            options = f"m = {self.m}, ef_construction = {self.ef_construction}"
        return (
            f"CREATE INDEX {'CONCURRENTLY ' if beside else ''}{self.name(dimensions)}{token_hex(4)} ON {table}"
            f" USING {self.method} ((embedding::halfvec({dimensions})) halfvec_cosine_ops) WITH ({options})"
            f" WHERE vector_dims(embedding) = {dimensions}"
        )


def begin_name(dimensions: int) -> str:
    """What the name of every index of the nearest begins with that is for so many dimensions."""
    return f"{_BEGIN}{dimensions}_"


def check_dimensions(identity: EmbeddingIdentity) -> None:
    """Raise `SettingsError` for an embedding whose vectors no index takes."""
    if identity.dimensions > LARGEST_DIMENSIONS:
        raise SettingsError(
            f"{identity} has more dimensions than an index of pgvector takes, {LARGEST_DIMENSIONS:,}: "
            "choose a model, or a shorter form of its vectors, within that"
        )


class IndexKeeper:
    """Makes the index of the nearest where it is due and missing, was left unfinished, or was made by another plan.

    Of several processes one does it at a time, the others go on with what there is. May be used from any thread.
    """

    def __init__(self, address: Address, plan: IndexPlan, *, embedding: ProcessEmbedding) -> None:
        self.plan = plan
        self._address, self._embedding = address, embedding
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._session: Session | None = None
        self._tried_s = -_RETRIED_S
        self._written = 0
        self._closed = threading.Event()

    def open(self) -> None:
        """Make the index at once where that takes seconds, else in a thread."""
        check_dimensions(self._embedding.identity)
        if not self._keep(VECTORS, most=_AT_ONCE):
            self.keep_soon()

    def make(self, table: str, dimensions: int) -> None:
        """Make the index of a table if it is due, however long it takes."""
        with translated(self._address.name), connect(self._address) as session:
            self._make(session, table, dimensions, most=None)

    def keep_soon(self) -> None:
        """Make the index in a thread, unless one is at it or was just now."""
        now_s = time.monotonic()
        with self._lock:
            if self._closed.is_set() or (self._thread is not None and self._thread.is_alive()):
                return
            if now_s - self._tried_s >= _RETRIED_S:
                self._tried_s = now_s
                self._thread = threading.Thread(target=self._keep_quietly, name="vector-index", daemon=True)
                self._thread.start()

    def note_written(self, vectors: int) -> None:
        """Note that so many vectors were committed: after many the index is made in a thread if it is due."""
        with self._lock:
            self._written += vectors
            if self._written < _UNSEARCHED:
                return
            self._written = 0
        self.keep_soon()

    def close(self) -> None:
        """Give up what is under way; the next process that is opened takes it up."""
        with self._lock:
            self._closed.set()
            thread = self._thread
        deadline = time.monotonic() + _CLOSE_S
        while thread is not None and thread.is_alive() and time.monotonic() < deadline:
            session = self._session
            if session is not None:
                with suppress(psycopg.Error):  # it may have ended by itself
                    session.cancel_safe(timeout=_CLOSE_S)
            thread.join(_PAUSE_S)

    def _keep_quietly(self) -> None:
        try:
            self._keep(VECTORS, most=None)
        except Exception as fault:  # searches compare every vector meanwhile
            if not self._closed.is_set():
                log.warning("the index of the nearest vectors could not be made: %s", type(fault).__name__)

    def _keep(self, table: str, *, most: int | None) -> bool:
        with translated(self._address.name), connect(self._address) as session:
            stamped = read_identity(session)
            if stamped is not None and stamped != self._embedding.identity:
                return True  # this process neither searches nor writes vectors
            self._session = session
            try:
                return self._closed.is_set() or self._make(
                    session, table, self._embedding.identity.dimensions, most=most
                )
            finally:
                self._session = None

    def _make(self, session: Session, table: str, dimensions: int, *, most: int | None) -> bool:
        """Whether nothing is left to do: the index is there or not due, or another process is at it."""
        if select_rows(session, _TRY_LOCK) != [(True,)]:
            return True
        made, others, broken = _list_names(session, table, self.plan.name(dimensions), begin_name(dimensions))
        _drop(session, broken)  # whoever writes has to keep them up to date
        if made:
            _drop(session, others)
            return True
        bound = max(self.plan.least_vectors, _AT_ONCE) + 1
        count = select_number(session, f"SELECT count(*) FROM (SELECT FROM {table} LIMIT %s) AS part", (bound,))
        if not count:
            choose_storage(session, table, dimensions)
        if count < self.plan.least_vectors or not (others or select_number(session, _LARGEST) > COMPARED):
            return True
        if most is not None and count > most:
            return False
        log.info("making the index of the nearest vectors: %s", self.plan.method)
        self._take_memory(session, table, dimensions)
        session.execute(self.plan.write(table, dimensions, beside=count > _AT_ONCE))
        _drop(session, others)
        log.info("made the index of the nearest vectors")
        return True

    def _take_memory(self, connection: Connection, table: str, dimensions: int) -> None:
        """Allow as much memory as it takes to make the index, of which a graph can do with less, but takes far longer.

        So a graph gets no more than the server's shared buffers; lists are not made with less than they need.
        """
        count = select_number(connection, f"SELECT count(*) FROM {table}")
        allowed = "least(pg_size_bytes(current_setting('shared_buffers')), %s)" if self.plan.method == "hnsw" else "%s"
        connection.execute(
            "SELECT set_config('statement_timeout', '0', false), set_config('maintenance_work_mem',"
            f" greatest(pg_size_bytes(current_setting('maintenance_work_mem')), {allowed}::bigint) / 1024"
            " || 'kB', false)",
            (min(self.plan.weigh(count, dimensions), _MOST_BYTES),),
        )


def drop_nearest(connection: Connection, table: str) -> None:
    """Remove the indexes of the nearest of a table, in the transaction that is under way."""
    for names in _list_names(connection, table, _BEGIN, _BEGIN):
        for name in names:
            connection.execute(f"DROP INDEX {name}")


def choose_storage(connection: Connection, table: str, dimensions: int) -> None:
    """Have vectors that will be written to a table kept in their rows, or beside these where they are long."""
    storage = "main" if dimensions <= _INLINE else "external"
    known = "SELECT FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'embedding' AND attstorage = %s"
    if not select_rows(connection, known, (table, storage[0])):
        connection.execute(f"ALTER TABLE {table} ALTER embedding SET STORAGE {storage}")


def _list_names(connection: Connection, table: str, made: str, begin: str) -> tuple[list[str], list[str], list[str]]:
    """The indexes of a table for some dimensions: one that was made by a plan, others of use, and those of none.

    What a build that was given up leaves behind is of no use.
    """
    rows = select_rows(
        connection,
        "SELECT c.relname, i.indisvalid, starts_with(c.relname, %s) FROM pg_index i"
        " JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE i.indrelid = %s::regclass AND starts_with(c.relname, %s) ORDER BY c.oid",
        (made, table, begin),
    )
    planned = [str(name) for name, valid, is_planned in rows if valid and is_planned][:1]
    others = [str(name) for name, valid, _ in rows if valid and name not in planned]
    return planned, others, [str(name) for name, valid, _ in rows if not valid]


def _drop(connection: Connection, names: list[str]) -> None:
    for name in names:
        connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")

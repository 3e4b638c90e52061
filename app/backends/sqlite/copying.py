"""Rows as they stand, for a move to or from another store."""

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

import apsw
import numpy as np

from app.backends.copies import (
    STANDS,
    dump_stand,
    load_stand,
    name_stand,
    write_count,
    write_job,
    write_user,
    write_workspace,
)
from app.backends.documents import dump_json
from app.backends.identities import ProcessEmbedding
from app.backends.sqlite.connections import Readers
from app.backends.sqlite.copied_rows import CopiedRows
from app.backends.sqlite.jobs import SqliteJobQueue
from app.backends.sqlite.marks import GuardedWriter, drop_mark, find_mark, list_marks, passing, put_mark
from app.backends.sqlite.rows import COLUMNS, find_workspace, read_memory
from app.backends.sqlite.schema import read_fact, write_fact
from app.backends.sqlite.stamp import read_identity, write_identity
from app.backends.sqlite.statements import Row, list_places, round_up, select_rows
from app.backends.sqlite.vectors import read_vectors
from app.backends.vectors import check_vector
from app.domain.copying import CopiedMemory, CopiedReceipt, CopyBatch, CopyStand, MoveMark, let_go
from app.domain.job import Job
from app.domain.memory import Scope
from app.domain.usage import UsageRecord
from app.domain.workspace import User, Workspace
from app.errors import NotFound, StoreBusy
from app.ports import Clock

_BATCH = 500
_TENANTS = "workspaces", "usage_daily", "ledger_days", "workspace_caps"
_KEEP_WORKSPACE = (
    "INSERT INTO workspaces (tenant_id, workspace_id, name, metadata, data_key_id, created_at, updated_at, version)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant_id, workspace_id) DO UPDATE SET name = excluded.name,"
    " metadata = excluded.metadata, data_key_id = excluded.data_key_id, created_at = excluded.created_at,"
    " updated_at = excluded.updated_at, version = excluded.version"
)
_KEEP_JOB = (
    "INSERT INTO jobs (id, tenant_id, workspace_id, kind, payload, state, created_at, updated_at, attempts, result,"
    " error, not_before, leased_until) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"
    " ON CONFLICT (id) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at,"
    " attempts = excluded.attempts, result = excluded.result, error = excluded.error,"
    " not_before = excluded.not_before WHERE excluded.updated_at > updated_at"
)
_KEEP_USAGE = (
    "INSERT INTO usage_daily VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
    " calls = max(calls, excluded.calls), items = max(items, excluded.items),"
    " input_tokens = max(input_tokens, excluded.input_tokens),"
    " output_tokens = max(output_tokens, excluded.output_tokens)"
)


class SqliteCopying:
    """The `Copying` of the SQLite file."""

    def __init__(
        self,
        writer: GuardedWriter,
        readers: Readers,
        *,
        embedding: ProcessEmbedding,
        clock: Clock,
        jobs: SqliteJobQueue,
    ) -> None:
        self._writer, self._readers = writer, readers
        self._embedding, self._clock, self._jobs = embedding, clock, jobs

    def node_id(self) -> str:
        """The store's own id."""
        with self._readers.lend() as connection:
            return read_fact(connection, "node_id") or ""

    def list_scopes(self) -> tuple[Scope, ...]:
        """Every workspace that something is kept of."""
        sql = " UNION ".join(f"SELECT tenant_id, workspace_id FROM {table}" for table in _TENANTS)
        with self._readers.lend() as connection:
            rows = select_rows(connection, f"{sql} ORDER BY 1, 2")
        return tuple(Scope(tenant_id=tenant, workspace_id=workspace) for tenant, workspace in rows)

    # -- reading

    def read_memories(self, scope: Scope, *, after: int) -> Iterator[CopyBatch]:
        """The rows that were written after a `seq`, in the order of their last writes."""
        table = "chunks_slab_default" if after else "chunks_default"  # the former has an index by `seq`
        sql = f"SELECT number, seq FROM {table} WHERE workspace = ? AND seq > ? ORDER BY seq"
        with self._readers.lend() as connection:
            workspace = find_workspace(connection, scope)
            listed = np.array(select_rows(connection, sql, (workspace, after)), np.int64).reshape(-1, 2)
        for start in range(0, len(listed), _BATCH):
            part = listed[start : start + _BATCH, 0].tolist()
            with self._readers.lend_snapshot() as connection:
                found = {row[0]: row for row in _select(connection, "number", part, workspace)}
                memories = _attach_vectors(connection, [found[number] for number in part if number in found])
            yield CopyBatch(seq=int(listed[start : start + _BATCH, 1].max()), memories=memories)

    def find_memories(self, scope: Scope, memory_ids: Sequence[str]) -> tuple[CopiedMemory, ...]:
        """The rows of these ids."""
        with self._readers.lend_snapshot() as connection:
            return _attach_vectors(connection, _select(connection, "id", memory_ids, find_workspace(connection, scope)))

    def read_receipts(self, scope: Scope, *, since_ms: int) -> tuple[CopiedReceipt, ...]:
        """The receipts that were given at a moment or later."""
        sql = (
            "SELECT key, request_sha256, outcomes, created_at FROM receipts"
            " WHERE tenant_id = ? AND workspace_id = ? AND created_at >= ?"
        )
        with self._readers.lend() as connection:
            rows = select_rows(connection, sql, (scope.tenant_id, scope.workspace_id, since_ms))
        return tuple(
            CopiedReceipt(key=row[0], request_sha256=row[1], outcomes=json.loads(row[2]), created_ms=row[3])
            for row in rows
        )

    def read_jobs(self, scope: Scope) -> tuple[Job, ...]:
        """The jobs in the order in which they came."""
        sql = "SELECT id FROM jobs WHERE tenant_id = ? AND workspace_id = ? ORDER BY number"
        with self._readers.lend() as connection:
            rows = select_rows(connection, sql, (scope.tenant_id, scope.workspace_id))
        return tuple(let_go(self._jobs.find(scope, job_id)) for (job_id,) in rows)

    # -- writing

    def put_workspace(self, workspace: Workspace) -> None:
        """Keep a workspace as it is given."""
        self._write(_KEEP_WORKSPACE, [write_workspace(workspace)])

    def put_users(self, users: Sequence[User]) -> None:
        """Keep users as they are given."""
        self._write("INSERT OR REPLACE INTO users VALUES (?, ?, ?, ?, ?, ?, ?)", [write_user(user) for user in users])

    def put_memories(self, scope: Scope, memories: Sequence[CopiedMemory], *, stand: CopyStand) -> int:
        """Keep rows as they are given, and the stand."""

        def work(connection: apsw.Connection) -> tuple[int, bool]:
            workspace = find_workspace(connection, scope)
            if workspace is None:
                raise NotFound(f"workspace {scope.workspace_id} does not exist")
            self._stamp(connection, memories)
            rows = CopiedRows(connection, scope, workspace, now_ms=self._clock.now_ms())
            changed = sum(rows.put(each) for each in memories)
            rows.finish()
            write_fact(connection, name_stand(stand), dump_stand(stand))
            return changed, rows.erased

        changed, erased = self._writer.write(work)
        if erased:
            self._writer.checkpoint()
        return changed

    def _stamp(self, connection: apsw.Connection, memories: Sequence[CopiedMemory]) -> None:
        stamped = read_identity(connection)
        self._embedding.compare(stamped)
        vectors = [each.vector for each in memories if each.vector is not None]
        for vector in vectors:
            check_vector(vector, self._embedding.identity)
        if vectors and stamped is None:
            write_identity(connection, self._embedding.identity)

    def put_receipts(self, scope: Scope, receipts: Sequence[CopiedReceipt]) -> None:
        """Keep receipts whose keys are not there."""
        owner = (scope.tenant_id, scope.workspace_id)
        self._write(
            "INSERT OR IGNORE INTO receipts VALUES (?, ?, ?, ?, ?, ?)",
            [(*owner, each.key, each.request_sha256, dump_json(each.outcomes), each.created_ms) for each in receipts],
        )

    def put_jobs(self, jobs: Sequence[Job]) -> None:
        """Keep jobs that are not there, and those that changed later than what is there."""
        self._write(_KEEP_JOB, [write_job(job) for job in jobs])

    def put_usage(self, records: Sequence[UsageRecord]) -> None:
        """Let counts of use be at least these."""
        self._write(_KEEP_USAGE, [write_count(each) for each in records])

    def _write(self, sql: str, rows: Sequence[Row]) -> None:
        def work(connection: apsw.Connection) -> None:
            connection.executemany(sql, rows)

        if rows:
            self._writer.write(work)

    # -- how far the copy is

    def list_stands(self, source: str) -> tuple[CopyStand, ...]:
        """How far the copies from another store are."""
        beginning = f"{STANDS}{source} "
        sql = "SELECT name, value FROM store_facts WHERE substr(name, 1, ?) = ? ORDER BY name"
        with self._readers.lend() as connection:
            rows = select_rows(connection, sql, (len(beginning), beginning))
        return tuple(load_stand(*row) for row in rows)

    def put_stand(self, stand: CopyStand) -> None:
        """Keep how far a copy is."""
        self._writer.write(lambda connection: write_fact(connection, name_stand(stand), dump_stand(stand)))

    def drop_stand(self, stand: CopyStand) -> None:
        """Forget how far a copy is."""
        self._writer.write(lambda connection: write_fact(connection, name_stand(stand), None))

    # -- the mark on what is moved

    def hold(self, mark: MoveMark, *, lease_ms: int) -> None:
        """Keep writers out for `lease_ms` from now."""

        def work(connection: apsw.Connection) -> None:
            standing = find_mark(connection, mark.scope)
            if standing is not None and standing.target_id != mark.target_id:
                raise StoreBusy(standing.message)
            put_mark(connection, mark, lease_ms)

        self._writer.write(work)

    def renew(self, mark: MoveMark, *, lease_ms: int) -> bool:
        """Keep them out for longer."""
        return self._writer.write(lambda connection: _prolong(connection, mark, lease_ms))

    def settle(self, mark: MoveMark) -> bool:
        """Keep them out for good."""
        return self._writer.write(lambda connection: _prolong(connection, mark, None))

    def reopen(self, scope: Scope | None) -> bool:
        """Let writers in again."""
        return self._writer.write(lambda connection: drop_mark(connection, scope))

    def list_marks(self) -> tuple[MoveMark, ...]:
        """The marks that stand."""
        with self._readers.lend() as connection:
            return tuple(list_marks(connection))

    def passing(self) -> AbstractContextManager[None]:
        """Let this thread write to what is marked."""
        return passing()


def _prolong(connection: apsw.Connection, mark: MoveMark, lease_ms: int | None) -> bool:
    standing = find_mark(connection, mark.scope)
    if standing is None or standing.target_id != mark.target_id:
        return False
    put_mark(connection, mark, lease_ms)
    return True


def _select(
    connection: apsw.Connection, column: str, values: Sequence[int] | Sequence[str], workspace: int | None
) -> list[Row]:
    """Rows of a workspace by their numbers or ids."""
    rows: list[Row] = []
    for start in range(0, len(values), _BATCH):
        part = round_up(values[start : start + _BATCH])
        where = f"workspace = ? AND {column} IN ({list_places(len(part))})"
        rows += select_rows(connection, f"SELECT {COLUMNS} FROM chunks_default WHERE {where}", (workspace, *part))
    return rows


def _attach_vectors(connection: apsw.Connection, rows: Sequence[Row]) -> tuple[CopiedMemory, ...]:
    """The memories of rows with their vectors."""
    identity = read_identity(connection)
    vectors = {}
    if identity is not None and rows:
        keys, found = read_vectors(connection, np.array([row[0] for row in rows], np.int64), identity.dimensions)
        vectors = {int(key): found[place] for place, key in enumerate(keys)}
    return tuple(CopiedMemory(memory=read_memory(row), vector=vectors.get(row[0])) for row in rows)

"""Rows as they stand, for a move to or from another store."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

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
from app.backends.postgres.copied_rows import CopiedRows
from app.backends.postgres.erasure import sweep
from app.backends.postgres.jobs import PostgresJobQueue
from app.backends.postgres.locks import share_embedding
from app.backends.postgres.marks import GuardedDatabase, drop_mark, find_mark, guard, list_marks, passing, put_mark
from app.backends.postgres.rows import SELECT, find_workspace, read_memory
from app.backends.postgres.schema import read_fact, write_fact
from app.backends.postgres.stamp import read_identity, stamp_store
from app.backends.postgres.statements import Connection, Row, select_rows
from app.backends.postgres.vectors import read_vectors
from app.backends.postgres.workspaces import hold_workspace
from app.backends.vectors import check_vector
from app.domain.copying import CopiedMemory, CopiedReceipt, CopyBatch, CopyStand, MoveMark, let_go
from app.domain.job import Job
from app.domain.memory import Scope
from app.domain.usage import UsageRecord
from app.domain.workspace import User, Workspace
from app.errors import NotFound, StoreBusy
from app.ports import Clock

_BATCH = 500
_TABLES = "workspaces", "usage_daily", "ledger_days", "workspace_caps"
_KEEP_WORKSPACE = (
    "INSERT INTO workspaces (tenant_id, workspace_id, name, metadata, data_key_id, created_at, updated_at, version)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (tenant_id, workspace_id) DO UPDATE SET"
    " name = excluded.name, metadata = excluded.metadata, data_key_id = excluded.data_key_id,"
    " created_at = excluded.created_at, updated_at = excluded.updated_at, version = excluded.version"
)
_KEEP_USER = (
    "INSERT INTO users VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (tenant_id, workspace_id, user_id) DO UPDATE SET"
    " name = excluded.name, metadata = excluded.metadata, created_at = excluded.created_at,"
    " updated_at = excluded.updated_at"
)
_KEEP_JOB = (
    "INSERT INTO jobs AS kept (id, tenant_id, workspace_id, kind, payload, state, created_at, updated_at, attempts,"
    " result, error, not_before, leased_until) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 0)"
    " ON CONFLICT (id) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at,"
    " attempts = excluded.attempts, result = excluded.result, error = excluded.error,"
    " not_before = excluded.not_before WHERE excluded.updated_at > kept.updated_at"
)
_KEEP_USAGE = (
    "INSERT INTO usage_daily AS kept VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
    " ON CONFLICT (tenant_id, workspace_id, day, operation, model) DO UPDATE SET"
    " calls = greatest(kept.calls, excluded.calls), items = greatest(kept.items, excluded.items),"
    " input_tokens = greatest(kept.input_tokens, excluded.input_tokens),"
    " output_tokens = greatest(kept.output_tokens, excluded.output_tokens)"
)


class PostgresCopying:
    """The `Copying` of the database."""

    def __init__(
        self,
        database: GuardedDatabase,
        *,
        embedding: ProcessEmbedding,
        clock: Clock,
        jobs: PostgresJobQueue,
    ) -> None:
        self._database = database
        self._embedding, self._clock, self._jobs = embedding, clock, jobs

    def node_id(self) -> str:
        """The store's own id."""
        return self._database.ask(lambda connection: read_fact(connection, "node_id")) or ""

    def list_scopes(self) -> tuple[Scope, ...]:
        """Every workspace that something is kept of."""
        sql = " UNION ".join(f"SELECT tenant_id, workspace_id FROM {table}" for table in _TABLES)
        rows = self._database.ask(lambda connection: select_rows(connection, f"{sql} ORDER BY 1, 2"))
        return tuple(Scope(tenant_id=tenant, workspace_id=workspace) for tenant, workspace in rows)

    # -- reading

    def read_memories(self, scope: Scope, *, after: int) -> Iterator[CopyBatch]:
        """The rows that were written after a `seq`, in the order of their last writes."""
        sql = "SELECT number, seq FROM chunks_default WHERE workspace = %s AND seq > %s ORDER BY seq"
        workspace = self._database.ask(lambda connection: find_workspace(connection, scope))
        listed = self._database.ask(lambda connection: select_rows(connection, sql, (workspace, after)))
        for start in range(0, len(listed), _BATCH):
            part = listed[start : start + _BATCH]
            numbers = [number for number, _ in part]
            found = self._find("number = ANY(%s::bigint[])", scope, numbers)
            yield CopyBatch(seq=part[-1][1], memories=tuple(found[each] for each in numbers if each in found))

    def find_memories(self, scope: Scope, memory_ids: Sequence[str]) -> tuple[CopiedMemory, ...]:
        """The rows of these ids."""
        return tuple(self._find("id = ANY(%s)", scope, list(memory_ids)).values())

    def _find(self, where: str, scope: Scope, values: list[int] | list[str]) -> dict[int, CopiedMemory]:
        """Rows of a workspace by their numbers, with their vectors."""

        def work(connection: Connection) -> dict[int, CopiedMemory]:
            workspace = find_workspace(connection, scope)
            rows = select_rows(connection, f"{SELECT} WHERE workspace = %s AND {where}", (workspace, values))
            identity = read_identity(connection)
            numbers = [row[0] for row in rows]
            vectors = {} if identity is None else read_vectors(connection, numbers, identity.dimensions)
            return {row[0]: CopiedMemory(memory=read_memory(row), vector=vectors.get(row[0])) for row in rows}

        return self._database.ask(work, snapshot=True)

    def read_receipts(self, scope: Scope, *, since_ms: int) -> tuple[CopiedReceipt, ...]:
        """The receipts that were given at a moment or later."""
        sql = (
            "SELECT key, request_sha256, outcomes, created_at FROM receipts"
            " WHERE tenant_id = %s AND workspace_id = %s AND created_at >= %s"
        )
        rows = self._database.ask(
            lambda connection: select_rows(connection, sql, (scope.tenant_id, scope.workspace_id, since_ms))
        )
        return tuple(
            CopiedReceipt(key=row[0], request_sha256=row[1], outcomes=row[2], created_ms=row[3]) for row in rows
        )

    def read_jobs(self, scope: Scope) -> tuple[Job, ...]:
        """The jobs in the order in which they came."""
        sql = "SELECT id FROM jobs WHERE tenant_id = %s AND workspace_id = %s ORDER BY number"
        rows = self._database.ask(
            lambda connection: select_rows(connection, sql, (scope.tenant_id, scope.workspace_id))
        )
        return tuple(let_go(self._jobs.find(scope, job_id)) for (job_id,) in rows)

    # -- writing

    def put_workspace(self, workspace: Workspace) -> None:
        """Keep a workspace as it is given."""
        self._write(_KEEP_WORKSPACE, [write_workspace(workspace)])

    def put_users(self, users: Sequence[User]) -> None:
        """Keep users as they are given."""
        self._write(_KEEP_USER, [write_user(user) for user in users])

    def put_memories(self, scope: Scope, memories: Sequence[CopiedMemory], *, stand: CopyStand) -> int:
        """Keep rows as they are given, and the stand."""

        def work(connection: Connection) -> tuple[int, bool]:
            share_embedding(connection)
            workspace = hold_workspace(connection, scope)
            if workspace is None:
                raise NotFound(f"workspace {scope.workspace_id} does not exist")
            rows = CopiedRows(connection, scope, workspace, now_ms=self._clock.now_ms(), memories=memories)
            changed = sum(rows.put(each) for each in memories)
            rows.finish()
            write_fact(connection, name_stand(stand), dump_stand(stand))
            self._stamp(connection, memories)
            return changed, rows.erased

        changed, erased = self._database.write(work)
        if erased:
            sweep(self._database)
        return changed

    def _stamp(self, connection: Connection, memories: Sequence[CopiedMemory]) -> None:
        stamped = read_identity(connection)
        self._embedding.compare(stamped)
        vectors = [each.vector for each in memories if each.vector is not None]
        for vector in vectors:
            check_vector(vector, self._embedding.identity)
        if vectors and stamped is None:
            stamp_store(connection, self._embedding)

    def put_receipts(self, scope: Scope, receipts: Sequence[CopiedReceipt]) -> None:
        """Keep receipts whose keys are not there."""
        owner = (scope.tenant_id, scope.workspace_id)
        self._write(
            "INSERT INTO receipts VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [(*owner, each.key, each.request_sha256, dump_json(each.outcomes), each.created_ms) for each in receipts],
        )

    def put_jobs(self, jobs: Sequence[Job]) -> None:
        """Keep jobs that are not there, and those that changed later than what is there."""
        self._write(_KEEP_JOB, [write_job(job) for job in jobs])

    def put_usage(self, records: Sequence[UsageRecord]) -> None:
        """Let counts of use be at least these."""
        self._write(_KEEP_USAGE, [write_count(each) for each in records])

    def _write(self, sql: str, rows: Sequence[Row]) -> None:
        def work(connection: Connection) -> None:
            with connection.cursor() as cursor:
                cursor.executemany(sql, rows)

        if rows:
            self._database.write(work)

    # -- how far the copy is

    def list_stands(self, source: str) -> tuple[CopyStand, ...]:
        """How far the copies from another store are."""
        beginning = f"{STANDS}{source} "
        sql = "SELECT name, value FROM store_facts WHERE starts_with(name, %s) ORDER BY name"
        rows = self._database.ask(lambda connection: select_rows(connection, sql, (beginning,)))
        return tuple(load_stand(*row) for row in rows)

    def put_stand(self, stand: CopyStand) -> None:
        """Keep how far a copy is."""
        self._database.write(lambda connection: write_fact(connection, name_stand(stand), dump_stand(stand)))

    def drop_stand(self, stand: CopyStand) -> None:
        """Forget how far a copy is."""
        self._database.write(lambda connection: write_fact(connection, name_stand(stand), None))

    # -- the mark on what is moved

    def hold(self, mark: MoveMark, *, lease_ms: int) -> None:
        """Keep writers out for `lease_ms` from now."""

        def work(connection: Connection) -> None:
            standing = find_mark(connection, mark.scope)
            if standing is not None and standing.target_id != mark.target_id:
                raise StoreBusy(standing.message)
            put_mark(connection, mark, lease_ms)
            guard(connection)

        self._database.write(work)

    def renew(self, mark: MoveMark, *, lease_ms: int) -> bool:
        """Keep them out for longer."""
        return self._database.write(lambda connection: _prolong(connection, mark, lease_ms))

    def settle(self, mark: MoveMark) -> bool:
        """Keep them out for good."""
        return self._database.write(lambda connection: _prolong(connection, mark, None))

    def reopen(self, scope: Scope | None) -> bool:
        """Let writers in again."""
        return self._database.write(lambda connection: drop_mark(connection, scope))

    def list_marks(self) -> tuple[MoveMark, ...]:
        """The marks that stand."""
        return tuple(self._database.ask(list_marks))

    def passing(self) -> AbstractContextManager[None]:
        """Let this thread write to what is marked."""
        return passing()


def _prolong(connection: Connection, mark: MoveMark, lease_ms: int | None) -> bool:
    standing = find_mark(connection, mark.scope)
    if standing is None or standing.target_id != mark.target_id:
        return False
    put_mark(connection, mark, lease_ms)
    return True

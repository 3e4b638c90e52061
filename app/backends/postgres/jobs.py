"""Durable work, shared by all nodes."""

import json
from collections.abc import Sequence
from dataclasses import replace
from secrets import token_hex
from typing import Any

from app.backends.documents import dump_json
from app.backends.postgres.connections import Database
from app.backends.postgres.receipts import find_receipt
from app.backends.postgres.statements import Connection, Row, select_row, select_rows
from app.backends.postgres.workspaces import ensure_held_workspace
from app.backends.receipts import check_request
from app.domain.change import Receipt
from app.domain.identifiers import make_uuid7
from app.domain.job import CLAIM_LOST, Job, JobState, check_outcome
from app.domain.memory import JsonObject, Scope
from app.errors import NotFound, VersionConflict
from app.ports import Clock

_COLUMNS = (
    "id, tenant_id, workspace_id, kind, payload, state, created_at, updated_at, attempts, result, error, not_before"
)
_INSERT = (
    "INSERT INTO jobs (id, tenant_id, workspace_id, kind, payload, state, created_at, updated_at, leased_until,"
    " attempts, error, not_before) VALUES (%s, %s, %s, %s, %s, 'queued', %s, %s, 0, 0, '', %s)"
    f" RETURNING {_COLUMNS}"
)
_WANTED = (
    "SELECT number FROM jobs WHERE state IN ('queued', 'running') AND kind = ANY(%s)"
    " AND CASE state WHEN 'queued' THEN coalesce(not_before, 0) ELSE leased_until END <= %s ORDER BY number LIMIT 1"
)
_CLAIM = (
    "UPDATE jobs SET state = 'running', attempts = attempts + 1, leased_until = %s, updated_at = %s, claim_token = %s"
    f" WHERE number = ({_WANTED} FOR UPDATE SKIP LOCKED) RETURNING {_COLUMNS}"
)
_KEEP_RECEIPT = (
    "INSERT INTO receipts (tenant_id, workspace_id, key, request_sha256, outcomes, created_at)"
    " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (tenant_id, workspace_id, key) DO UPDATE SET"
    " request_sha256 = excluded.request_sha256, outcomes = excluded.outcomes, created_at = excluded.created_at"
)


def _read(row: Row) -> Job:
    return Job(
        id=row[0],
        scope=Scope(tenant_id=row[1], workspace_id=row[2]),
        kind=row[3],
        payload=json.loads(row[4]),
        state=JobState(row[5]),
        created_ms=row[6],
        updated_ms=row[7],
        attempts=row[8],
        result=None if row[9] is None else json.loads(row[9]),
        error=row[10],
        not_before_ms=row[11],
    )


def _name_receipt(receipt: Receipt) -> Receipt:
    """The receipt of a job, apart from those of batches by the blank, which no caller's key has."""
    return replace(receipt, key=f"job {receipt.key}")


def _find_repeated(connection: Connection, scope: Scope, receipt: Receipt, now_ms: int) -> Job | None:
    found = find_receipt(connection, scope, _name_receipt(receipt), now_ms)
    if found is None:
        return None
    request_sha256, job_ids = found
    check_request(receipt, request_sha256)
    row = select_row(connection, f"SELECT {_COLUMNS} FROM jobs WHERE id = ANY(%s)", (job_ids,))
    return None if row is None else _read(row)


class PostgresJobQueue:
    """Jobs in the database. Of several nodes each claims another job, for as long as its lease runs."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def enqueue(
        self,
        scope: Scope,
        kind: str,
        payload: JsonObject,
        *,
        not_before_ms: int | None = None,
        receipt: Receipt | None = None,
    ) -> Job:
        """Keep a job; it is durable when this returns."""
        text = dump_json(payload)

        def work(connection: Connection) -> Job:
            # Held, so that of callers with one receipt each but the first finds it, and no job outlives its workspace.
            ensure_held_workspace(connection, scope, self._clock.now_ms())
            now_ms = self._clock.now_ms()
            if receipt is not None and (earlier := _find_repeated(connection, scope, receipt, now_ms)) is not None:
                return earlier
            owner = (scope.tenant_id, scope.workspace_id)
            values = (make_uuid7(now_ms), *owner, kind, text, now_ms, now_ms, not_before_ms)
            (row,) = select_rows(connection, _INSERT, values)
            job = _read(row)
            if receipt is not None:
                kept = (_name_receipt(receipt).key, receipt.request_sha256, dump_json([job.id]), now_ms)
                connection.execute(_KEEP_RECEIPT, (*owner, *kept))
            return job

        return self._database.write(work)

    def claim(self, kinds: Sequence[str], *, lease_ms: int) -> Job | None:
        """Take the oldest job that is queued and due, or a running one whose lease ran out."""
        if not kinds:
            return None
        now_ms, token = self._clock.now_ms(), token_hex(16)
        wanted = (list(kinds), now_ms)
        if self._database.ask(lambda connection: select_row(connection, _WANTED, wanted)) is None:
            return None  # an empty queue costs no write

        def work(connection: Connection) -> Job | None:
            row = select_row(connection, _CLAIM, (now_ms + lease_ms, now_ms, token, *wanted))
            return None if row is None else replace(_read(row), token=token)

        return self._database.write(work)

    def renew(self, job_id: str, token: str, *, lease_ms: int) -> None:
        """Let a claim last for `lease_ms` from now."""
        self._change_claimed(job_id, token, "leased_until = %s", (self._clock.now_ms() + lease_ms,))

    def finish(
        self,
        job_id: str,
        token: str,
        state: JobState,
        *,
        result: JsonObject | None = None,
        error: str = "",
        not_before_ms: int | None = None,
    ) -> None:
        """Say what became of a claimed job."""
        check_outcome(state)
        self._change_claimed(
            job_id,
            token,
            "state = %s, result = %s, error = %s, not_before = %s, leased_until = 0, claim_token = '', updated_at = %s",
            (
                state.value,
                None if result is None else dump_json(result),
                error.replace("\x00", "\ufffd"),  # a text here cannot hold NUL
                not_before_ms if state is JobState.QUEUED else None,
                self._clock.now_ms(),
            ),
        )

    def _change_claimed(self, job_id: str, token: str, changes: str, values: tuple[Any, ...]) -> None:
        def work(connection: Connection) -> None:
            changed = connection.execute(
                f"UPDATE jobs SET {changes} WHERE id = %s AND claim_token = %s AND claim_token <> ''",
                (*values, job_id, token),
            )
            if changed.rowcount:
                return
            if select_row(connection, "SELECT 1 FROM jobs WHERE id = %s", (job_id,)) is None:
                raise NotFound(f"job {job_id[:40]!r} does not exist")
            raise VersionConflict(CLAIM_LOST.format(job_id=job_id))

        self._database.write(work)

    def find(self, scope: Scope, job_id: str) -> Job:
        """A job of a workspace, or `NotFound`."""
        sql = f"SELECT {_COLUMNS} FROM jobs WHERE id = %s AND tenant_id = %s AND workspace_id = %s"
        values = (job_id, scope.tenant_id, scope.workspace_id)
        row = self._database.ask(lambda connection: select_row(connection, sql, values))
        if row is None:
            raise NotFound(f"job {job_id[:40]!r} is not in workspace {scope.workspace_id}")
        return _read(row)

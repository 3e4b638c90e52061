"""Durable work."""

import json
from collections.abc import Sequence
from dataclasses import replace
from secrets import token_hex
from typing import Any

import apsw

from app.backends.documents import dump_json
from app.backends.receipts import RECEIPT_MS
from app.backends.sqlite.connections import Readers, Writer
from app.backends.sqlite.statements import list_places, select_row, select_rows
from app.backends.sqlite.workspaces import ensure_workspace
from app.domain.change import Receipt
from app.domain.identifiers import make_uuid7
from app.domain.job import CLAIM_LOST, Job, JobState, check_outcome
from app.domain.memory import JsonObject, Scope
from app.errors import IdempotencyConflict, NotFound, VersionConflict
from app.ports import Clock

_COLUMNS = (
    "id, tenant_id, workspace_id, kind, payload, state, created_at, updated_at, attempts, result, error, not_before"
)


def _read(row: tuple[Any, ...]) -> Job:
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


def _name_receipt(scope: Scope, receipt: Receipt) -> tuple[str, str, str]:
    """The key of a job's receipt, apart from those of batches by the blank, which no caller's key has."""
    return scope.tenant_id, scope.workspace_id, f"job {receipt.key}"


def _find_repeated(connection: apsw.Connection, scope: Scope, receipt: Receipt, now_ms: int) -> Job | None:
    row = select_row(
        connection,
        "SELECT request_sha256, outcomes FROM receipts"
        " WHERE tenant_id = ? AND workspace_id = ? AND key = ? AND created_at > ?",
        (*_name_receipt(scope, receipt), now_ms - RECEIPT_MS),
    )
    if row is None:
        return None
    if row[0] != receipt.request_sha256:
        raise IdempotencyConflict
    job = select_row(connection, f"SELECT {_COLUMNS} FROM jobs WHERE id = ?", tuple(json.loads(row[1])))
    return None if job is None else _read(job)


class SqliteJobQueue:
    """Jobs in the SQLite file, claimed by one worker at a time for as long as its lease runs."""

    def __init__(self, writer: Writer, readers: Readers, *, clock: Clock) -> None:
        self._writer, self._readers, self._clock = writer, readers, clock

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

        def work(connection: apsw.Connection) -> Job:
            now_ms = self._clock.now_ms()
            if receipt is not None and (earlier := _find_repeated(connection, scope, receipt, now_ms)) is not None:
                return earlier
            ensure_workspace(connection, scope, now_ms)
            row = select_rows(
                connection,
                "INSERT INTO jobs (id, tenant_id, workspace_id, kind, payload, state, created_at, updated_at,"
                " leased_until, attempts, result, error, not_before)"
                f" VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, 0, 0, NULL, '', ?) RETURNING {_COLUMNS}",
                (
                    make_uuid7(now_ms),
                    scope.tenant_id,
                    scope.workspace_id,
                    kind,
                    dump_json(payload),
                    now_ms,
                    now_ms,
                    not_before_ms,
                ),
            )
            job = _read(row[0])
            if receipt is not None:
                connection.execute(
                    "INSERT OR REPLACE INTO receipts VALUES (?, ?, ?, ?, ?, ?)",
                    (*_name_receipt(scope, receipt), receipt.request_sha256, dump_json([job.id]), now_ms),
                )
            return job

        return self._writer.write(work)

    def claim(self, kinds: Sequence[str], *, lease_ms: int) -> Job | None:
        """Take the oldest job that is queued and due, or a running one whose lease ran out."""
        if not kinds:
            return None
        now_ms, token = self._clock.now_ms(), token_hex(16)
        wanted = (
            f"SELECT number FROM jobs WHERE state IN ('queued', 'running') AND kind IN ({list_places(len(kinds))})"
            " AND CASE state WHEN 'queued' THEN coalesce(not_before, 0) ELSE leased_until END <= ?"
            " ORDER BY number LIMIT 1"
        )
        with self._readers.lend() as connection:  # an empty queue costs no write
            if select_row(connection, wanted, (*kinds, now_ms)) is None:
                return None

        def work(connection: apsw.Connection) -> Job | None:
            rows = select_rows(
                connection,
                "UPDATE jobs SET state = 'running', attempts = attempts + 1, leased_until = ?, updated_at = ?,"
                f" claim_token = ? WHERE number = ({wanted}) RETURNING {_COLUMNS}",
                (now_ms + lease_ms, now_ms, token, *kinds, now_ms),
            )
            return replace(_read(rows[0]), token=token) if rows else None

        return self._writer.write(work)

    def renew(self, job_id: str, token: str, *, lease_ms: int) -> None:
        """Let a claim last for `lease_ms` from now."""
        self._change_claimed(job_id, token, "leased_until = ?", (self._clock.now_ms() + lease_ms,))

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
            "state = ?, result = ?, error = ?, not_before = ?, leased_until = 0, claim_token = '', updated_at = ?",
            (
                state.value,
                None if result is None else dump_json(result),
                error,
                not_before_ms if state is JobState.QUEUED else None,
                self._clock.now_ms(),
            ),
        )

    def _change_claimed(self, job_id: str, token: str, changes: str, values: tuple[Any, ...]) -> None:
        def work(connection: apsw.Connection) -> None:
            connection.execute(
                f"UPDATE jobs SET {changes} WHERE id = ? AND claim_token = ? AND claim_token <> ''",
                (*values, job_id, token),
            )
            if connection.changes():
                return
            if select_row(connection, "SELECT 1 FROM jobs WHERE id = ?", (job_id,)) is None:
                raise NotFound(f"job {job_id[:40]!r} does not exist")
            raise VersionConflict(CLAIM_LOST.format(job_id=job_id))

        self._writer.write(work)

    def find(self, scope: Scope, job_id: str) -> Job:
        """A job of a workspace, or `NotFound`."""
        with self._readers.lend() as connection:
            row = select_row(
                connection,
                f"SELECT {_COLUMNS} FROM jobs WHERE id = ? AND tenant_id = ? AND workspace_id = ?",
                (job_id, scope.tenant_id, scope.workspace_id),
            )
        if row is None:
            raise NotFound(f"job {job_id[:40]!r} is not in workspace {scope.workspace_id}")
        return _read(row)

"""Durable work."""

import json
from collections.abc import Sequence
from typing import Any

import apsw

from app.backends.sqlite.connections import Readers, Writer
from app.backends.sqlite.rows import dump_json
from app.backends.sqlite.statements import list_places, select_row, select_rows
from app.backends.sqlite.workspaces import ensure_workspace
from app.domain.identifiers import make_uuid7
from app.domain.job import Job, JobState
from app.domain.memory import JsonObject, Scope
from app.errors import NotFound
from app.ports import Clock

_COLUMNS = "id, tenant_id, workspace_id, kind, payload, state, created_at, updated_at, attempts, result, error"


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
    )


class SqliteJobQueue:
    """Jobs in the SQLite file, claimed by one worker at a time for as long as its lease runs."""

    def __init__(self, writer: Writer, readers: Readers, *, clock: Clock) -> None:
        self._writer, self._readers, self._clock = writer, readers, clock

    def enqueue(self, scope: Scope, kind: str, payload: JsonObject) -> Job:
        """Keep a job; it is durable when this returns."""

        def work(connection: apsw.Connection) -> Job:
            now_ms = self._clock.now_ms()
            ensure_workspace(connection, scope, now_ms)
            row = select_rows(
                connection,
                "INSERT INTO jobs (id, tenant_id, workspace_id, kind, payload, state, created_at, updated_at,"
                " leased_until, attempts, result, error)"
                f" VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, 0, 0, NULL, '') RETURNING {_COLUMNS}",
                (make_uuid7(now_ms), scope.tenant_id, scope.workspace_id, kind, dump_json(payload), now_ms, now_ms),
            )
            return _read(row[0])

        return self._writer.write(work)

    def claim(self, kinds: Sequence[str], *, lease_ms: int) -> Job | None:
        """Take the oldest queued job, or a running one whose lease ran out."""
        if not kinds:
            return None
        now_ms = self._clock.now_ms()
        wanted = (
            f"SELECT number FROM jobs WHERE state IN ('queued', 'running') AND kind IN ({list_places(len(kinds))})"
            " AND (state = 'queued' OR leased_until <= ?) ORDER BY number LIMIT 1"
        )
        with self._readers.lend() as connection:  # an empty queue costs no write
            if select_row(connection, wanted, (*kinds, now_ms)) is None:
                return None

        def work(connection: apsw.Connection) -> Job | None:
            rows = select_rows(
                connection,
                "UPDATE jobs SET state = 'running', attempts = attempts + 1, leased_until = ?, updated_at = ?"
                f" WHERE number = ({wanted}) RETURNING {_COLUMNS}",
                (now_ms + lease_ms, now_ms, *kinds, now_ms),
            )
            return _read(rows[0]) if rows else None

        return self._writer.write(work)

    def finish(self, job_id: str, state: JobState, *, result: JsonObject | None = None, error: str = "") -> None:
        """Say what became of a job."""

        def work(connection: apsw.Connection) -> None:
            connection.execute(
                "UPDATE jobs SET state = ?, result = ?, error = ?, leased_until = 0, updated_at = ? WHERE id = ?",
                (state.value, None if result is None else dump_json(result), error, self._clock.now_ms(), job_id),
            )
            if not connection.changes():
                raise NotFound(f"job {job_id[:40]!r} does not exist")

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

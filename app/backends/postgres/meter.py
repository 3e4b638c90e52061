"""Counts of use by day, buffered in RAM and added to the database every few seconds."""

import logging
import threading
from collections.abc import Iterable, Mapping
from secrets import token_hex
from typing import TypeAlias

from app.backends.postgres.connections import Database
from app.backends.postgres.ledger import select_days
from app.backends.postgres.statements import Connection, select_rows
from app.domain.usage import UsageRecord
from app.errors import StoreError
from app.ports import Clock

log = logging.getLogger("reme.meter")

FLUSH_S = 2.0
MOST_SUMS = 100_000
"""Sums that wait while the server is away, one for each workspace, day, operation and model; about 60 MB."""
_FORGOTTEN_MS = 30 * 86_400_000
"""After so long the row of a process that did not take leave is removed."""
_Key: TypeAlias = tuple[str, str, str, str, str]
_ENTER = (
    "INSERT INTO usage_writers AS known (writer, batch, at) VALUES (%s, %s, %s) ON CONFLICT (writer) DO UPDATE SET"
    " batch = excluded.batch, at = excluded.at WHERE known.batch < excluded.batch"
)
_ADD = (
    "INSERT INTO usage_daily AS sums SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[],"
    " %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])"
    " ON CONFLICT (tenant_id, workspace_id, day, operation, model) DO UPDATE SET"
    " calls = sums.calls + excluded.calls, items = sums.items + excluded.items,"
    " input_tokens = sums.input_tokens + excluded.input_tokens,"
    " output_tokens = sums.output_tokens + excluded.output_tokens"
)
_READ = (
    "SELECT tenant_id, workspace_id, day, operation, model, calls, items, input_tokens, output_tokens FROM usage_daily"
)


class PostgresMeter:
    """Adds up in RAM; a thread writes the sums, so that metering costs no request a commit.

    While the server is away the sums wait, and grow only by what differs: beyond `most_sums` new ones are dropped, and
    the log says how many. Sums leave in numbered batches, each of which is added once, also where the answer to
    its commit was lost.
    """

    def __init__(
        self, database: Database, *, clock: Clock, flush_s: float = FLUSH_S, most_sums: int = MOST_SUMS
    ) -> None:
        self._database, self._clock = database, clock
        self._flush_s, self._most_sums = flush_s, most_sums
        self._writer = token_hex(16)
        self._batch = 0
        self._leaving: Mapping[_Key, list[int]] = {}
        self._counts: dict[_Key, list[int]] = {}
        self._dropped = 0
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reme-meter", daemon=True)
        self._thread.start()

    def record(self, records: Iterable[UsageRecord]) -> None:
        """Add to the day's counts."""
        with self._lock:
            for each in records:
                key = (each.tenant_id, each.workspace_id, each.day, each.operation, each.model)
                counts = self._counts.get(key)
                if counts is None:
                    if len(self._counts) >= self._most_sums:
                        self._dropped += 1
                        continue
                    counts = self._counts[key] = [0, 0, 0, 0]
                for place, amount in enumerate((each.calls, each.items, each.input_tokens, each.output_tokens)):
                    counts[place] += amount

    def read(
        self, tenant_id: str, *, workspace_id: str | None = None, from_day: str = "", to_day: str = ""
    ) -> tuple[UsageRecord, ...]:
        """The counts of the days from `from_day` to `to_day`, both included, of all nodes up to their last flush."""
        self.flush()
        where, values = select_days(tenant_id, workspace_id, from_day, to_day)
        sql = f"{_READ} WHERE {where} ORDER BY day, workspace_id, operation, model"
        rows = self._database.ask(lambda connection: select_rows(connection, sql, values))
        return tuple(
            UsageRecord(
                tenant_id=row[0],
                workspace_id=row[1],
                day=row[2],
                operation=row[3],
                model=row[4],
                calls=row[5],
                items=row[6],
                input_tokens=row[7],
                output_tokens=row[8],
            )
            for row in rows
        )

    def flush(self) -> None:
        """Write the sums; what cannot be written now is kept for the next time."""
        with self._flushing:  # who reads next must not overtake counts that are on their way
            if self._leaving:  # as they were: whether they were added is asked by their number
                self._add()
            with self._lock:
                if not self._counts:
                    return
                self._leaving, self._counts = self._counts, {}
                dropped, self._dropped = self._dropped, 0
            self._batch += 1
            if dropped:
                log.warning("%d counts of use were dropped while the store was away", dropped)
            self._add()

    def _add(self) -> None:
        """Add the batch that is leaving, unless an earlier attempt did."""
        columns = _arrange(self._leaving)

        def work(connection: Connection) -> None:
            if connection.execute(_ENTER, (self._writer, self._batch, self._clock.now_ms())).rowcount:
                connection.execute(_ADD, columns)

        self._database.write(work)
        self._leaving = {}

    def close(self) -> None:
        """Stop the thread and write what is buffered; counts that a full, busy or missing store refuses are lost."""
        self._stop.set()
        self._thread.join()
        try:
            self.flush()
            if self._batch:
                self._database.write(self._take_leave)
        except StoreError as fault:
            log.warning("the last counts of use were not written: %s", fault, extra={"operation": "stop"})

    def _take_leave(self, connection: Connection) -> None:
        """Remove this process's row, and those of processes that died long ago."""
        connection.execute(
            "DELETE FROM usage_writers WHERE writer = %s OR at < %s",
            (self._writer, self._clock.now_ms() - _FORGOTTEN_MS),
        )

    def _run(self) -> None:
        while not self._stop.wait(self._flush_s):
            try:
                self.flush()
            except StoreError:
                continue  # the sums wait for the next round


def _arrange(counts: Mapping[_Key, list[int]]) -> tuple[list[str] | list[int], ...]:
    """Sums as columns, in the order of their keys, so that nodes that write the same rows wait and do not deadlock."""
    rows = [(*key, *counts[key]) for key in sorted(counts)]
    return tuple(list(column) for column in zip(*rows, strict=True))

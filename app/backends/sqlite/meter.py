"""Counts of use by day, buffered in RAM and written every few seconds."""

import logging
import threading
from collections.abc import Iterable

import apsw

from app.backends.sqlite.connections import Readers, Writer
from app.backends.sqlite.statements import select_rows
from app.domain.usage import UsageRecord
from app.errors import StoreError

log = logging.getLogger("reme.meter")

_FLUSH_S = 2.0
_Key = tuple[str, str, str, str, str]
_UPSERT = (
    "INSERT INTO usage_daily VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
    " calls = calls + excluded.calls, items = items + excluded.items,"
    " input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens"
)


class SqliteMeter:
    """Adds up in RAM; a thread writes the sums, so that metering costs no request a flush to disk."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer, self._readers = writer, readers
        self._counts: dict[_Key, list[int]] = {}
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
                counts = self._counts.setdefault(key, [0, 0, 0, 0])
                for place, amount in enumerate((each.calls, each.items, each.input_tokens, each.output_tokens)):
                    counts[place] += amount

    def read(
        self, tenant_id: str, *, workspace_id: str | None = None, from_day: str = "", to_day: str = ""
    ) -> tuple[UsageRecord, ...]:
        """The counts of the days from `from_day` to `to_day`, both included."""
        self.flush()
        with self._readers.lend() as connection:
            rows = select_rows(
                connection,
                "SELECT * FROM usage_daily WHERE tenant_id = ?1 AND (?2 IS NULL OR workspace_id = ?2)"
                " AND day >= ?3 AND (?4 = '' OR day <= ?4) ORDER BY day, workspace_id, operation, model",
                (tenant_id, workspace_id, from_day, to_day),
            )
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
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            counts, self._counts = self._counts, {}
        if not counts:
            return

        def work(connection: apsw.Connection) -> None:
            connection.executemany(_UPSERT, [(*key, *amounts) for key, amounts in counts.items()])

        try:
            self._writer.write(work)
        except StoreError:
            with self._lock:
                for key, amounts in counts.items():
                    kept = self._counts.setdefault(key, [0, 0, 0, 0])
                    for place, amount in enumerate(amounts):
                        kept[place] += amount
            raise

    def close(self) -> None:
        """Stop the thread and write what is buffered; counts that a full or busy store refuses are lost."""
        self._stop.set()
        self._thread.join()
        try:
            self.flush()
        except StoreError as fault:
            log.warning("the last counts of use were not written: %s", fault, extra={"operation": "stop"})

    def _run(self) -> None:
        while not self._stop.wait(_FLUSH_S):
            try:
                self.flush()
            except StoreError:
                continue  # a full or busy store: the sums wait for the next round

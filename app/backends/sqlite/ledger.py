"""What calls of models cost, what is set aside for calls under way, and the caps of workspaces."""

from decimal import Decimal
from typing import Any

import apsw

from app.backends.cursors import make_cursor, read_cursor
from app.backends.sqlite.connections import Readers, Writer
from app.backends.sqlite.statements import select_number, select_row, select_rows
from app.domain.caps import NO_CAPS, WorkspaceCaps, check_cap, count_picousd, read_picousd
from app.domain.memory import Scope
from app.domain.query import Page
from app.domain.spending import LedgerEntry, Payer, Reservation, SpendCap
from app.domain.usage import UsageRecord
from app.errors import InvalidRequest

_DAY_MS = 86_400_000
_COLUMNS = (
    "id, at, tenant_id, workspace_id, key_id, operation, task, model, input_tokens, output_tokens, cached_tokens,"
    " picousd"
)
SUMMED = (
    "SELECT tenant_id, workspace_id, date(at / 1000, 'unixepoch') AS day, operation, task, model,"
    " picousd IS NOT NULL AS priced, count(*), sum(input_tokens), sum(output_tokens), sum(cached_tokens),"
    " coalesce(sum(picousd), 0) FROM ledger_entries"
    " GROUP BY tenant_id, workspace_id, day, operation, task, model, priced"
)
"""What `ledger_days` holds, made from the entries."""
_WRITTEN = "SELECT 1 FROM ledger_entries WHERE id = ?"
_RESERVED = (
    "SELECT coalesce(sum(picousd), 0) FROM ledger_reservations"
    " WHERE tenant_id = ? AND workspace_id = ? AND at >= ? AND id <> ?"
)
_SPENT_IN_DAYS = (
    "SELECT coalesce(sum(picousd), 0) FROM ledger_days"
    " WHERE tenant_id = ? AND workspace_id = ? AND day >= date(? / 1000, 'unixepoch')"
)
_SPENT_BETWEEN = (
    "SELECT coalesce(sum(picousd), 0) FROM ledger_entries"
    " WHERE tenant_id = ? AND workspace_id = ? AND at >= ? AND at < ?"
)


class SqliteLedger:
    """The `Accounts` of the SQLite file: entries that nobody changes, and sums of each day that a trigger keeps."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer, self._readers = writer, readers

    def reserve(self, reservation: Reservation, cap: SpendCap | None) -> None:
        """Set money aside for a call; again for one id replaces the first, so that several caps can be asked."""
        payer = reservation.payer
        place = (payer.tenant_id, payer.workspace_id)

        def work(connection: apsw.Connection) -> None:
            connection.execute("DELETE FROM ledger_reservations WHERE expires_at <= ?", (reservation.at_ms,))
            if cap is not None:
                used = select_number(connection, _RESERVED, (*place, cap.since_ms, reservation.id))
                check_cap(reservation, cap, used_picousd=used + _sum_spent(connection, place, cap.since_ms))
            connection.execute(
                "INSERT OR REPLACE INTO ledger_reservations VALUES (?, ?, ?, ?, ?, ?)",
                (reservation.id, reservation.at_ms, reservation.expires_ms, *place, count_picousd(reservation.usd)),
            )

        self._writer.write(work)

    def settle(self, entry: LedgerEntry) -> None:
        """Write down what a call cost in place of its reservation, which may have lapsed."""
        payer = entry.payer

        def work(connection: apsw.Connection) -> None:
            connection.execute("DELETE FROM ledger_reservations WHERE id = ?", (entry.id,))
            if select_row(connection, _WRITTEN, (entry.id,)) is not None:
                return
            connection.execute(
                f"INSERT INTO ledger_entries ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    entry.id,
                    entry.at_ms,
                    payer.tenant_id,
                    payer.workspace_id,
                    payer.key_id,
                    payer.operation,
                    entry.task,
                    entry.model,
                    entry.input_tokens,
                    entry.output_tokens,
                    entry.cached_tokens,
                    None if entry.usd is None else count_picousd(entry.usd),
                ),
            )

        self._writer.write(work)

    def release(self, reservation_id: str) -> None:
        """Let a reservation go."""

        def work(connection: apsw.Connection) -> None:
            connection.execute("DELETE FROM ledger_reservations WHERE id = ?", (reservation_id,))

        self._writer.write(work)

    def spent_usd(self, tenant_id: str, workspace_id: str, *, since_ms: int) -> Decimal:
        """What a workspace's settled calls cost since a moment."""
        with self._readers.lend_snapshot() as connection:
            return read_picousd(_sum_spent(connection, (tenant_id, workspace_id), since_ms))

    def read(
        self,
        tenant_id: str,
        *,
        workspace_id: str | None = None,
        from_ms: int = 0,
        to_ms: int | None = None,
        limit: int = 1000,
        cursor: str = "",
    ) -> Page[LedgerEntry]:
        """A page of entries in the order in which they were settled."""
        listing = f"ledger/{tenant_id}/{workspace_id or ''}"
        after = read_cursor(listing, cursor) or "0"
        if not after.isdecimal():
            raise InvalidRequest(f"the cursor {cursor[:60]!r} is not of this listing: start again without one")
        where, values = "tenant_id = ? AND number > ? AND at >= ?", [tenant_id, int(after), from_ms]
        for condition, value in (("workspace_id = ?", workspace_id), ("at < ?", to_ms)):
            if value is not None:
                where, values = f"{where} AND {condition}", [*values, value]
        with self._readers.lend() as connection:
            rows = select_rows(
                connection,
                f"SELECT {_COLUMNS}, number FROM ledger_entries WHERE {where} ORDER BY number LIMIT ?",
                (*values, limit + 1),
            )
        following = make_cursor(listing, str(rows[limit - 1][-1])) if len(rows) > limit else ""
        return Page(items=tuple(_read_entry(row) for row in rows[:limit]), next_cursor=following)

    def use(
        self, tenant_id: str, *, workspace_id: str | None = None, from_day: str = "", to_day: str = ""
    ) -> tuple[UsageRecord, ...]:
        """The sums of the days from `from_day` to `to_day`, both included."""
        with self._readers.lend() as connection:
            rows = select_rows(
                connection,
                "SELECT * FROM ledger_days WHERE tenant_id = ?1 AND (?2 IS NULL OR workspace_id = ?2)"
                " AND day >= ?3 AND (?4 = '' OR day <= ?4)"
                " ORDER BY day, workspace_id, operation, task, model, priced",
                (tenant_id, workspace_id, from_day, to_day),
            )
        return tuple(_read_day(row) for row in rows)

    def put_caps(self, scope: Scope, caps: WorkspaceCaps) -> None:
        """Keep the caps of a workspace in place of those that it had."""
        amounts = [None if usd is None else count_picousd(usd) for usd in (caps.daily_usd, caps.monthly_usd)]

        def work(connection: apsw.Connection) -> None:
            connection.execute(
                "INSERT OR REPLACE INTO workspace_caps VALUES (?, ?, ?, ?)",
                (scope.tenant_id, scope.workspace_id, *amounts),
            )

        self._writer.write(work)

    def find_caps(self, scope: Scope) -> WorkspaceCaps:
        """The caps of a workspace."""
        with self._readers.lend() as connection:
            row = select_row(
                connection,
                "SELECT daily_picousd, monthly_picousd FROM workspace_caps WHERE tenant_id = ? AND workspace_id = ?",
                (scope.tenant_id, scope.workspace_id),
            )
        if row is None:
            return NO_CAPS
        daily_usd, monthly_usd = (None if picousd is None else read_picousd(picousd) for picousd in row)
        return WorkspaceCaps(daily_usd=daily_usd, monthly_usd=monthly_usd)


def _sum_spent(connection: apsw.Connection, place: tuple[str, str], since_ms: int) -> int:
    """The sums of whole days, and the entries of a day that a moment divides."""
    next_day_ms = -(-since_ms // _DAY_MS) * _DAY_MS
    spent = select_number(connection, _SPENT_IN_DAYS, (*place, next_day_ms))
    if next_day_ms > since_ms:
        spent += select_number(connection, _SPENT_BETWEEN, (*place, since_ms, next_day_ms))
    return spent


def _read_entry(row: tuple[Any, ...]) -> LedgerEntry:
    return LedgerEntry(
        id=row[0],
        at_ms=row[1],
        payer=Payer(tenant_id=row[2], workspace_id=row[3], key_id=row[4], operation=row[5]),
        task=row[6],
        model=row[7],
        input_tokens=row[8],
        output_tokens=row[9],
        cached_tokens=row[10],
        usd=None if row[11] is None else read_picousd(row[11]),
    )


def _read_day(row: tuple[Any, ...]) -> UsageRecord:
    return UsageRecord(
        tenant_id=row[0],
        workspace_id=row[1],
        day=row[2],
        operation=row[3],
        task=row[4],
        model=row[5],
        calls=row[7],
        input_tokens=row[8],
        output_tokens=row[9],
        cached_tokens=row[10],
        usd=read_picousd(row[11]) if row[6] else None,
    )

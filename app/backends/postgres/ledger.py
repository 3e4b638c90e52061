"""What calls of models cost, what is set aside for calls under way, and the caps of workspaces."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from app.backends.cursors import make_cursor, read_cursor
from app.backends.postgres.connections import Database
from app.backends.postgres.statements import Connection, Row, select_row, select_rows
from app.domain.caps import NO_CAPS, WorkspaceCaps, check_cap, count_picousd, read_picousd
from app.domain.memory import Scope
from app.domain.query import Page
from app.domain.spending import LedgerEntry, Payer, Reservation, SpendCap
from app.domain.usage import UsageRecord
from app.errors import InvalidRequest

_DAY_MS = 86_400_000
_LAPSED = 1_000
"""The most reservations of processes that died that one call removes."""
_COLUMNS = (
    "id, at, tenant_id, workspace_id, key_id, operation, task, model, input_tokens, output_tokens, cached_tokens,"
    " picousd"
)
_INSERT = (
    f"INSERT INTO ledger_entries ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
    " ON CONFLICT (id) DO NOTHING"
)
_TAKE_TURN = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
"""Waits until nobody else is at what the text names, and keeps others from it until the transaction ends."""
_FORGET_LAPSED = (
    "DELETE FROM ledger_reservations WHERE id IN"
    " (SELECT id FROM ledger_reservations WHERE expires_at <= %s LIMIT %s FOR UPDATE SKIP LOCKED)"
)
_RESERVE = (
    "INSERT INTO ledger_reservations (id, at, expires_at, tenant_id, workspace_id, picousd)"
    " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET at = excluded.at,"
    " expires_at = excluded.expires_at, tenant_id = excluded.tenant_id, workspace_id = excluded.workspace_id,"
    " picousd = excluded.picousd"
)
_SPENT = (  # the sums of whole days, and the entries of a day that the moment divides
    "(SELECT coalesce(sum(picousd), 0) FROM ledger_days WHERE tenant_id = %(tenant_id)s"
    " AND workspace_id = %(workspace_id)s AND day >= ledger_day(%(next_day_ms)s))"
    " + (SELECT coalesce(sum(picousd), 0) FROM ledger_entries WHERE tenant_id = %(tenant_id)s"
    " AND workspace_id = %(workspace_id)s AND at >= %(since_ms)s AND at < %(next_day_ms)s)"
)
_RESERVED = (
    "(SELECT coalesce(sum(picousd), 0) FROM ledger_reservations WHERE tenant_id = %(tenant_id)s"
    " AND workspace_id = %(workspace_id)s AND at >= %(since_ms)s AND expires_at > %(now_ms)s AND id <> %(id)s)"
)
_PUT_CAPS = (
    "INSERT INTO workspace_caps (tenant_id, workspace_id, daily_picousd, monthly_picousd) VALUES (%s, %s, %s, %s)"
    " ON CONFLICT (tenant_id, workspace_id) DO UPDATE SET daily_picousd = excluded.daily_picousd,"
    " monthly_picousd = excluded.monthly_picousd"
)
_USE = (
    "SELECT tenant_id, workspace_id, day, operation, task, model, priced, calls, input_tokens, output_tokens,"
    " cached_tokens, picousd FROM ledger_days"
)


class PostgresLedger:
    """The `Accounts` of the database: entries that nobody changes, and sums of each day that a trigger keeps.

    Reservations of one workspace under a cap take turns on all nodes, so that each sees what those before it set
    aside. Entries of one tenant take turns too, so that their numbers are in the order in which they can be read.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(self, reservation: Reservation, cap: SpendCap | None) -> None:
        """Set money aside for a call; again for one id replaces the first, so that several caps can be asked."""
        payer = reservation.payer
        place = (payer.tenant_id, payer.workspace_id)

        def work(connection: Connection) -> None:
            connection.execute(_FORGET_LAPSED, (reservation.at_ms, _LAPSED))
            if cap is not None:
                connection.execute(_TAKE_TURN, ("\x1f".join(("reservations", *place)),))
                period = _name_period(*place, cap.since_ms)
                # One statement, so that what is settled meanwhile is counted once.
                used = _select_sum(
                    connection, f"{_RESERVED} + {_SPENT}", period | {"now_ms": reservation.at_ms, "id": reservation.id}
                )
                check_cap(reservation, cap, used_picousd=used)
            connection.execute(
                _RESERVE,
                (reservation.id, reservation.at_ms, reservation.expires_ms, *place, count_picousd(reservation.usd)),
            )

        self._database.write(work, pipelined=True)

    def settle(self, entry: LedgerEntry) -> None:
        """Write down what a call cost in place of its reservation, which may have lapsed."""
        payer = entry.payer

        def work(connection: Connection) -> None:
            connection.execute("DELETE FROM ledger_reservations WHERE id = %s", (entry.id,))
            connection.execute(_TAKE_TURN, (f"entries\x1f{payer.tenant_id}",))
            connection.execute(
                _INSERT,
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

        self._database.write(work, pipelined=True)

    def release(self, reservation_id: str) -> None:
        """Let a reservation go."""

        def work(connection: Connection) -> None:
            connection.execute("DELETE FROM ledger_reservations WHERE id = %s", (reservation_id,))

        self._database.write(work, pipelined=True)

    def spent_usd(self, tenant_id: str, workspace_id: str, *, since_ms: int) -> Decimal:
        """What a workspace's settled calls cost since a moment."""
        period = _name_period(tenant_id, workspace_id, since_ms)
        return read_picousd(self._database.ask(lambda connection: _select_sum(connection, _SPENT, period)))

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
        where, values = "tenant_id = %s AND number > %s AND at >= %s", [tenant_id, int(after), from_ms]
        for condition, value in (("workspace_id = %s", workspace_id), ("at < %s", to_ms)):
            if value is not None:
                where, values = f"{where} AND {condition}", [*values, value]
        sql = f"SELECT {_COLUMNS}, number FROM ledger_entries WHERE {where} ORDER BY number LIMIT %s"
        rows = self._database.ask(lambda connection: select_rows(connection, sql, (*values, limit + 1)))
        following = make_cursor(listing, str(rows[limit - 1][-1])) if len(rows) > limit else ""
        return Page(items=tuple(_read_entry(row) for row in rows[:limit]), next_cursor=following)

    def use(
        self, tenant_id: str, *, workspace_id: str | None = None, from_day: str = "", to_day: str = ""
    ) -> tuple[UsageRecord, ...]:
        """The sums of the days from `from_day` to `to_day`, both included."""
        where, values = select_days(tenant_id, workspace_id, from_day, to_day)
        sql = f"{_USE} WHERE {where} ORDER BY day, workspace_id, operation, task, model, priced"
        rows = self._database.ask(lambda connection: select_rows(connection, sql, values))
        return tuple(_read_day(row) for row in rows)

    def put_caps(self, scope: Scope, caps: WorkspaceCaps) -> None:
        """Keep the caps of a workspace in place of those that it had."""
        amounts = [None if usd is None else count_picousd(usd) for usd in (caps.daily_usd, caps.monthly_usd)]

        def work(connection: Connection) -> None:
            connection.execute(_PUT_CAPS, (scope.tenant_id, scope.workspace_id, *amounts))

        self._database.write(work)

    def find_caps(self, scope: Scope) -> WorkspaceCaps:
        """The caps of a workspace."""
        sql = "SELECT daily_picousd, monthly_picousd FROM workspace_caps WHERE tenant_id = %s AND workspace_id = %s"
        row = self._database.ask(lambda connection: select_row(connection, sql, (scope.tenant_id, scope.workspace_id)))
        if row is None:
            return NO_CAPS
        daily_usd, monthly_usd = (None if picousd is None else read_picousd(picousd) for picousd in row)
        return WorkspaceCaps(daily_usd=daily_usd, monthly_usd=monthly_usd)


def _name_period(tenant_id: str, workspace_id: str, since_ms: int) -> dict[str, Any]:
    """The values of a statement that asks about a workspace since a moment."""
    return {
        "tenant_id": tenant_id,
        "workspace_id": workspace_id,
        "since_ms": since_ms,
        "next_day_ms": -(-since_ms // _DAY_MS) * _DAY_MS,
    }


def _select_sum(connection: Connection, expression: str, values: dict[str, Any]) -> int:
    row = connection.execute(f"SELECT {expression}", values).fetchone()
    return 0 if row is None else int(row[0])


def select_days(tenant_id: str, workspace_id: str | None, from_day: str, to_day: str) -> tuple[str, Sequence[str]]:
    """The condition, and its values, of a tenant's rows of the days from one to another, both included."""
    where, values = "tenant_id = %s AND day >= %s", [tenant_id, from_day]
    if workspace_id is not None:
        where, values = f"{where} AND workspace_id = %s", [*values, workspace_id]
    if to_day:
        where, values = f"{where} AND day <= %s", [*values, to_day]
    return where, values


def _read_entry(row: Row) -> LedgerEntry:
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


def _read_day(row: Row) -> UsageRecord:
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
        usd=read_picousd(int(row[11])) if row[6] else None,
    )

"""The in-RAM ledger."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from threading import Lock

from app.backends.memory.cursors import cut_page
from app.domain.caps import NO_CAPS, WorkspaceCaps, check_cap, count_picousd, read_picousd
from app.domain.memory import Scope
from app.domain.query import Page
from app.domain.spending import LedgerEntry, Reservation, SpendCap
from app.domain.usage import UsageRecord


class Ledger:
    """The `Accounts` of the in-RAM backend. Deleting a workspace leaves its entries."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._entries: dict[str, LedgerEntry] = {}
        self._reservations: dict[str, Reservation] = {}
        self._caps: dict[Scope, WorkspaceCaps] = {}

    def reserve(self, reservation: Reservation, cap: SpendCap | None) -> None:
        """Set money aside for a call; again for one id replaces the first, so that several caps can be asked."""
        payer = reservation.payer
        with self._lock:
            standing = {
                other.id: other for other in self._reservations.values() if other.expires_ms > reservation.at_ms
            }
            if cap is not None:
                reserved = sum(
                    count_picousd(other.usd)
                    for other in standing.values()
                    if (other.payer.tenant_id, other.payer.workspace_id) == (payer.tenant_id, payer.workspace_id)
                    and other.at_ms >= cap.since_ms
                    and other.id != reservation.id
                )
                spent = self._sum_spent(payer.tenant_id, payer.workspace_id, cap.since_ms)
                check_cap(reservation, cap, used_picousd=spent + reserved)
            self._reservations = {**standing, reservation.id: reservation}

    def settle(self, entry: LedgerEntry) -> None:
        """Write down what a call cost in place of its reservation, which may have lapsed."""
        usd = None if entry.usd is None else read_picousd(count_picousd(entry.usd))
        with self._lock:
            self._reservations.pop(entry.id, None)
            self._entries.setdefault(entry.id, replace(entry, usd=usd))

    def release(self, reservation_id: str) -> None:
        """Let a reservation go."""
        with self._lock:
            self._reservations.pop(reservation_id, None)

    def spent_usd(self, tenant_id: str, workspace_id: str, *, since_ms: int) -> Decimal:
        """What a workspace's settled calls cost since a moment."""
        with self._lock:
            return read_picousd(self._sum_spent(tenant_id, workspace_id, since_ms))

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
        with self._lock:
            pairs = [
                (f"{number:012}", entry)
                for number, entry in enumerate(self._of(tenant_id, workspace_id))
                if entry.at_ms >= from_ms and (to_ms is None or entry.at_ms < to_ms)
            ]
        return cut_page(("ledger", tenant_id, workspace_id or ""), pairs, limit=limit, cursor=cursor)

    def use(
        self, tenant_id: str, *, workspace_id: str | None = None, from_day: str = "", to_day: str = ""
    ) -> tuple[UsageRecord, ...]:
        """The sums of the days from `from_day` to `to_day`, both included."""
        sums: dict[tuple[str | bool, ...], UsageRecord] = {}
        with self._lock:
            for entry in self._of(tenant_id, workspace_id):
                one = _as_record(entry)
                if one.day < from_day or (to_day and one.day > to_day):
                    continue
                key = (one.day, one.workspace_id, one.operation, one.task, one.model, one.usd is not None)
                sums[key] = _joined(sums[key], one) if key in sums else one
        return tuple(record for _, record in sorted(sums.items()))

    def put_caps(self, scope: Scope, caps: WorkspaceCaps) -> None:
        """Keep the caps of a workspace in place of those that it had."""
        with self._lock:
            self._caps[scope] = caps

    def find_caps(self, scope: Scope) -> WorkspaceCaps:
        """The caps of a workspace."""
        with self._lock:
            return self._caps.get(scope, NO_CAPS)

    def _of(self, tenant_id: str, workspace_id: str | None) -> Iterator[LedgerEntry]:
        for entry in self._entries.values():
            if entry.payer.tenant_id == tenant_id and workspace_id in (None, entry.payer.workspace_id):
                yield entry

    def _sum_spent(self, tenant_id: str, workspace_id: str, since_ms: int) -> int:
        return sum(
            count_picousd(entry.usd)
            for entry in self._of(tenant_id, workspace_id)
            if entry.usd is not None and entry.at_ms >= since_ms
        )


def _as_record(entry: LedgerEntry) -> UsageRecord:
    return UsageRecord(
        tenant_id=entry.payer.tenant_id,
        workspace_id=entry.payer.workspace_id,
        day=datetime.fromtimestamp(entry.at_ms / 1000, UTC).strftime("%Y-%m-%d"),
        operation=entry.payer.operation,
        task=entry.task,
        model=entry.model,
        input_tokens=entry.input_tokens,
        output_tokens=entry.output_tokens,
        cached_tokens=entry.cached_tokens,
        usd=entry.usd,
    )


def _joined(first: UsageRecord, second: UsageRecord) -> UsageRecord:
    return replace(
        first,
        calls=first.calls + second.calls,
        input_tokens=first.input_tokens + second.input_tokens,
        output_tokens=first.output_tokens + second.output_tokens,
        cached_tokens=first.cached_tokens + second.cached_tokens,
        usd=None if first.usd is None or second.usd is None else first.usd + second.usd,
    )

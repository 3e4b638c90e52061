"""What workspaces have spent on models, and what they may."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from app.domain.access import Permission, Principal
from app.domain.caps import LARGEST_CAP_USD, WorkspaceCaps
from app.domain.memory import Scope
from app.domain.query import Page
from app.domain.spending import LedgerEntry, SpendCap
from app.errors import InvalidRequest
from app.ports import Accounts, Clock
from app.service.authorisation import authorise
from app.service.limits import check_page

PERIODS = ("day", "month")


@dataclass(frozen=True, kw_only=True, slots=True)
class PeriodSpending:
    """What a workspace spent in the day or calendar month (UTC) that runs.

    `cap_usd` is None where there is none; `own` says that the workspace was given it and it is not the service's.
    """

    name: str
    from_ms: int
    to_ms: int
    spent_usd: Decimal
    cap_usd: Decimal | None
    own: bool

    @property
    def left_usd(self) -> Decimal | None:
        """What may still be spent; None without a cap."""
        return None if self.cap_usd is None else max(Decimal(0), self.cap_usd - self.spent_usd)


class Spending:
    """Reads the ledger and keeps the caps. `daily_usd` and `monthly_usd` hold for workspaces without caps of their own.

    Spending of a model without a list price is not known and counts nothing, so no cap binds it.
    """

    def __init__(
        self,
        *,
        ledger: Accounts,
        clock: Clock,
        daily_usd: Decimal | None = None,
        monthly_usd: Decimal | None = None,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._defaults = WorkspaceCaps(daily_usd=daily_usd, monthly_usd=monthly_usd)

    def status(self, principal: Principal, workspace_id: str) -> tuple[PeriodSpending, ...]:
        """What was spent in the day and in the month that run. Needs memory:read."""
        scope = authorise(principal, Permission.MEMORY_READ, workspace_id)
        return tuple(
            PeriodSpending(
                name=name,
                from_ms=from_ms,
                to_ms=to_ms,
                spent_usd=self._ledger.spent_usd(scope.tenant_id, scope.workspace_id, since_ms=from_ms),
                cap_usd=cap_usd,
                own=own,
            )
            for name, from_ms, to_ms, cap_usd, own in self._list_periods(scope, self._clock.now_ms())
        )

    def set_caps(
        self, principal: Principal, workspace_id: str, *, daily_usd: Decimal | None, monthly_usd: Decimal | None
    ) -> tuple[PeriodSpending, ...]:
        """Give a workspace caps of its own, and return its status; None takes the service's default. Needs an admin.

        A cap of 0 lets the workspace ask no model that costs anything. Calls under way are not ended.
        """
        scope = authorise(principal, Permission.ADMINISTER, workspace_id)
        for name, usd in (("daily_usd", daily_usd), ("monthly_usd", monthly_usd)):
            if usd is not None and not (usd.is_finite() and 0 <= usd <= LARGEST_CAP_USD):
                raise InvalidRequest(f"{name} is {usd}: give 0 to {LARGEST_CAP_USD:,} USD, or nothing for the default")
        self._ledger.put_caps(scope, WorkspaceCaps(daily_usd=daily_usd, monthly_usd=monthly_usd))
        return self.status(principal, workspace_id)

    def list_entries(
        self,
        principal: Principal,
        workspace_id: str,
        *,
        from_ms: int = 0,
        to_ms: int | None = None,
        limit: int = 50,
        cursor: str = "",
    ) -> Page[LedgerEntry]:
        """A page of 1 to 1,000 entries of a workspace's ledger in the order of settling. Needs memory:read."""
        scope = authorise(principal, Permission.MEMORY_READ, workspace_id)
        return self._ledger.read(
            scope.tenant_id,
            workspace_id=scope.workspace_id,
            from_ms=from_ms,
            to_ms=to_ms,
            limit=check_page(limit),
            cursor=cursor,
        )

    def find_caps(self, scope: Scope, *, now_ms: int) -> tuple[SpendCap, ...]:
        """The caps that a call of this moment must keep."""
        return tuple(
            SpendCap(usd=cap_usd, since_ms=from_ms)
            for _, from_ms, _, cap_usd, _ in self._list_periods(scope, now_ms)
            if cap_usd is not None
        )

    def _list_periods(self, scope: Scope, now_ms: int) -> Iterator[tuple[str, int, int, Decimal | None, bool]]:
        own = self._ledger.find_caps(scope)
        today = datetime.fromtimestamp(now_ms / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        first = today.replace(day=1)
        spans = ((today, today + timedelta(days=1)), (first, (first + timedelta(days=31)).replace(day=1)))
        caps = (
            (own.daily_usd, self._defaults.daily_usd),
            (own.monthly_usd, self._defaults.monthly_usd),
        )
        for name, (begin, end), (own_usd, default_usd) in zip(PERIODS, spans, caps, strict=True):
            cap_usd = default_usd if own_usd is None else own_usd
            yield name, _ms(begin), _ms(end), cap_usd, own_usd is not None


def _ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000

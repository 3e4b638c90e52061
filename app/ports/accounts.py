"""What calls of models cost, and how many calls a key may make."""

from decimal import Decimal
from typing import Protocol

from app.domain.caps import WorkspaceCaps
from app.domain.memory import Scope
from app.domain.query import Page
from app.domain.spending import LedgerEntry, Reservation, SpendCap
from app.domain.usage import UsageRecord


class Ledger(Protocol):
    """What calls of models cost: append-only, and exact under callers that reserve at once."""

    def reserve(self, reservation: Reservation, cap: SpendCap | None) -> None:
        """Set money aside for a call; durable when this returns.

        Raises `SpendCapReached` where what the workspace spent since the cap's moment and what is set aside and has
        not lapsed, with this, is more than the cap. In one step: of callers at once none gets through too many.
        """
        ...

    def settle(self, entry: LedgerEntry) -> None:
        """Write down what a call cost in place of its reservation; twice for one id writes once."""
        ...

    def release(self, reservation_id: str) -> None:
        """Let a reservation go whose call cost nothing; one that is gone is none's loss."""
        ...

    def spent_usd(self, tenant_id: str, workspace_id: str, *, since_ms: int) -> Decimal:
        """What a workspace's settled calls cost since a moment; calls without a known price count nothing."""
        ...

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
        """A page of entries from the oldest; `to_ms` is exclusive. `InvalidRequest` for a foreign cursor."""
        ...


class Accounts(Ledger, Protocol):
    """The ledger, what it sums up to, and the caps of workspaces. What a deleted workspace cost stays."""

    def use(
        self, tenant_id: str, *, workspace_id: str | None = None, from_day: str = "", to_day: str = ""
    ) -> tuple[UsageRecord, ...]:
        """What models were asked for in the days (UTC) from `from_day` to `to_day`, both included, in their order.

        One record for each day, workspace, operation, task and model, apart for calls with a known price.
        """
        ...

    def put_caps(self, scope: Scope, caps: WorkspaceCaps) -> None:
        """Keep the caps of a workspace, which need not be there, in place of those that it had."""
        ...

    def find_caps(self, scope: Scope) -> WorkspaceCaps:
        """The caps that a workspace was given; none at first."""
        ...


class SharedRates(Protocol):
    """Token buckets that all nodes count with."""

    async def spend(self, caller: str) -> float | None:
        """Take one request from a caller's bucket: the seconds to wait where there is none, else 0.

        None where it cannot be told now, so that the caller's own node counts.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...

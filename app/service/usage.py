"""Metered use: what was done and asked of models, what that costs, and the workload that it makes."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from app.domain.access import Permission, Principal
from app.domain.memory import Scope
from app.domain.usage import UsageRecord
from app.errors import InvalidRequest
from app.ports import Clock, MemoryStore, Meter, WorkspaceStore
from app.service.authorisation import authorise, require
from app.service.metering import day_of
from app.service.pricing import price_tokens
from app.service.workloads import Stock, write_workload
from app.service.workspaces import walk_visible


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageLine:
    """The use of one operation, with one model or none. `cost_usd` is None where no price is known."""

    operation: str
    model: str
    calls: int
    items: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageReport:
    """The use of a tenant's workspaces, or of one, from the first to the last metered day asked for.

    `cost_usd` is what the tokens cost at list prices: 0 where no model was asked, None where a model that was has no
    known price; `priced_usd` is the part that has one, and `unpriced_models` names the others. `records` are the
    single days.
    """

    tenant_id: str
    workspace_id: str | None
    from_day: str
    to_day: str
    lines: tuple[UsageLine, ...]
    records: tuple[UsageRecord, ...]

    @property
    def priced_usd(self) -> Decimal:
        """What the tokens of models with a known price cost."""
        return sum((line.cost_usd for line in self.lines if line.cost_usd is not None), start=Decimal(0))

    @property
    def cost_usd(self) -> Decimal | None:
        """What all tokens cost, or None where a price is missing."""
        return None if self.unpriced_models else self.priced_usd

    @property
    def unpriced_models(self) -> tuple[str, ...]:
        """Models that were asked and have no known price."""
        return tuple(sorted({line.model for line in self.lines if line.cost_usd is None}))


class Usage:
    """Reads the meter. A principal reads the use of the workspaces in its scope."""

    def __init__(self, *, meter: Meter, workspaces: WorkspaceStore, memories: MemoryStore, clock: Clock) -> None:
        self._meter = meter
        self._workspaces = workspaces
        self._memories = memories
        self._clock = clock

    def report(
        self, principal: Principal, *, workspace_id: str | None = None, from_day: str = "", to_day: str = ""
    ) -> UsageReport:
        """The use from `from_day` to `to_day` ("2026-11-22", UTC, both included; empty for open). Needs memory:read."""
        records = self._read(principal, workspace_id, from_day, to_day)
        days = [record.day for record in records]
        return UsageReport(
            tenant_id=principal.tenant_id,
            workspace_id=workspace_id,
            from_day=min(days, default=from_day),
            to_day=max(days, default=to_day),
            lines=_lines(records),
            records=records,
        )

    def as_workload(
        self, principal: Principal, *, workspace_id: str | None = None, from_day: str = "", to_day: str = ""
    ) -> dict[str, object]:
        """A document for `reme-size --file`: metered use and what is stored as the next plan's workload.

        Today is left out where an earlier day was metered, since it is not over. Needs memory:read. Raises
        `InvalidRequest` where nothing was metered in the span.
        """
        records = self._read(principal, workspace_id, from_day, to_day)
        today = day_of(self._clock.now_ms())
        whole = [record for record in records if record.day < today] or list(records)
        if not whole:
            raise InvalidRequest(
                f"nothing was metered from {from_day or 'the beginning'} to {to_day or 'today'}: "
                "use the service first, or ask for other days"
            )
        days = [date.fromisoformat(record.day) for record in whole]
        span = (max(days) - min(days)).days + 1
        return write_workload(whole, self._take_stock(principal, workspace_id), days=span)

    def _read(
        self, principal: Principal, workspace_id: str | None, from_day: str, to_day: str
    ) -> tuple[UsageRecord, ...]:
        if workspace_id is None:
            require(principal, Permission.MEMORY_READ)
        else:
            authorise(principal, Permission.MEMORY_READ, workspace_id)
        for name, day in (("from_day", from_day), ("to_day", to_day)):
            _check_day(name, day)
        if from_day and to_day and from_day > to_day:
            raise InvalidRequest(f"from_day {from_day} is after to_day {to_day}: swap them")
        records = self._meter.read(principal.tenant_id, workspace_id=workspace_id, from_day=from_day, to_day=to_day)
        return tuple(record for record in records if principal.sees(record.workspace_id))

    def _take_stock(self, principal: Principal, workspace_id: str | None) -> Stock:
        if workspace_id is not None:
            scopes: Iterable[Scope] = [Scope(tenant_id=principal.tenant_id, workspace_id=workspace_id)]
        else:
            scopes = (workspace.scope for workspace in walk_visible(self._workspaces, principal))
        users = memories = text_bytes = 0
        for scope in scopes:
            contents = self._memories.contents(scope)
            # Most workspaces are one user's; users are recorded only where several share one.
            users += max(1, contents.users)
            memories += contents.memories
            text_bytes += contents.text_bytes
        return Stock(users=max(1, users), memories=memories, text_bytes=text_bytes)


def _lines(records: Iterable[UsageRecord]) -> tuple[UsageLine, ...]:
    totals: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for record in records:
        counted = (record.calls, record.items, record.input_tokens, record.output_tokens)
        total = totals[record.operation, record.model]
        for position, count in enumerate(counted):
            total[position] += count
    return tuple(
        UsageLine(
            operation=operation,
            model=model,
            calls=calls,
            items=items,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost_usd=price_tokens(model, input_tokens=input_tokens, output_tokens=output_tokens),
        )
        for (operation, model), (calls, items, input_tokens, output_tokens) in sorted(totals.items())
    )


def _check_day(name: str, day: str) -> None:
    if not day:
        return
    try:
        exact = date.fromisoformat(day).isoformat() == day
    except ValueError:
        exact = False
    if not exact:
        raise InvalidRequest(f"{name} is {day[:40]!r}: write a day as YYYY-MM-DD")

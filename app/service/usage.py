"""Metered use: what was done and asked of models, what that costs, and the workload that it makes."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from app.domain.access import Permission, Principal
from app.domain.memory import Scope
from app.domain.usage import UsageRecord
from app.errors import InvalidRequest
from app.ports import Accounts, Clock, MemoryStore, Meter, WorkspaceStore
from app.service.authorisation import authorise, require
from app.service.metering import day_of
from app.service.moderation import OPERATION
from app.service.pricing import price_tokens
from app.service.workloads import Stock, write_workload
from app.service.workspaces import walk_visible

if TYPE_CHECKING:
    from app.service.planned_use import PlannedUse, UseComparison


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageLine:
    """The use of one operation, with one model for one task or none. `cost_usd` is None where no price is known."""

    operation: str
    task: str
    model: str
    calls: int
    items: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
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
    """Reads the meter, and what models were asked for in the ledger. A principal reads the workspaces in its scope.

    Without a ledger the tokens are the meter's, at list prices.
    """

    def __init__(
        self,
        *,
        meter: Meter,
        workspaces: WorkspaceStore,
        memories: MemoryStore,
        clock: Clock,
        ledger: Accounts | None = None,
    ) -> None:
        self._meter = meter
        self._ledger = ledger
        self._workspaces = workspaces
        self._memories = memories
        self._clock = clock

    def report(
        self, principal: Principal, *, workspace_id: str | None = None, from_day: str = "", to_day: str = ""
    ) -> UsageReport:
        """The use from `from_day` to `to_day` ("2026-11-22", UTC, both included; empty for open). Needs memory:read."""
        done, asked = self._read(principal, workspace_id, from_day, to_day)
        records = tuple(sorted((*(record for record in done if not _has_tokens(record)), *asked), key=_place))
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
        done, asked = self._read(principal, workspace_id, from_day, to_day)
        whole, days = self._list_whole_days(done, asked, from_day, to_day)
        return write_workload(
            [record for record in done if record.day in whole],
            [record for record in asked if record.day in whole],
            self._take_stock(principal, workspace_id),
            days=days,
        )

    def compare(
        self,
        principal: Principal,
        planned: "PlannedUse",
        *,
        workspace_id: str | None = None,
        from_day: str = "",
        to_day: str = "",
    ) -> "tuple[UseComparison, ...]":
        """What was planned beside what was metered, both for the same span of time. As for `as_workload`."""
        from app.service.planned_use import compare_use  # noqa: PLC0415 - loads the whole planner

        done, asked = self._read(principal, workspace_id, from_day, to_day)
        whole, days = self._list_whole_days(done, asked, from_day, to_day)
        document = self.as_workload(principal, workspace_id=workspace_id, from_day=from_day, to_day=to_day)
        costs = [record.usd for record in asked if record.day in whole]
        known_usd = sum((usd for usd in costs if usd is not None), start=Decimal(0))
        return compare_use(planned, document, known_usd / days, unpriced=None in costs)

    def _list_whole_days(
        self, done: Iterable[UsageRecord], asked: Iterable[UsageRecord], from_day: str, to_day: str
    ) -> tuple[frozenset[str], int]:
        """The metered days without today, unless it is the only one, and how many days they span."""
        metered = {record.day for record in (*done, *asked)}
        whole = frozenset(day for day in metered if day < day_of(self._clock.now_ms())) or frozenset(metered)
        if not whole:
            raise InvalidRequest(
                f"nothing was metered from {from_day or 'the beginning'} to {to_day or 'today'}: "
                "use the service first, or ask for other days"
            )
        return whole, (date.fromisoformat(max(whole)) - date.fromisoformat(min(whole))).days + 1

    def _read(
        self, principal: Principal, workspace_id: str | None, from_day: str, to_day: str
    ) -> tuple[tuple[UsageRecord, ...], tuple[UsageRecord, ...]]:
        """What the meter counted, and what models were asked for with its cost."""
        if workspace_id is None:
            require(principal, Permission.MEMORY_READ)
        else:
            authorise(principal, Permission.MEMORY_READ, workspace_id)
        for name, day in (("from_day", from_day), ("to_day", to_day)):
            _check_day(name, day)
        if from_day and to_day and from_day > to_day:
            raise InvalidRequest(f"from_day {from_day} is after to_day {to_day}: swap them")
        found = self._meter.read(principal.tenant_id, workspace_id=workspace_id, from_day=from_day, to_day=to_day)
        done = tuple(record for record in found if principal.sees(record.workspace_id))
        if self._ledger is None:
            return done, tuple(_price(record) for record in done if _has_tokens(record))
        calls = self._ledger.use(principal.tenant_id, workspace_id=workspace_id, from_day=from_day, to_day=to_day)
        return done, tuple(record for record in calls if principal.sees(record.workspace_id))

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


def _has_tokens(record: UsageRecord) -> bool:
    return bool(record.input_tokens or record.output_tokens)


def _price(record: UsageRecord) -> UsageRecord:
    usd = price_tokens(record.model, input_tokens=record.input_tokens, output_tokens=record.output_tokens)
    return replace(record, usd=usd)


def _place(record: UsageRecord) -> tuple[str, ...]:
    return record.day, record.workspace_id, record.operation, record.task, record.model


def _lines(records: Iterable[UsageRecord]) -> tuple[UsageLine, ...]:
    groups: defaultdict[tuple[str, str, str], list[UsageRecord]] = defaultdict(list)
    for record in records:
        groups[record.operation, record.task, record.model].append(record)
    return tuple(
        UsageLine(
            operation=operation,
            task=task,
            model=model,
            calls=sum(record.calls for record in group),
            items=sum(record.items for record in group),
            input_tokens=sum(record.input_tokens for record in group),
            output_tokens=sum(record.output_tokens for record in group),
            cached_tokens=sum(record.cached_tokens for record in group),
            cost_usd=_add_costs(group),
        )
        for (operation, task, model), group in sorted(groups.items())
    )


def _add_costs(records: Iterable[UsageRecord]) -> Decimal | None:
    # Calls of content moderation cost by the call, and no list price of them is known.
    costs = [record.usd for record in records if _has_tokens(record) or record.operation == OPERATION]
    known = [usd for usd in costs if usd is not None]
    return sum(known, start=Decimal(0)) if len(known) == len(costs) else None


def _check_day(name: str, day: str) -> None:
    if not day:
        return
    try:
        exact = date.fromisoformat(day).isoformat() == day
    except ValueError:
        exact = False
    if not exact:
        raise InvalidRequest(f"{name} is {day[:40]!r}: write a day as YYYY-MM-DD")

"""What changes between two cost reports, line by line."""

from dataclasses import dataclass
from typing import Literal

from sizing.cost.report import ZERO, CostLine, CostReport, Money

Change = Literal["added", "removed", "changed", "same"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LineChange:
    """One line before and after; ``delta`` is None where a side that exists has no list price."""

    id: str
    change: Change
    before: CostLine | None
    after: CostLine | None
    delta: Money | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CostDifference:
    """All lines of two reports; ``delta`` sums those that are priced wherever they exist."""

    lines: tuple[LineChange, ...]
    delta: Money
    unknown: int

    @property
    def changed(self) -> tuple[LineChange, ...]:
        """The lines that are not the same."""
        return tuple(line for line in self.lines if line.change != "same")


def compare_reports(before: CostReport, after: CostReport) -> CostDifference:
    """Return what changes from one report to another; a report against itself changes nothing."""
    old = {line.id: line for line in before.lines}
    new = {line.id: line for line in after.lines}
    lines = tuple(_compare(key, old.get(key), new.get(key)) for key in {**old, **new})
    delta = ZERO
    for line in lines:
        if line.delta is not None:
            delta = delta + line.delta
    return CostDifference(lines=lines, delta=delta, unknown=sum(line.delta is None for line in lines))


def _compare(key: str, before: CostLine | None, after: CostLine | None) -> LineChange:
    known = all(line is None or line.is_priced for line in (before, after))
    delta = None
    if known:
        was = before.monthly_usd if before and before.monthly_usd else ZERO
        becomes = after.monthly_usd if after and after.monthly_usd else ZERO
        delta = becomes - was
    change: Change
    if before is None:
        change = "added"
    elif after is None:
        change = "removed"
    elif (before.sku, before.quantity, before.monthly_usd) == (after.sku, after.quantity, after.monthly_usd):
        change = "same"
    else:
        change = "changed"
    return LineChange(id=key, change=change, before=before, after=after, delta=delta)

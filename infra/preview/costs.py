"""The costs of a stack's two sides as the result tells them."""

from infra.preview.spending import CostRow, Counts, Parts, Spend, StackCost, Unpriced
from sizing.cost.report import Money
from sizing.pricing import quotation
from sizing.pricing.cost_change import CostChange, CostShift
from sizing.pricing.quotation import PricedResource, Totals

_LOWER_BOUND = ("unknown", "no-price", "unsupported")
MAX_UNPRICED = 500
"""How many resources without a price the result names; the counts have all of them."""


def describe_costs(change: CostChange, *, is_new: bool, is_removed: bool) -> StackCost:
    """The costs by component, with what has no price and why; a side that is not there is None.

    A resource that is billed by use alone counts as unpriced, unless the stack's own plan knows the use.
    """
    rows = tuple(
        CostRow(
            component=component,
            before=None if is_new else _describe_side(change.before, component, shift, "before"),
            after=None if is_removed else _describe_side(change.after, component, shift, "after"),
        )
        for component, shift in change.components.items()
    )
    return StackCost(
        before=None if is_new else sum((row.before for row in rows if row.before), Parts()),
        after=None if is_removed else sum((row.after for row in rows if row.after), Parts()),
        rows=rows,
        counts_before=None if is_new else _count(change.before),
        counts_after=None if is_removed else _count(change.after),
        unpriced=_list_unpriced(change.before if is_removed else change.after),
    )


def _describe_side(cost: quotation.StackCost, component: str, shift: CostShift, side: str) -> Parts:
    totals: Totals = getattr(shift, side)
    resources = [each for each in cost.resources if each.component == component and _is_unpriced(each, cost)]
    lines = [line for line in cost.more if line.component == component and not line.is_priced]
    return Parts(baseline=_spend(totals.baseline), usage=_spend(totals.usage), unpriced=len(resources) + len(lines))


def _is_unpriced(each: PricedResource, cost: quotation.StackCost) -> bool:
    if each.status == "by-use":
        return not cost.more
    return each.status in _LOWER_BOUND


def _spend(money: Money) -> Spend:
    # in order, since a difference of corners of different lines may be turned round by rounding
    low, high = min(money.low, money.expected), max(money.high, money.expected)
    return Spend(low=low, expected=money.expected, high=high)


def _count(cost: quotation.StackCost) -> Counts:
    names = {status.replace("-", "_"): count for status, count in cost.counts.items()}
    return Counts(**names, total=len(cost.resources))


def _list_unpriced(cost: quotation.StackCost) -> tuple[Unpriced, ...]:
    found = [
        Unpriced(
            name=each.resource.name[:1000],
            type=each.resource.type[:1000],
            status=each.status,
            reason=each.reason[:4000],
        )
        for each in cost.resources
        if each.status in ("by-use", "unknown", "no-price", "unsupported") and _is_unpriced(each, cost)
    ]
    found += [
        Unpriced(
            name=f"{line.component}: {line.sku}"[:1000],
            type=line.service,
            status="no-price",
            reason=f"no list price in {line.region}",
        )
        for line in cost.more
        if not line.is_priced
    ]
    return tuple(found[:MAX_UNPRICED])

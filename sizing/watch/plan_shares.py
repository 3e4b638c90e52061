"""Components that the bill cannot tell apart: a vector store's nodes are EC2 instances like all others."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal, localcontext

from sizing.watch.daily import SPENDING
from sizing.watch.ledger import PRECISION, USD_STEP, Entry
from sizing.watch.plan_report import PlanLine, PlanReport, add_plan

INDISTINCT = {
    "compute": ("compute", "vector_store", "monitoring"),
    "object_store": ("object_store", "logs"),
}
"""Components whose lines ``sizing.billing.plan_bill`` bills under the same product as the key's: nodes and
volumes of Qdrant and Prometheus, the bucket of the access logs."""


def share_entries(entries: Iterable[Entry], plan: PlanReport) -> Iterator[Entry]:
    """Yield the entries with indistinct products given to the components that the plan buys them for.

    In this order: a tag's component stays; an instance class that the plan has for one component only
    goes there; the rest is divided by the plan's expected cost of that product. The parts add up to the
    entry exactly: each is rounded to USD_STEP, and the largest takes the remainder.
    """
    weights: dict[tuple[str, str, str], dict[str, Decimal]] = {}
    for entry in entries:
        if entry.tagged or entry.kind not in SPENDING or entry.component not in INDISTINCT:
            yield entry
            continue
        key = entry.component, entry.service, entry.instance_class
        if key not in weights:
            weights[key] = _weigh(entry, plan)
        yield from _divide(entry, weights[key])


def _weigh(entry: Entry, plan: PlanReport) -> dict[str, Decimal]:
    """Return the plan's expected USD a month by component for the entry's product."""
    candidates = INDISTINCT[entry.component]
    lines = [line for line in plan.of_service(entry.service) if line.component in candidates]
    of_class = [line for line in lines if entry.instance_class and line.sku == entry.instance_class]
    return _expected(of_class or lines)


def _expected(lines: Iterable[PlanLine]) -> dict[str, Decimal]:
    listed = tuple(lines)
    found = {line.component: Decimal(0) for line in listed}
    for component in found:
        found[component] = add_plan(line for line in listed if line.component == component).expected
    return found


def _divide(entry: Entry, weights: dict[str, Decimal]) -> Iterator[Entry]:
    if not weights:
        yield entry
        return
    if len(weights) == 1:
        yield replace(entry, component=next(iter(weights)))
        return
    whole = sum(weights.values(), Decimal(0))
    if not whole:
        yield entry
        return
    ordered = sorted(weights, key=lambda component: weights[component])
    with localcontext(prec=PRECISION):
        left = entry.usd
        for component in ordered[:-1]:
            part = (entry.usd * weights[component] / whole).quantize(USD_STEP)
            left -= part
            yield replace(entry, component=component, usd=part, shared=True)
        yield replace(entry, component=ordered[-1], usd=left, shared=True)

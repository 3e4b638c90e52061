"""Prices every resource of a graph."""

from collections.abc import Iterable
from dataclasses import replace

from sizing.billing.charge import Charge
from sizing.catalogue import Catalogue, catalogue
from sizing.cost.report import CostLine, price_charges
from sizing.estimate import CORNERS, Corner
from sizing.graph.kinds import Kind, find_kind
from sizing.graph.resources import Resource, ResourceGraph
from sizing.pricing.builders import builders
from sizing.pricing.draft import Draft
from sizing.pricing.quotation import PricedResource, StackCost, Status
from sizing.pricing.usage import NO_USAGE, Usage


def price_graph(
    graph: ResourceGraph,
    prices: Catalogue | None = None,
    usage: Usage = NO_USAGE,
    more: Iterable[CostLine] = (),
    beside: Iterable[ResourceGraph] = (),
) -> StackCost:
    """Price a stack's custom resources at three corners.

    `usage` are quantities by resource; `more` are lines that no resource shows, such as those of a stack's own plan.
    Raises InvalidUsage where the usage names a resource that neither the stack has nor one of `beside` (the other side
    of a change), CatalogueError where a price is in another unit than its bill.
    """
    usage.check(graph, *beside)
    known = prices or catalogue()
    return StackCost(
        stack=graph.stack,
        resources=tuple(price_resource(each, graph, known, usage) for each in graph.custom),
        more=tuple(more),
    )


def price_resource(
    resource: Resource, graph: ResourceGraph, prices: Catalogue, usage: Usage = NO_USAGE
) -> PricedResource:
    """Price one resource of a graph."""
    kind = find_kind(resource.type)
    builder = builders().get(kind.type)
    if builder is None:
        return _by_kind(resource, kind)
    drafts: dict[Corner, Draft] = {}
    for corner in CORNERS:
        drafts[corner] = Draft(resource, graph, kind.type, corner, usage.of(resource, corner))
        builder(drafts[corner])
    charges: dict[Corner, Iterable[Charge]] = {corner: draft.bill for corner, draft in drafts.items()}
    lines = tuple(
        replace(line, id=f"{resource.urn}/{line.resource}/{line.service}/{line.id.rpartition('/')[2]}")
        for line in price_charges(charges, prices).lines
    )
    unmetered = tuple(key for key in kind.usage if key not in usage.of(resource, "expected"))
    status, reason = _judge(kind, drafts, lines)
    return PricedResource(
        resource=resource,
        status=status,
        component=kind.component,
        lines=lines,
        reason=reason,
        unmetered=unmetered if status != "free" else (),
    )


def _by_kind(resource: Resource, kind: Kind) -> PricedResource:
    status: Status = "free" if kind.treatment == "free" else "by-use" if kind.treatment == "by-use" else "unsupported"
    return PricedResource(resource=resource, status=status, component=kind.component, reason=kind.reason)


def _judge(kind: Kind, drafts: dict[Corner, Draft], lines: tuple[CostLine, ...]) -> tuple[Status, str]:
    unknowns, gaps, notes = (
        _unique(text for draft in drafts.values() for text in getattr(draft, name))
        for name in ("unknowns", "gaps", "notes")
    )
    unpriced = [line for line in lines if not line.is_priced]
    region = drafts["expected"].resource.region
    if unknowns:
        return "unknown", "; ".join(f"{each} is unknown" if " " not in each else each for each in unknowns)
    if unpriced and not region:
        return "unknown", "the region is unknown"
    if gaps or unpriced:
        missing = [f"no list price of {line.service} {line.sku} in {region or line.region}" for line in unpriced]
        return "no-price", "; ".join((*gaps, *missing))
    if notes and not lines:
        return "free", "; ".join(notes)
    if not lines:
        return "by-use", kind.reason
    return "priced", ""


def _unique(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
